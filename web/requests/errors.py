"""How does an error reach the one who asked?

Owns the way from the error tree of `core/errors.py` to HTTP: `application/problem+json` under /api and /hooks, a toast
for htmx, a page for people. The promise: every answer says what is wrong, where, and the way out; an unexpected error
is logged and shows nothing of our insides.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, jsonify, make_response, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import HTTPException

from core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotReady,
    SettingsError,
    TooSlow,
    Unauthorised,
    WinbackError,
)
from web.security.access import person

STATUS: dict[type[WinbackError], int] = {
    Invalid: 400,
    Unauthorised: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    NotReady: 503,
    TooSlow: 503,
    SettingsError: 500,
}
REASONS = {
    400: "invalid", 401: "unauthorised", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
    409: "conflict", 413: "too_large", 415: "invalid", 422: "invalid", 429: "too_many_requests", 500: "broken",
    503: "not_ready",
}
_TITLES = {
    400: "That did not work", 401: "Please sign in", 403: "Not for you", 404: "Nothing here", 405: "Not this way",
    409: "It changed meanwhile", 413: "Too large", 429: "Too many tries", 500: "Something broke", 503: "Not ready yet",
}
_SENTENCES = {
    400: "The request could not be read. Go back and try again.",
    403: "You may not do this. Ask an administrator.",
    404: "There is nothing at this address. It may have been renamed or removed.",
    405: "This address does not answer to that method.",
    413: "The file or form is larger than we take.",
    415: "Send JSON with the header Content-Type: application/json.",
    429: "Wait a minute, then try again.",
    500: "This is our mistake. Nothing of your last step was saved. It is in the log; try again or tell the operator.",
    503: "Wait a moment, then try again.",
}
_SAID_PLAINLY = {
    "Missing data for required field.": "This is missing.",
    "Field may not be null.": "This may not be null: give it a value or leave it out.",
    "Unknown field.": "There is no such field here. Check its spelling.",
    "Invalid input type.": "Use an object, in braces.",
    "Not a valid list.": "Use a list, in square brackets.",
    "Not a valid string.": "Use text in quotes.",
    "Not a valid boolean.": "Use true or false.",
    "Not a valid integer.": "Use a whole number.",
    "Not a valid mapping type.": "Use an object, in braces.",
    "Not a valid datetime.": "Use an instant such as 2026-03-02T10:00:00Z.",
    "Not a valid aware datetime.": "Use an instant such as 2026-03-02T10:00:00Z.",
    "Not a valid date.": "Use a day such as 2026-03-02.",
}
"""What the library for schemas says of a field, in words that tell the way out."""


@dataclass(frozen=True)
class Problem:
    """One error as every kind of answer needs it."""

    status: int
    reason: str
    message: str
    place: str | None = None
    errors: dict[str, Any] | None = None

    @property
    def title(self) -> str:
        return _TITLES.get(self.status) or HTTPStatus(self.status).phrase


def status_of(error: WinbackError) -> int:
    """The HTTP status of an error of the tree, by its nearest class."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def answer(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Write a problem in the form that this caller reads."""
    if request.path.startswith(("/api/", "/hooks/")):
        response = _as_json(problem)
    elif "HX-Request" in request.headers:
        response = make_response(render_template("fragments/problem.html", problem=problem), problem.status)
        response.headers["HX-Retarget"] = "#toasts"
        response.headers["HX-Reswap"] = "beforeend"
    else:
        response = make_response(_page(problem), problem.status)
    response.headers.extend(headers or {})
    return response


def _as_json(problem: Problem) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank", "title": HTTPStatus(problem.status).phrase, "status": problem.status,
        "reason": problem.reason, "detail": problem.message,
    }
    if problem.place:
        body["place"] = problem.place
    if problem.errors:
        body["errors"] = problem.errors
    response = jsonify(body)
    response.status_code = problem.status
    response.mimetype = "application/problem+json"
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="winback"'
    return response


def _page(problem: Problem) -> str:
    # after an unexpected error the database may be what broke: the bare page asks it nothing
    shell = problem.status < 500 and person() is not None
    return render_template("error.html", problem=problem, layout="base.html" if shell else "alone.html",
                           start=url_for("jump.start"))


def register(app: Flask) -> None:
    """Answer every error of `app`."""
    app.register_error_handler(WinbackError, _on_winback_error)
    app.register_error_handler(IntegrityError, _on_a_twin)
    app.register_error_handler(CSRFError, _on_stale_form)
    app.register_error_handler(HTTPException, _on_http_error)


def _on_winback_error(error: WinbackError) -> Response:
    status = status_of(error)
    headers = {"Retry-After": "5"} if isinstance(error, NotReady) else None
    return answer(Problem(status, error.reason, error.message, error.place), headers)


def _on_a_twin(error: IntegrityError) -> Response:
    """Two made the same at once, as a double click does: both saw that it was not there, and the database let one."""
    if not re.search(r"unique", f"{type(error.orig).__name__} {error.orig}", re.IGNORECASE):
        raise error
    return answer(Problem(409, "conflict", "The same was made at this very moment, perhaps by a second click. "
                                           "Load the page again and look before sending it once more."))


def _on_stale_form(_error: CSRFError) -> Response:
    return answer(Problem(400, "invalid", "This form is from an earlier session. Reload the page and send it again."))


def _on_http_error(error: HTTPException) -> Response:
    response = error.get_response()
    status = error.code or 500
    if status < 400:
        return make_response(response)
    headers = {name: value for name, value in response.headers if name in ("Allow", "Retry-After")}
    fields = getattr(error, "data", {}).get("messages") if isinstance(getattr(error, "data", None), dict) else None
    if fields:  # a body that a schema refused: malformed, which our contract calls 400
        fields = _plain(fields)
        place, text = _first(fields)
        return answer(Problem(400, "invalid", text, place, fields))
    message = error.description if status == 400 and error.description else _SENTENCES.get(status)
    reason = REASONS.get(status, "invalid" if status < 500 else "broken")
    return answer(Problem(status, reason, message or str(error.description), request.path), headers)


def _plain(node: Any) -> Any:
    """The messages of a schema in our words; what is wrong with an object as a whole stands at the object."""
    if isinstance(node, dict):
        return {name: _plain(node[name]["_schema"] if isinstance(node[name], dict) and set(node[name]) == {"_schema"}
                             else node[name]) for name in node}
    if isinstance(node, list):
        return [_plain(each) for each in node]
    return _SAID_PLAINLY.get(node, node)


def _first(fields: dict[str, Any]) -> tuple[str, str]:
    path: list[str] = []
    node: Any = fields
    while isinstance(node, dict) and node:
        name, node = next(iter(node.items()))
        path.append(str(name))
    text = node[0] if isinstance(node, list) and node else node
    return ".".join(path[1:] or path), str(text)
