"""Who asks, and may they?

Owns the check that runs before every request: people by session cookie for pages, programs by bearer key for the API.
The promise: closed by default. A route without a known door is refused; a page needs a login; a change needs the role
admin or marketer; an API route needs a scope. Routes open up by a visible decorator.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user

from core.errors import Forbidden, Unauthorised
from web.models import User
from web.registry import registry
from web.requests.transactions import database, reading
from web.security.keys import key_of
from web.security.logins import person_of_session

View = TypeVar("View", bound=Callable[..., Any])

SAFE = ("GET", "HEAD", "OPTIONS")
CHANGERS = ("admin", "marketer")


@dataclass(frozen=True)
class Person(UserMixin):  # type: ignore[misc]
    """The signed-in person, as pages see them."""

    id: int
    name: str
    email: str
    role: str
    session_version: int

    def get_id(self) -> str:
        return f"{self.id}.{self.session_version}"

    @property
    def initials(self) -> str:
        """One or two letters for the round sign."""
        words = self.name.replace(".", " ").split()
        letters = [word[0] for word in words if word[0].isalpha()]
        return "".join((letters[:1] + letters[-1:]) if len(letters) > 1 else letters).upper()

    def may_change(self) -> bool:
        """Whether this person may change what marketers change."""
        return self.role in CHANGERS


def person_from(user: User) -> Person:
    """What pages need of a stored user."""
    return Person(user.id, user.name, user.email, user.role, user.session_version)


def person() -> Person | None:
    """The signed-in person of this request, or None."""
    return current_user._get_current_object() if current_user and current_user.is_authenticated else None


def needs_role(*roles: str) -> Callable[[View], View]:
    """Let only these roles use the page, for every method (instead of: all may look, admin and marketer may change)."""

    def mark(view: View) -> View:
        view.needs_roles = roles  # type: ignore[attr-defined]
        return view

    return mark


def needs_scope(scope: str) -> Callable[[View], View]:
    """Ask for this scope instead of `read` or `write`. On a MethodView, decorate the method."""

    def mark(view: View) -> View:
        view.needs_scope = scope  # type: ignore[attr-defined]
        return view

    return mark


def open_to_all(view: View) -> View:
    """Let people without a login use this page."""
    view.open_to_all = True  # type: ignore[attr-defined]
    return view


def _load_person(identity: str) -> Person | None:
    user_id, _, version = identity.partition(".")
    if not (user_id.isdigit() and version.isdigit()):
        return None
    with reading() as session:
        user = person_of_session(session, int(user_id), int(version))
    return person_from(user) if user else None


def guard(app: Flask) -> None:
    """Check every request of `app` before its view runs."""
    manager = LoginManager()
    manager.session_protection = None  # it binds to address and browser, which phones change; the cookie is signed
    manager.init_app(app, add_context_processor=False)
    manager.user_loader(_load_person)
    app.before_request(_check)


def _check() -> ResponseReturnValue | None:
    endpoint = request.endpoint
    if endpoint is None or endpoint == "static":
        return None  # a 404, or a file that anybody may have
    view = _view_of(endpoint)
    door = registry().doors.get(request.blueprint or "")
    if door == "pages":
        return _check_page(view)
    if door == "api":
        _check_api(view)
        return None
    if door in ("public", "hooks") or request.blueprint == "api-docs":
        return None
    raise Forbidden("This address belongs to no door.")


def _view_of(endpoint: str) -> Any:
    view = current_app.view_functions[endpoint]
    view_class = getattr(view, "view_class", None)
    return getattr(view_class, request.method.lower(), view) if view_class else view


def _check_page(view: Any) -> ResponseReturnValue | None:
    if getattr(view, "open_to_all", False):
        return None
    who = person()
    if who is None:
        return _ask_to_sign_in()
    roles: tuple[str, ...] | None = getattr(view, "needs_roles", None)
    if roles is None and request.method not in SAFE:
        roles = CHANGERS
    if roles is not None and who.role not in roles:
        raise Forbidden(f"This is for {' and '.join(roles)}; you are signed in as {who.role}. Ask an administrator.")
    return None


def _ask_to_sign_in() -> ResponseReturnValue:
    if "HX-Request" in request.headers:
        return "", 401, {"HX-Redirect": url_for("login.form")}
    back = request.full_path.rstrip("?") if request.method in SAFE else None
    return redirect(url_for("login.form", next=back if back != "/" else None))


def _check_api(view: Any) -> None:
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not presented:
        raise Unauthorised("Send your key in the header: Authorization: Bearer wb_...")
    key = key_of(database(), presented.strip())
    if key is None:
        raise Unauthorised("This key is unknown or was revoked. Make a new one with winback key add.")
    needed = getattr(view, "needs_scope", None) or ("read" if request.method in SAFE else "write")
    if needed not in key.scopes:
        raise Forbidden(f"This address needs a key for {needed}; this one is for {' and '.join(key.scopes)}. "
                        f"Make one with winback key add --scope {needed}.")
    g.api_key, g.now = key, key.now
