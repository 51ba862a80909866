"""What stands on one customer's page beside the story?

Owns the five figures, the preferred channel with its evidence, the consents with their proof, codes, journeys,
relations and scores, as words and numbers ready to draw. Reads through the rooms' verbs only.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from coupons.codes.person import codes_of
from coupons.states import shown_state
from customers.models import Customer
from customers.people import Facts
from customers.relations import relations_of
from customers.scores.keeping import scores_of
from customers.story import LineSums
from delivery.person import contact_evidence
from delivery.policy import CHANNELS, verdicts
from delivery.preference import choose_channels
from journeys.telling.person import Passage
from segments.telling.kept import Kept
from web.frame.links import page_url
from web.frame.presentation import day, zone
from web.people.words import BASIS_WORDS, CHANNEL_ICONS, CHANNEL_WORDS, CONSENT_VERBS
from web.wording import formatting

SCORE_WORDS = {
    "rfm": ("RFM", "111 to 555"), "recency": ("Recency", "1 long ago, 5 lately"),
    "frequency": ("Frequency", "1 seldom, 5 often"), "monetary": ("Monetary", "1 little, 5 much"),
    "clv_12m": ("Value of the next 12 months", ""), "p_alive": ("Probability of still being a customer", "0 to 1"),
    "churn_risk": ("Risk of leaving", "0 to 1"),
}


def short_day(instant: datetime) -> str:
    """A date under its month's headline, which says the year: "9 Oct"."""
    return formatting.day(instant, today=formatting.local_date(instant, zone()), zone=zone())


def city(facts: Facts) -> str | None:
    """Where this person lives, as far as it is known."""
    letter = facts.addresses.get("letter")
    return letter.city if letter else None


def figures(facts: Facts, sums: LineSums, kept: Sequence[Kept], *, now: datetime) -> list[tuple[str, str, str]]:
    """The five figures: label, value, what stands under it."""
    orders = facts.order_count
    spent = " + ".join(formatting.money(cents, currency=currency) for currency, cents in facts.revenue_cents.items())
    since = ""
    if sums.first_order_at is not None:
        since = f" since {formatting.month(formatting.local_date(sums.first_order_at, zone()))}"
    last, ago = "never", ""
    if facts.last_order_at is not None:
        days = (formatting.local_date(now, zone()) - formatting.local_date(facts.last_order_at, zone())).days
        last = day(facts.last_order_at)
        ago = "today" if days == 0 else "yesterday" if days == 1 else f"{days:,} days ago"
    share = _returned_share(sums)
    return [
        ("Revenue so far", spent or formatting.money(0),
         f"{formatting.count(orders)} {'order' if orders == 1 else 'orders'}{since}"),
        _contribution(kept),
        ("Last order", last, ago),
        ("Sent back", f"{formatting.count(sums.returned_lines)} of {formatting.count(sums.lines)}",
         f"lines, {formatting.rate(share, decimals=0)} of value" if share is not None else "lines"),
        ("Open orders", formatting.count(sums.open_orders),
         "not delivered yet" if sums.open_orders else "nothing on its way"),
    ]


def _contribution(kept: Sequence[Kept]) -> tuple[str, str, str]:
    """What their orders left, as far as the shop told what the goods cost."""
    known = [(each.currency, each.margin_cents) for each in kept if each.margin_cents is not None]
    if not known or len(known) < len(kept):
        why = "VAT or cost of some lines is not known" if kept else "no orders yet"
        return "Contribution so far", formatting.NONE, why
    return ("Contribution so far", " + ".join(formatting.money(cents, currency=currency) for currency, cents in known),
            "after returns, VAT and cost")


def _returned_share(sums: LineSums) -> float | None:
    if len(sums.total_cents) != 1:
        return None
    [(currency, total)] = sums.total_cents.items()
    return sums.returned_cents.get(currency, 0) / total if total else None


def channel(session: Session, customer: Customer, *, now: datetime, secret_key: str) -> dict[str, Any]:
    """The channel that would be chosen now, and what that rests on."""
    choice = choose_channels(session.connection(), [customer.id], wish="preferred", allowed=CHANNELS, now=now,
                             secret_key=secret_key)[0]
    evidence = contact_evidence(session, customer.id, now=now)
    return {
        "choice": choice, "wish": customer.preferred_channel, "evidence": [
            (CHANNEL_WORDS[each.channel], each.share, formatting.count(each.contacts),
             formatting.rate(each.share, decimals=0), None, CHANNEL_ICONS[each.channel]) for each in evidence],
        "has_evidence": any(each.contacts for each in evidence),
        "is_inferred": any(each.contacts for each in evidence if each.channel == choice.channel),
    }


def consents(session: Session, facts: Facts, *, now: datetime, secret_key: str) -> list[dict[str, Any]]:
    """Per channel what may be done, and the newest statement with its proof."""
    answers = verdicts(session.connection(), [facts.customer.id] * len(CHANNELS), CHANNELS, message_class="marketing",
                       now=now, secret_key=secret_key)
    lines = []
    for channel, refused in zip(CHANNELS, answers, strict=True):
        said = next((each for each in facts.consents if each.channel == channel and each.at <= now), None)
        if said is None:
            why = "No objection" if channel == "letter" and refused is None else "Never asked"
        else:
            why = f"{CONSENT_VERBS.get(said.state, said.state)} on {day(said.at)}"
        parts = [why, *(part for part in (said.source, said.proof) if part)] if said else [why]
        if refused is not None and (said is None or said.state == "granted"):
            parts.append(refused)
        lines.append({
            "channel": channel, "word": CHANNEL_WORDS[channel], "icon": CHANNEL_ICONS[channel],
            "may": refused is None, "why": ", ".join(parts), "address": _address(facts, channel),
            "basis": BASIS_WORDS.get((said.basis or "") if said else "", ""),
        })
    return lines


def _address(facts: Facts, channel: str) -> str:
    address = facts.addresses.get(channel)
    if address is None:
        return ""
    if channel != "letter":
        return address.value
    return ", ".join(part for part in (address.value, f"{address.postal_code or ''} {address.city or ''}".strip(),
                                       address.country) if part)


def codes(session: Session, customer_id: int, *, now: datetime) -> list[dict[str, Any]]:
    """The newest codes and how they stand."""
    found = []
    for code, offer in codes_of(session, customer_id, limit=12):
        state = shown_state(code.state, code.valid_until, now=now)
        at = {"redeemed": code.redeemed_at, "revoked": code.revoked_at, "expired": code.valid_until}.get(state)
        when = day(at) if at else f"until {day(code.valid_until)}" if code.valid_until else ""
        found.append({"code": code.code, "offer": offer.name, "campaign": code.campaign, "state": state, "when": when,
                      "href": page_url("codes.show", code=code.code)})
    return found


def relations(session: Session, customer_id: int, *, now: datetime) -> list[dict[str, str]]:
    """What this person is to the shop: kind, organisation and role, and how long."""
    found = []
    for relation, organisation in relations_of(session, customer_id):
        since = f"since {day(relation.since_at)}" if relation.since_at else ""
        over = relation.until_at is not None and relation.until_at <= now
        until = f"until {day(relation.until_at)}" if relation.until_at else ""
        found.append({
            "kind": relation.kind[:1].upper() + relation.kind[1:].replace("_", " "),
            "what": ", ".join(part for part in (relation.role, organisation and organisation.name) if part),
            "when": " ".join(part for part in (since, until) if part), "state": "over" if over else ""})
    return found


def scores(session: Session, customer_id: int) -> list[tuple[str, str, str]]:
    """The scores of this person: name, value, what the value can be."""
    return [(SCORE_WORDS.get(score.name, (score.name.replace("_", " "), ""))[0], f"{score.value:,.6g}",
             SCORE_WORDS.get(score.name, ("", ""))[1]) for score in scores_of(session, customer_id)]


def passage_words(each: Passage) -> str:
    """One passage in a line."""
    mine = each.enrolment
    if mine.state == "excluded":
        return f"left out on {day(mine.entered_at)}, {each.why}"
    if mine.held_out:
        return f"left alone (hold-out) since {day(mine.entered_at)}"
    drawn = f"{mine.key}: " if mine.key else ""
    drawn += f"{mine.arm}, " if mine.arm else ""
    if mine.left_at is not None:
        return f"{drawn}left on {day(mine.left_at)}, {each.why}"
    return f"{drawn}inside since {day(mine.entered_at)}"
