"""Settings: at which hours and how often customers may hear from this house."""

from collections.abc import Mapping
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from core.errors import Invalid
from delivery.contact_rules import Most, Rules, contact_rules, rules_body, save_contact_rules
from delivery.policy import CHANNELS
from web.campaigns.messages import CHANNELS as CHANNEL_WORDS
from web.frame.toasts import toast
from web.pages.settings import blueprint
from web.requests.transactions import reading, request_now, writing
from web.security.access import needs_role, person
from web.security.audit import record

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@blueprint.get("/settings/contact")
@needs_role("admin")
def contact() -> ResponseReturnValue:
    """Quiet hours and caps, per channel and together."""
    with reading() as session:
        return _page(_typed(contact_rules(session.connection())), {})


@blueprint.post("/settings/contact")
@needs_role("admin")
def save_contact() -> ResponseReturnValue:
    """Change them; they hold for every message that has not left the house."""
    now, who = request_now(), person()
    try:
        with writing() as session:
            saved = save_contact_rules(session, _read(request.form), author=who.name if who else None, now=now)
            record(session, "contact_rules.saved", "contact-rules", now=now, **rules_body(saved))
    except Invalid as error:
        return _page({**request.form.to_dict(), **{name: "on" for name in request.form if ".day" in name}},
                     {error.place or "zone": error.message}), 400
    toast("Saved. Messages that have to wait stay in the queue and go out afterwards.")
    return redirect(url_for("settings.contact"))


def _page(typed: Mapping[str, str], wrong: dict[str, str]) -> str:
    return render_template("pages/settings/contact.html", typed=typed, wrong=wrong, days=DAYS,
                           channels=[(name, words) for name, words in CHANNEL_WORDS if name in CHANNELS])


def _typed(rules: Rules) -> dict[str, str]:
    """The rules as the form shows them."""
    found = {"zone": rules.zone, "rest_for_service": "yes" if rules.rest_for_service else ""}
    found |= _cap("together", rules.together)
    for channel, each in rules.channels.items():
        if each.rest_from is not None and each.rest_until is not None:
            found |= {f"{channel}.from": f"{each.rest_from:%H:%M}", f"{channel}.until": f"{each.rest_until:%H:%M}"}
        found |= _cap(channel, each.most) | {f"{channel}.day{day}": "on" for day in each.rest_days}
    return found


def _cap(name: str, most: Most | None) -> dict[str, str]:
    return {} if most is None else {f"{name}.count": str(most.count), f"{name}.days": str(most.days)}


def _read(form: MultiDict[str, str]) -> dict[str, Any]:
    """The typed rules as JSON; raises Invalid at a number that is none."""
    def cap(name: str) -> dict[str, int] | None:
        texts = [form.get(f"{name}.{part}", "").strip()[:10] for part in ("count", "days")]
        if not any(texts):
            return None
        if not all(text.isascii() and text.isdigit() for text in texts):
            raise Invalid("Use two whole numbers: how many messages, in how many days.",
                          place="together" if name == "together" else f"channels.{name}.most")
        return {"count": int(texts[0]), "days": int(texts[1])}

    def rest(channel: str) -> dict[str, str] | None:
        ends = [form.get(f"{channel}.{part}", "").strip()[:10] for part in ("from", "until")]
        return {"from": ends[0], "until": ends[1]} if any(ends) else None

    return {"zone": form.get("zone", "").strip()[:60] or "UTC", "together": cap("together"),
            "rest_for_service": bool(form.get("rest_for_service")),
            "channels": {channel: {"rest": rest(channel), "most": cap(channel),
                                   "rest_days": [day for day in range(7) if form.get(f"{channel}.day{day}")]}
                         for channel in CHANNELS}}
