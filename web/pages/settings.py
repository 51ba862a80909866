"""Settings: who writes (the sender), who may work here, which programs may call, and what was changed."""

from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid
from delivery.profile import Profile, get_profile, is_saved, save_profile
from web.frame.paging import cursor
from web.frame.toasts import toast
from web.requests.transactions import reading, request_now, writing
from web.security.access import needs_role
from web.security.audit import record
from web.security.keys import SCOPES, issue_key, revoke_key
from web.security.logins import ROLES, add_user
from web.security.users import audit_trail, change_role, disable, enable, list_keys, list_users

blueprint = Blueprint("settings", __name__)

ROLE_WORDS = {"admin": "everything, people and keys too", "marketer": "plans, sends and reads",
              "agent": "works at the call desk", "analyst": "looks and changes nothing"}
SCOPE_WORDS = {"read": "look things up", "write": "report facts, change plans", "redemptions": "redeem codes"}
_TEXTS = ("shop_name", "shop_url", "address_lines", "country", "sender_name", "sender_address", "reply_to",
          "unsubscribe_mailto")


@blueprint.get("/settings")
def index() -> ResponseReturnValue:
    """The sender profile."""
    with reading() as session:
        profile, saved = get_profile(session), is_saved(session)
    return _sender(_texts(profile), saved=saved)


def _texts(profile: Profile) -> dict[str, str]:
    return {name: "\n".join(profile.address_lines) if name == "address_lines" else str(getattr(profile, name))
            for name in _TEXTS}


def _sender(texts: dict[str, str], *, saved: bool, wrong: dict[str, str] | None = None) -> str:
    return render_template("pages/settings/sender.html", texts=texts, saved=saved, wrong=wrong or {})


@blueprint.post("/settings")
def save() -> ResponseReturnValue:
    """Store the sender profile; what is wrong stands beside its field."""
    now = request_now()
    texts = {name: request.form.get(name, "")[:2000] for name in _TEXTS}
    lines = tuple(texts["address_lines"].splitlines())
    profile = Profile(**{**texts, "address_lines": lines})  # type: ignore[arg-type]
    try:
        with writing() as session:
            save_profile(session, profile, now=now)
            record(session, "sender.saved", "sender", now=now)
    except Invalid as error:
        return _sender(texts, saved=True, wrong={error.place or "": error.message}), 400
    toast("The sender is saved. New messages carry it.")
    return redirect(url_for("settings.index"))


@blueprint.get("/settings/people")
@needs_role("admin")
def people() -> ResponseReturnValue:
    """Everybody with a login."""
    return _people()


def _people(wrong: dict[str, str] | None = None) -> str:
    with reading() as session:
        users = list_users(session)
    return render_template("pages/settings/people.html", users=users, roles=ROLES, role_words=ROLE_WORDS,
                           wrong=wrong or {}, form=request.form)


@blueprint.post("/settings/people")
@needs_role("admin")
def add() -> ResponseReturnValue:
    """Add a person with a first password."""
    now, form = request_now(), request.form
    try:
        with writing() as session:
            user = add_user(session, _plain(form.get("email", "")), name=_plain(form.get("name", ""))[:200],
                            password=form.get("password", ""), role=form.get("role", ""), now=now)
            record(session, "person.added", f"user:{user.id}", now=now, role=user.role)
    except (Invalid, Conflict) as error:
        return _people({error.place or "email": error.message}), 400
    toast(f"{user.name} can sign in now.")
    return redirect(url_for("settings.people"))


def _plain(text: str) -> str:
    return "".join(letter for letter in text.strip()[:400] if letter >= " " and not 0xD800 <= ord(letter) < 0xE000)


@blueprint.post("/settings/people/<int:number>/<act>")
@needs_role("admin")
def change(number: int, act: str) -> ResponseReturnValue:
    """Change a role, take a login away, or give it back."""
    now = request_now()
    try:
        with writing() as session:
            said = _changed(session, number if number < 2**62 else 0, act, now)
            record(session, f"person.{said[0]}", f"user:{number}", now=now)
    except Conflict as error:
        toast(error.message, kind="refused")
    else:
        toast(said[1])
    return redirect(url_for("settings.people"))


def _changed(session: Session, number: int, act: str, now: datetime) -> tuple[str, str]:
    if act == "disable":
        return "disabled", f"{disable(session, number, now=now).name} can no longer sign in."
    if act == "enable":
        return "enabled", f"{enable(session, number).name} can sign in again."
    if act == "role":
        user = change_role(session, number, request.form.get("role", ""))
        return "role", f"{user.name} is {user.role} now and signs in again."
    raise Invalid("A person can be disabled, enabled, or given another role.")


@blueprint.get("/settings/keys")
@needs_role("admin")
def keys() -> ResponseReturnValue:
    """The keys of programs."""
    return _keys()


def _keys(*, shown: str | None = None, wrong: dict[str, str] | None = None) -> str:
    with reading() as session:
        found = list_keys(session)
    return render_template("pages/settings/keys.html", keys=found, scopes=SCOPES, scope_words=SCOPE_WORDS, shown=shown,
                           wrong=wrong or {}, form=request.form)


@blueprint.post("/settings/keys")
@needs_role("admin")
def make_key() -> ResponseReturnValue:
    """Make a key and show it, this once: it is in this answer and nowhere else."""
    now, name = request_now(), _plain(request.form.get("name", ""))[:200]
    shop = _plain(request.form.get("shop", "")) or None
    try:
        if not name:
            raise Invalid("Name the program that will use it, for example the shop's till.", place="name")
        with writing() as session:
            key = issue_key(session, name, scopes=request.form.getlist("scope"), now=now, shop=shop)
            record(session, "key.made", f"key:{key.split('_')[1]}", now=now, name=name,
                   **({"shop": shop} if shop else {}))
    except Invalid as error:
        return _keys(wrong={error.place or "name": error.message}), 400
    return _keys(shown=key), 200, {"Cache-Control": "no-store"}


@blueprint.post("/settings/keys/<lookup>/revoke")
@needs_role("admin")
def revoke(lookup: str) -> ResponseReturnValue:
    """Make a key useless from now on."""
    now = request_now()
    with writing() as session:
        revoke_key(session, lookup[:16], now=now)
        record(session, "key.revoked", f"key:{lookup[:16]}", now=now)
    toast("The key is revoked. Programs that use it are refused from now on.")
    return redirect(url_for("settings.keys"))


@blueprint.get("/settings/audit")
@needs_role("admin")
def audit() -> ResponseReturnValue:
    """What was changed, by whom."""
    before = cursor(request.args.get("after")) or None
    with reading() as session:
        lines, following = audit_trail(session, before=before)
    following_url = url_for("settings.audit", after=following) if following else None
    return render_template("pages/settings/audit.html", lines=lines, next_href=following_url,
                           first_href=url_for("settings.audit") if before else None)


@blueprint.context_processor
def _tabs() -> dict[str, Any]:
    return {"setting_tabs": [
        ("Sender", url_for("settings.index"), request.endpoint in ("settings.index", "settings.save")),
        ("Left out", url_for("settings.standing"), (request.endpoint or "").endswith(("standing", "_one"))),
        ("House rules", url_for("settings.house_rules"), request.endpoint == "settings.house_rules"),
        ("People", url_for("settings.people"), request.endpoint in ("settings.people", "settings.add")),
        ("API keys", url_for("settings.keys"), request.endpoint in ("settings.keys", "settings.make_key")),
        ("Quiet hours", url_for("settings.contact"), (request.endpoint or "").endswith(".contact")
         or request.endpoint == "settings.save_contact"),
        ("Programs", url_for("settings.receiver_list"), "receiver" in (request.endpoint or "")),
        ("Left alone", url_for("settings.left_alone"), request.endpoint in ("settings.left_alone",
                                                                             "settings.set_left_alone")),
        ("Audit trail", url_for("settings.audit"), request.endpoint == "settings.audit"),
    ]}
