"""Settings: the rules by which this house plans, and what its channels cost."""

from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from campaigns.costs import Price, Tier
from campaigns.house import House, house, save_house
from campaigns.problems import InvalidPlan, Problem, insist
from core.errors import Invalid
from delivery.policy import CHANNELS
from web.campaigns.messages import CHANNELS as CHANNEL_WORDS
from web.frame.toasts import toast
from web.pages.settings import blueprint
from web.requests.transactions import reading, request_now, writing
from web.security.access import needs_role
from web.security.audit import record
from web.wording.amounts import read_cents, read_decimal, read_whole, written_cents

CURRENCY = "EUR"


@blueprint.get("/settings/house")
@needs_role("admin")
def house_rules() -> ResponseReturnValue:
    """Whether campaigns need a second person's approval, and what the channels cost."""
    with reading() as session:
        return _page(_typed(house(session)), {})


@blueprint.post("/settings/house")
@needs_role("admin")
def save_house_rules() -> ResponseReturnValue:
    """Change the rules of the house; what is wrong stands beside its field."""
    now, form = request_now(), request.form
    try:
        changed = _read(form)
        with writing() as session:
            saved = save_house(session, now=now, **changed)
            record(session, "house.saved", "house", now=now, approval_required=saved.approval_required,
                   margin_rate=saved.margin_rate, prices={name: each.to_json() for name, each in saved.prices.items()},
                   print_lead_days=saved.print_lead_days)
    except InvalidPlan as error:
        return _page(form.to_dict(), {problem.place: f"{problem.message} {problem.fix}".strip()
                                      for problem in error.problems}), 400
    toast("Saved. Nothing is published without an approval from now on." if saved.approval_required
          else "Saved. Campaigns go out without an approval, but those that switch a standing exclusion off.")
    return redirect(url_for("settings.house_rules"))


def _page(typed: dict[str, str], wrong: dict[str, str]) -> str:
    return render_template("pages/settings/house.html", typed=typed, wrong=wrong,
                           channels=[(name, words) for name, words in CHANNEL_WORDS if name in CHANNELS])


def _typed(rules: House) -> dict[str, str]:
    """The rules as the form shows them."""
    found = {"approval_required": "yes" if rules.approval_required else "",
             "print_lead_days": str(rules.print_lead_days or ""),
             "margin": "" if rules.margin_rate is None else f"{100 * rules.margin_rate:g}"}
    for channel, price in rules.prices.items():
        found |= {f"{channel}.unit": _amount(price.unit_cents), f"{channel}.setup": _amount(price.setup_cents),
                  f"{channel}.tiers": "; ".join(f"{tier.pieces}: {_amount(tier.unit_cents)}" for tier in price.tiers)}
    return found


def _amount(cents: int) -> str:
    return written_cents(cents, currency=CURRENCY)


def _read(form: MultiDict[str, str]) -> dict[str, Any]:
    """The typed rules; raises InvalidPlan with every field that cannot be read."""
    problems: list[Problem] = []

    def cents(text: str, place: str) -> int:
        try:
            return read_cents(text, currency=CURRENCY) if text.strip() else 0
        except Invalid as error:
            problems.append(Problem(place, error.message, ""))
            return 0

    margin = None
    try:
        margin = float(read_decimal(form["margin"])) / 100 if form.get("margin", "").strip() else None
    except Invalid as error:
        problems.append(Problem("margin_rate", error.message, ""))
    prices = {}
    for channel in CHANNELS:
        unit, setup = (cents(form.get(f"{channel}.{name}", "")[:40], f"{channel}.{name}") for name in ("unit", "setup"))
        prices[channel] = Price(unit, setup, _tiers(form.get(f"{channel}.tiers", "")[:400], channel, problems))
    lead = form.get("print_lead_days", "").strip()
    if lead and not (lead.isascii() and lead.isdigit() and len(lead) < 4):
        problems.append(Problem("print_lead_days", "This is not a number of days.", "Write a whole number, such as 3."))
    insist(problems)
    return {"approval_required": bool(form.get("approval_required")), "margin_rate": margin, "prices": prices,
            "print_lead_days": int(lead or 0)}


def _tiers(text: str, channel: str, problems: list[Problem]) -> tuple[Tier, ...]:
    """Tiers as typed: "1000: 0.85; 5000: 0.79"."""
    found = []
    try:
        for part in filter(None, (piece.strip() for piece in text.split(";"))):
            pieces, colon, price = part.partition(":")
            if not colon:
                raise Invalid("Write each tier as pieces: price, for example 1000: 0.85; 5000: 0.79.")
            found.append(Tier(read_whole(pieces.strip()), read_cents(price.strip(), currency=CURRENCY)))
    except Invalid as error:
        problems.append(Problem(f"{channel}.tiers", error.message, ""))
    return tuple(found)
