"""How is a redemption or a refusal told in a row?

Owns the row that home, the offers' page and the feed share: when, who, what of, and what it took off or why it was
refused. Every row leads to the story of its code; a code that is none of ours leads to the search for codes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import url_for

from core.codes import grouped
from coupons.till.till import AtTheTill, TillSums
from web.frame.presentation import zone
from web.wording.formatting import clock_time, count, day, local_date, machine_time, money
from web.wording.states import FLAG_WORDS, refused_words


@dataclass(frozen=True)
class TillRow:
    """One row, in words; `clock` is the time of day on an earlier day. `look` is how `result` is drawn: "" taken off,
    "w" refused, "q" taken back; `why` tells why it was refused."""

    at: str
    clock: str
    machine: str
    what: str
    code: str
    href: str
    offer: str
    campaign: str
    order: str
    shop: str
    amount: str
    result: str
    why: str
    look: str
    odd: tuple[str, ...]


def till_rows(events: Sequence[AtTheTill], now: datetime, campaigns: Mapping[str, str] | None = None) -> list[TillRow]:
    """The feed as rows; `campaigns` gives the names of campaigns by their keys."""
    today = local_date(now, zone())
    return [_row(event, today == local_date(event.at, zone()), now, campaigns or {}) for event in events]


def _row(event: AtTheTill, is_today: bool, now: datetime, campaigns: Mapping[str, str]) -> TillRow:
    today = local_date(now, zone())
    code = event.display or grouped(event.code)
    href = url_for("codes.show", code=event.code) if event.known else url_for("codes.index", q=event.code)
    result, look = money(event.rolled_back_cents - event.discount_cents, currency=event.currency, exact=True), ""
    if event.outcome != "redeemed":
        result, look = ("refused", "w") if event.refused else ("taken back", "q")
    clock = clock_time(event.at, zone=zone())
    return TillRow(
        clock if is_today else day(event.at, today=today, zone=zone()), "" if is_today else clock,
        machine_time(event.at), event.name or f"Code {code}", code, href,
        event.offer or ("" if event.known else "none of our offers"),
        campaigns.get(event.campaign or "", event.campaign or ""), event.order_ref or "", event.shop,
        "" if event.amount_cents is None else money(event.amount_cents, currency=event.currency, exact=True),
        result, refused_words(event.refused) if event.refused else "", look,
        tuple(FLAG_WORDS.get(flag, flag) for flag in event.flags))


def sums_words(sums: TillSums) -> str:
    """A day's redemptions in one sentence: "Today 12 codes were redeemed for €345.10 off, and 3 were refused."."""
    if not sums.redeemed and not sums.refused:
        return "Today no code has been used yet."
    off = " and ".join(money(cents, currency=currency, exact=True)
                       for currency, cents in sorted(sums.discounts.items()))
    redeemed = (f"{count(sums.redeemed)} {'code was' if sums.redeemed == 1 else 'codes were'} redeemed for {off} off"
                if sums.redeemed else "no code was redeemed")
    tries = f"{count(sums.refused)} {'try was' if sums.refused == 1 else 'tries were'} refused"
    return f"Today {redeemed}" + (f", and {tries}." if sums.refused else ".")
