"""Settings: which programs journeys may call."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Conflict, Invalid
from delivery import receivers
from web.frame.toasts import toast
from web.pages.settings import blueprint
from web.requests.transactions import reading, request_now, writing
from web.requests.wired import settings
from web.security.access import needs_role
from web.security.audit import record


@blueprint.get("/settings/receivers")
@needs_role("admin")
def receiver_list() -> ResponseReturnValue:
    """The receivers, and what became of the calls to each."""
    return _page()


@blueprint.post("/settings/receivers")
@needs_role("admin")
def add_receiver() -> ResponseReturnValue:
    """Add one; its secret is shown once."""
    now, form = request_now(), request.form
    try:
        with writing() as session:
            found, secret = receivers.add_receiver(
                session, form.get("key", "").strip()[:200], name=form.get("name", ""), url=form.get("url", ""),
                secret_key=settings().secret_key, now=now)
            record(session, "receiver.added", f"receiver:{found.key}", now=now, url=found.url)
    except (Invalid, Conflict) as error:
        return _page(typed=form.to_dict(), wrong={error.place or "url": error.message}), 400
    return _page(secret=secret), 200, {"Cache-Control": "no-store"}


@blueprint.post("/settings/receivers/<key>")
@needs_role("admin")
def change_receiver(key: str) -> ResponseReturnValue:
    """Change name and address, switch it on or off, or make a new secret (`do`)."""
    now, form, do = request_now(), request.form, request.form.get("do", "save")
    key = key.replace("\x00", "")
    try:
        with writing() as session:
            if do == "secret":
                secret = receivers.new_secret(session, key, secret_key=settings().secret_key, now=now)
                record(session, "receiver.new_secret", f"receiver:{key[:100]}", now=now)
            elif do in ("on", "off"):
                receivers.save_receiver(session, key, active=do == "on", now=now)
                record(session, f"receiver.switched_{do}", f"receiver:{key[:100]}", now=now)
            else:
                found = receivers.save_receiver(session, key, name=form.get("name", ""), url=form.get("url", ""),
                                                now=now)
                record(session, "receiver.saved", f"receiver:{key[:100]}", now=now, url=found.url)
    except Invalid as error:
        return _page(changed=key, typed=form.to_dict(), wrong={error.place or "url": error.message}), 400
    if do == "secret":
        return _page(secret=secret), 200, {"Cache-Control": "no-store"}
    toast({"on": "Switched on.", "off": "Switched off. Calls to it fail at once from now on."}.get(
        do, "Saved. Calls that wait go to the new address."))
    return redirect(url_for("settings.receiver_list"))


def _page(
    *, secret: str | None = None, changed: str | None = None, typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
) -> str:
    with reading() as session:
        found = receivers.list_receivers(session)
        calls = receivers.calls_by_state(session)
    return render_template("pages/settings/receivers.html", receivers=found, calls=calls, secret=secret,
                           changed=changed, typed=typed or {}, wrong=wrong or {})
