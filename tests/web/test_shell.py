"""The shell: closed by default, strict headers, errors for people and programs, nothing from another host."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import flask_smorest
import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from flask.views import MethodView
from marshmallow import Schema, fields
from sqlalchemy import select

import web
from core.database import Database
from core.errors import Conflict, Invalid, NotFound, NotReady, TooSlow
from core.settings import Settings
from tests.web.conftest import Reused
from web import registry
from web.app import create_app
from web.frame.iconography import icon
from web.frame.toasts import toast
from web.models import AuditEntry
from web.registry import Found
from web.requests.transactions import request_now, writing
from web.security.access import needs_role, needs_scope
from web.security.audit import record
from web.security.headers import content_policy, preview_policy

WEB = Path(web.__file__).parent
OURS = [
    path for folder in ("templates", "static") for path in sorted((WEB / folder).rglob("*"))
    if path.is_file() and path.suffix in (".html", ".css", ".js", ".svg", ".txt", ".xml")
    and "vendor" not in path.relative_to(WEB).parts
]
BUNDLES = ("static/canvas", "static/editor")


class Things(Schema):
    size = fields.Integer(required=True)


def _page_blueprint() -> Blueprint:
    page = Blueprint("segments", __name__)

    @page.get("/segments")
    def index() -> str:
        return "list"

    @page.post("/segments")
    def save() -> Any:
        now = request_now()
        with writing() as session:
            record(session, "segment.saved", "segment:vip", now=now, people=3)
        toast("Saved <b>vip</b>.", action="Undo", href="/undo", post=True)
        return "saved"

    @page.post("/calls/close")
    @needs_role("agent")
    def close() -> str:
        return "closed"

    @page.get("/broken")
    def broken() -> str:
        raise ZeroDivisionError("secret inside")

    @page.get("/conflict")
    def conflict() -> str:
        raise Conflict("Jonas saved version 8 meanwhile. Reload to see it.", place="segment vip")

    return page


def _api_blueprint() -> flask_smorest.Blueprint:
    api = flask_smorest.Blueprint("things", __name__, url_prefix="/api/v1/things")

    @api.route("/")
    class Many(MethodView):
        def get(self) -> dict[str, float]:
            return {"rate": float("nan"), "n": 1}

        @api.arguments(Things)  # type: ignore[untyped-decorator]
        def post(self, thing: dict[str, Any]) -> dict[str, Any]:
            return thing

        @needs_scope("redemptions")
        def put(self) -> dict[str, bool]:
            return {"ok": True}

    @api.get("/errors/<kind>")  # type: ignore[untyped-decorator]
    def fail(kind: str) -> str:
        raise {"invalid": Invalid("No.", place="a.b"), "missing": NotFound("No such thing."),
               "conflict": Conflict("Moved on."), "soon": NotReady("The mirror is building."),
               "slow": TooSlow("Stopped.")}[kind]

    return api


_KEPT: list[Reused] = []


@pytest.fixture
def app(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The application with one more page and one more resource, found as the real ones are."""
    if not _KEPT:
        _KEPT.append(Reused(_built(settings, database, monkeypatch)))
    return _KEPT[0].over(settings, database)


def _built(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Flask:
    real = registry.modules_of

    class Page:
        blueprint = _page_blueprint()

        @staticmethod
        def nav_count(session: Any, now: datetime) -> int:
            return 1427

        @staticmethod
        def find(session: Any, words: str) -> list[Found]:
            return [Found(f"{words} {n}", "segment", f"/segments/{n}") for n in range(20)]

    class Resource:
        blueprint = _api_blueprint()

    extra: dict[str, list[Any]] = {"pages": [Page], "api": [Resource]}
    names = {"segments", "things"}

    def some(door: registry.Door) -> list[Any]:
        kept = [m for m in real(door) if getattr(getattr(m, "blueprint", None), "name", None) not in names]
        return kept + extra.get(door, [])

    monkeypatch.setattr(registry, "modules_of", some)
    app = create_app(settings, database)
    app.testing = True
    app.config.update(WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    return app


def test_every_answer_has_strict_headers(client: FlaskClient) -> None:
    for path in ("/login", "/nope", "/api/v1/nope", "/static/winback.css"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy and "*" not in policy
        for directive in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'",
                          "object-src 'none'", "frame-ancestors 'none'", "form-action 'self'"):
            assert directive in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Strict-Transport-Security" not in headers


def test_https_adds_strict_transport_and_a_secure_cookie(settings: Settings, database: Database) -> None:
    from dataclasses import replace

    app = create_app(replace(settings, base_url="https://winback.example"), database)
    response = app.test_client().get("/login", base_url="https://winback.example")
    assert "max-age=31536000" in response.headers["Strict-Transport-Security"]
    assert app.config["SESSION_COOKIE_SECURE"] is True
    assert response.headers["Set-Cookie"].startswith("__Host-winback=")


def test_a_preview_runs_no_script_and_may_be_framed_by_us_only() -> None:
    policy = preview_policy()
    assert "sandbox" in policy and "script-src 'none'" in policy and "frame-ancestors 'self'" in policy
    assert "style-src 'self' 'unsafe-inline'" in content_policy(style_src="'self' 'unsafe-inline'")


def test_pages_are_not_kept_by_the_browser(marketer: FlaskClient) -> None:
    assert marketer.get("/style-guide").headers["Cache-Control"] == "no-store"


def test_every_page_needs_a_login(app: Flask, client: FlaskClient) -> None:
    open_pages = {"login.form", "login.sign_in"}
    for rule in app.url_map.iter_rules():
        door = registry_doors(app).get(rule.endpoint.partition(".")[0])
        if door != "pages" or rule.endpoint in open_pages or rule.arguments:
            continue
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            response = client.open(rule.rule, method=method)
            assert response.status_code == 302, rule
            assert response.headers["Location"].startswith("/login"), rule


def registry_doors(app: Flask) -> dict[str, str]:
    found: registry.Registry = app.extensions["winback.registry"]
    return dict(found.doors)


def test_a_route_outside_the_doors_is_refused(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = _built(settings, database, monkeypatch)
    app.add_url_rule("/stray", "stray", lambda: "open")
    assert app.test_client().get("/stray").status_code == 403


@pytest.mark.parametrize(
    ("role", "save", "close"), [("admin", 200, 403), ("marketer", 200, 403), ("agent", 403, 200), ("analyst", 403, 403)]
)
def test_roles_decide_who_may_change(sign_in: Callable[..., FlaskClient], role: str, save: int, close: int) -> None:
    browser = sign_in(role)
    assert browser.get("/segments").status_code == 200
    assert browser.post("/segments").status_code == save
    assert browser.post("/calls/close").status_code == close


def test_who_changed_what_is_noted_with_the_change(marketer: FlaskClient, database: Database) -> None:
    marketer.post("/segments")
    with database.reading() as session:
        entry = session.scalars(select(AuditEntry)).one()
    assert (entry.verb, entry.thing, entry.detail) == ("segment.saved", "segment:vip", {"people": 3})
    assert entry.user_id is not None


def test_a_form_without_its_token_changes_nothing(app: Flask, marketer: FlaskClient, database: Database) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    response = marketer.post("/segments")
    assert response.status_code == 400
    assert "Reload the page" in response.get_data(as_text=True)
    with database.reading() as session:
        assert session.scalars(select(AuditEntry)).all() == []
    found = re.search(r'X-CSRFToken": "([^"]+)"', marketer.get("/style-guide").get_data(as_text=True))
    assert found
    assert marketer.post("/segments", headers={"X-CSRFToken": found[1]}).status_code == 200


def test_the_login_form_carries_a_token_too(app: Flask, client: FlaskClient) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    assert client.post("/login", data={"email": "a", "password": "b"}).status_code == 400
    assert 'name="csrf_token"' in client.get("/login").get_data(as_text=True)


def test_programs_need_no_form_token(app: Flask, client: FlaskClient, api_key: Callable[..., dict[str, str]]) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    assert client.post("/api/v1/things/", json={"size": 3}, headers=api_key("write")).json == {"size": 3}


def test_the_api_is_closed_without_a_key(client: FlaskClient) -> None:
    for header in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YTpi"}):
        response = client.get("/api/v1/things/", headers=header)
        assert response.status_code == 401
        assert response.mimetype == "application/problem+json"
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert response.json and response.json["reason"] == "unauthorised"


def test_a_session_cookie_opens_no_api(marketer: FlaskClient) -> None:
    assert marketer.get("/api/v1/things/").status_code == 401


@pytest.mark.parametrize(
    ("scope", "get", "post", "put"), [("read", 200, 403, 403), ("write", 403, 200, 403), ("redemptions", 403, 403, 200)]
)
def test_scopes_decide_what_a_key_may(
    client: FlaskClient, api_key: Callable[..., dict[str, str]], scope: str, get: int, post: int, put: int
) -> None:
    headers = api_key(scope)
    assert client.get("/api/v1/things/", headers=headers).status_code == get
    assert client.post("/api/v1/things/", json={"size": 1}, headers=headers).status_code == post
    assert client.put("/api/v1/things/", headers=headers).status_code == put


def test_json_never_holds_nan(client: FlaskClient, api_key: Callable[..., dict[str, str]]) -> None:
    text = client.get("/api/v1/things/", headers=api_key()).get_data(as_text=True)
    assert json.loads(text, parse_constant=lambda name: pytest.fail(name)) == {"rate": None, "n": 1}


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [("invalid", 400, "invalid"), ("missing", 404, "not_found"), ("conflict", 409, "conflict"),
     ("soon", 503, "not_ready"), ("slow", 503, "too_slow")],
)
def test_errors_reach_programs_as_problems(
    client: FlaskClient, api_key: Callable[..., dict[str, str]], kind: str, status: int, reason: str
) -> None:
    response = client.get(f"/api/v1/things/errors/{kind}", headers=api_key())
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    body = response.json
    assert body and (body["status"], body["reason"]) == (status, reason)
    assert body.get("place") == ("a.b" if kind == "invalid" else None)
    assert (response.headers.get("Retry-After") is not None) == (kind == "soon")


def test_a_malformed_body_is_400_with_its_place(client: FlaskClient, api_key: Callable[..., dict[str, str]]) -> None:
    headers = api_key()
    wrong = client.post("/api/v1/things/", json={"size": "big"}, headers=headers)
    assert wrong.status_code == 400
    assert wrong.json and (wrong.json["reason"], wrong.json["place"]) == ("invalid", "size")
    broken = client.post("/api/v1/things/", data="{", content_type="application/json", headers=headers)
    assert (broken.status_code, broken.json and broken.json["reason"]) == (400, "invalid")
    method = client.delete("/api/v1/things/", headers=headers)
    assert (method.status_code, method.json and method.json["reason"]) == (405, "method_not_allowed")
    assert "PUT" in method.headers["Allow"]


def test_people_get_a_page_with_what_where_and_the_way_out(marketer: FlaskClient) -> None:
    page = marketer.get("/conflict")
    text = page.get_data(as_text=True)
    assert page.status_code == 409
    assert "Jonas saved version 8 meanwhile" in text and "segment vip" in text and "Try again" in text
    missing = marketer.get("/nowhere")
    assert missing.status_code == 404
    assert "/nowhere" in missing.get_data(as_text=True) and 'href="/start"' in missing.get_data(as_text=True)


def test_an_htmx_request_gets_its_error_as_a_note(marketer: FlaskClient, client: FlaskClient) -> None:
    response = marketer.get("/conflict", headers={"HX-Request": "true"})
    assert response.status_code == 409
    assert (response.headers["HX-Retarget"], response.headers["HX-Reswap"]) == ("#toasts", "beforeend")
    assert "<html" not in response.get_data(as_text=True)
    assert client.get("/segments", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/login"


def test_an_unexpected_error_shows_nothing_of_our_insides(marketer: FlaskClient) -> None:
    response = marketer.get("/broken")
    assert response.status_code == 500
    text = response.get_data(as_text=True)
    assert "secret inside" not in text and "ZeroDivision" not in text and "Traceback" not in text


def test_a_body_beyond_the_limit_is_refused(client: FlaskClient, api_key: Callable[..., dict[str, str]]) -> None:
    response = client.post("/api/v1/things/", data=b"[" + b"1," * 9_000_000 + b"1]", headers=api_key(),
                           content_type="application/json")
    assert (response.status_code, response.json and response.json["reason"]) == (413, "too_large")


def test_the_side_bar_holds_pages_that_exist_with_their_number(marketer: FlaskClient) -> None:
    text = marketer.get("/style-guide").get_data(as_text=True)
    assert 'href="/segments"' in text and 'aria-label="Segments, 1,427"' in text
    assert "Hold-outs" not in text


def test_the_jump_box_finds_a_few_places(marketer: FlaskClient) -> None:
    body = marketer.get("/jump?q=vip").json
    assert body is not None
    ours = [item for item in body["items"] if item["hint"] == "segment"]
    assert ours[0] == {"label": "vip 0", "hint": "segment", "href": "/segments/0", "icon": "arrow-right"}
    assert len(ours) == 5
    assert marketer.get("/jump?q=").json == {"items": []}


def test_a_note_is_shown_once_and_escaped(marketer: FlaskClient) -> None:
    marketer.post("/segments")
    text = marketer.get("/style-guide").get_data(as_text=True)
    assert "Saved &lt;b&gt;vip&lt;/b&gt;." in text and 'action="/undo"' in text
    assert "Saved &lt;b&gt;" not in marketer.get("/style-guide").get_data(as_text=True)


def test_an_unknown_icon_fails_loudly_and_a_path_is_no_icon() -> None:
    assert "aria-hidden" in icon("home")
    assert 'aria-label="a&lt;b"' in icon("home", label="a<b")
    for name in ("no-such-icon", "../models", "LICENSE"):
        with pytest.raises(LookupError):
            icon(name)


def hand_written() -> list[Path]:
    return [path for path in OURS if not path.relative_to(WEB).as_posix().startswith(BUNDLES)]


@pytest.mark.parametrize("path", hand_written(), ids=lambda path: path.relative_to(WEB).as_posix())
def test_no_file_of_ours_loads_anything_from_another_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"""(?:https?:)?//[a-z0-9-]+\.[a-z]{2,}""", text) == []
    assert "system-ui" not in text and "@import" not in text and "@font-face" not in text


@pytest.mark.parametrize(
    "path", [path for path in hand_written() if path.suffix == ".html"],
    ids=lambda path: path.relative_to(WEB).as_posix(),
)
def test_no_template_has_inline_styles_scripts_or_handlers(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=\"|javascript:|\|\s*safe\b|hx-on", text) == []
    assert all(re.search(r"\ssrc=", tag) for tag in re.findall(r"<script[^>]*>", text))


def test_only_the_tokens_hold_a_colour() -> None:
    css = (WEB / "static" / "winback.css").read_text(encoding="utf-8")
    rules = css.split("*{box-sizing:border-box}", 1)[1]
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsl|oklch", rules) == []


def test_vendored_files_are_listed_with_version_and_licence() -> None:
    listed = (WEB / "static" / "vendor" / "README.md").read_text(encoding="utf-8")
    for folder in (WEB / "static" / "vendor").iterdir():
        if folder.is_dir():
            assert f"`{folder.name}/`" in listed
            assert any(folder.glob("LICENSE*")), folder
