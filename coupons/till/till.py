"""What happens at the till, newest first?

Owns the feed of redemptions and refusals as one list with who, what and why, its filters and its pages, and the sums of
a day. The promise: accepted and refused stand side by side; walking on never shows one twice or leaves one out; history
that was imported is left out, for it did not happen here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, false, func, or_, select, true, type_coerce
from sqlalchemy.orm import Session

from core.errors import Invalid
from core.types import to_us
from coupons.codes.showing import read_by_people
from coupons.models import Code, Offer, Redemption, Refusal
from customers.models import Customer
from customers.people import display_name

OUTCOMES = ("redeemed", "rolled_back", "refused")
_REDEEMED, _REFUSED = 0, 1


@dataclass(frozen=True)
class AtTheTill:
    """One redemption or refusal. `amount_cents` is the order before the discount, None when unknown; `refused` is the
    reason of a refusal; `known` says whether the code is one of ours and `display` how people read it then; `place` is
    where it stands in the list."""

    at: datetime
    customer: str | None
    name: str | None
    offer: str | None
    campaign: str | None
    code: str
    amount_cents: int | None
    discount_cents: int
    currency: str
    refused: str | None
    rolled_back: bool = False
    rolled_back_cents: int = 0
    known: bool = True
    shop: str = ""
    order_ref: str | None = None
    flags: tuple[str, ...] = ()
    redemption: str | None = None
    offer_key: str | None = None
    place: str = ""
    display: str | None = None

    @property
    def outcome(self) -> str:
        """One of OUTCOMES."""
        return "refused" if self.refused else "rolled_back" if self.rolled_back else "redeemed"


@dataclass(frozen=True)
class TillFilter:
    """What of the feed is asked for; None: everything. `offer` and `campaign` are keys, `shop` is a label."""

    offer: str | None = None
    campaign: str | None = None
    shop: str | None = None
    outcome: str | None = None


@dataclass(frozen=True)
class TillSums:
    """What a stretch of time brought: redemptions, refusals, and the discount that stands, in cents by currency."""

    redeemed: int
    refused: int
    discounts: Mapping[str, int]


def at_the_till(
    session: Session, asked: TillFilter, *, after: str | None = None, limit: int = 50
) -> tuple[list[AtTheTill], str | None]:
    """The feed, newest first, and where the next page begins (None: no more).

    Raises Invalid for an outcome that does not exist and for a place that is none.
    """
    if asked.outcome is not None and asked.outcome not in OUTCOMES:
        raise Invalid(f"Use one of {', '.join(OUTCOMES)}.", place="outcome")
    cursor = None if after is None else _read_place(after)
    found: list[AtTheTill] = []
    if asked.outcome != "refused":
        found += _redeemed(session, asked, cursor, limit + 1)
    if asked.outcome in (None, "refused"):
        found += _refused(session, asked, cursor, limit + 1)
    found.sort(key=lambda event: _order(event.place))
    return found[:limit], found[limit - 1].place if len(found) > limit else None


def latest(session: Session, *, limit: int = 10, campaign: str | None = None) -> list[AtTheTill]:
    """What happened last at the till, newest first."""
    return at_the_till(session, TillFilter(campaign=campaign), limit=limit)[0]


def till_sums(session: Session, asked: TillFilter, *, since: datetime) -> TillSums:
    """What happened since an instant, in numbers; the outcome asked for does not matter to it."""
    plain = replace(asked, outcome=None)
    redeemed = session.execute(_of_redemptions(plain).with_only_columns(
        Redemption.currency, func.count(), func.sum(Redemption.discount_cents - Redemption.rolled_back_cents))
        .where(Redemption.redeemed_at >= since, Redemption.state == "redeemed").group_by(Redemption.currency)).all()
    refused = session.scalar(_of_refusals(plain).with_only_columns(func.count()).where(Refusal.at >= since)) or 0
    return TillSums(sum(row[1] for row in redeemed), refused, {row[0]: int(row[2]) for row in redeemed})


def _redeemed(session: Session, asked: TillFilter, cursor: "tuple[int, int, int] | None", limit: int
              ) -> list[AtTheTill]:
    statement = _of_redemptions(asked)
    if asked.outcome is not None:
        statement = statement.where(Redemption.state == asked.outcome)
    if cursor is not None:
        statement = statement.where(_further(Redemption.redeemed_at, Redemption.id, _REDEEMED, cursor))
    rows = session.execute(statement.order_by(Redemption.redeemed_at.desc(), Redemption.id.desc()).limit(limit))
    return [
        AtTheTill(row.redeemed_at, *_who(customer), offer.name if offer else row.offer_name, row.campaign,
                  row.code_text, row.order_total_cents, row.discount_cents, row.currency, None,
                  row.state == "rolled_back", row.rolled_back_cents, row.code_id is not None, row.shop, row.order_ref,
                  tuple(row.flags.split()), row.public_id, offer.key if offer else None,
                  _place(row.redeemed_at, _REDEEMED, row.id), read_by_people(code, spelling))
        for row, customer, offer, code, spelling in rows]


def _refused(session: Session, asked: TillFilter, cursor: "tuple[int, int, int] | None", limit: int
             ) -> list[AtTheTill]:
    statement = _of_refusals(asked)
    if cursor is not None:
        statement = statement.where(_further(Refusal.at, Refusal.id, _REFUSED, cursor))
    rows = session.execute(statement.order_by(Refusal.at.desc(), Refusal.id.desc()).limit(limit))
    return [
        AtTheTill(row.at, *_who(customer), offer.name if offer else None, row.campaign, row.code_text,
                  row.order_total_cents, 0, row.currency or (offer.currency if offer else "EUR"), row.reason,
                  known=row.code_id is not None, shop=row.shop, order_ref=row.order_ref,
                  offer_key=offer.key if offer else None, place=_place(row.at, _REFUSED, row.id),
                  display=read_by_people(code, spelling))
        for row, customer, offer, code, spelling in rows]


def _of_redemptions(asked: TillFilter) -> Select[*tuple[Any, ...]]:
    statement: Select[*tuple[Any, ...]] = (
        select(Redemption, Customer, Offer, Code.code, Code.written)
        .outerjoin(Offer, Offer.id == Redemption.offer_id).outerjoin(Code, Code.id == Redemption.code_id)
        .outerjoin(Customer, Customer.id == func.coalesce(Redemption.customer_id, Redemption.redeemer_id))
        .where(Redemption.history.is_(False)))
    return _chosen(statement, asked, Redemption.campaign == asked.campaign, Redemption.shop == asked.shop)


def _of_refusals(asked: TillFilter) -> Select[*tuple[Any, ...]]:
    statement: Select[*tuple[Any, ...]] = (
        select(Refusal, Customer, Offer, Code.code, Code.written).outerjoin(Code, Code.id == Refusal.code_id)
        .outerjoin(Offer, Offer.id == Code.offer_id)
        .outerjoin(Customer, Customer.id == func.coalesce(Code.customer_id, Refusal.customer_id)))
    return _chosen(statement, asked, Refusal.campaign == asked.campaign, Refusal.shop == asked.shop)


def _chosen(statement: Select[*tuple[Any, ...]], asked: TillFilter, of_campaign: ColumnElement[bool],
            of_shop: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    if asked.offer is not None:
        statement = statement.where(Offer.key == asked.offer)
    if asked.campaign is not None:
        statement = statement.where(of_campaign)
    return statement if asked.shop is None else statement.where(of_shop)


def _who(customer: Customer | None) -> tuple[str | None, str | None]:
    return (None, None) if customer is None else (customer.external_id, display_name(customer))


def _place(at: datetime, kind: int, number: int) -> str:
    return f"{to_us(at)}-{kind}-{number}"


def _read_place(text: str) -> tuple[int, int, int]:
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in parts):
        raise Invalid("Use the value that the page before gave as next.", place="after")
    return int(parts[0]), int(parts[1]), int(parts[2])


def _order(place: str) -> tuple[int, int, int]:
    """Newest first; at one instant redemptions before refusals, the later written ones before the earlier."""
    at_us, kind, number = _read_place(place)
    return -at_us, kind, -number


def _further(at: Any, number: Any, kind: int, cursor: tuple[int, int, int]) -> ColumnElement[bool]:
    """What stands after the cursor in that order."""
    at_us, of_kind, of_number = cursor
    stamp = type_coerce(at, BigInteger)
    same = number < of_number if kind == of_kind else true() if kind > of_kind else false()
    return and_(stamp <= at_us, or_(stamp < at_us, same))
