"""Which rows does a condition about orders, contacts, messages, coupons, events or relations look at?

Owns, per source, the table (or join), the column of the person, the column of time, and the SQL of each `where` word.
Cancelled orders never count, coupons rolled back by then never count as redeemed, and nothing later than `as_of` is
seen, window or none.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Table,
    and_,
    func,
    not_,
    or_,
    select,
    true,
    type_coerce,
)

from coupons.models import Code, Offer, Redemption
from customers.models import Contact, Event, Order, OrderLine, Organisation, Relation
from delivery.models import Message
from segments.compiling.summed import SUMS
from segments.dialects.instants import Cuts, instant
from segments.dialects.portable import attribute, in_words, property_text
from segments.language.conditions import Where
from segments.language.fields import LINE_WHERE
from segments.language.order_measures import ORDER_MEASURES
from segments.language.windows import Window

LINES: Table = OrderLine.__table__  # type: ignore[assignment]
ORDERS: Table = Order.__table__  # type: ignore[assignment]
CONTACTS: Table = Contact.__table__  # type: ignore[assignment]
MESSAGES: Table = Message.__table__  # type: ignore[assignment]
CODES: Table = Code.__table__  # type: ignore[assignment]
REDEMPTIONS: Table = Redemption.__table__  # type: ignore[assignment]
OFFERS: Table = Offer.__table__  # type: ignore[assignment]
EVENTS: Table = Event.__table__  # type: ignore[assignment]
RELATIONS: Table = Relation.__table__  # type: ignore[assignment]
ORGANISATIONS: Table = Organisation.__table__  # type: ignore[assignment]

_ORDER_WORDS = {"shop": "shop", "status": "status", "via": "ordered_via", "coupon": "coupon_code"}


@dataclass(frozen=True)
class Rows:
    """The rows of one source that count: where they stand, whose they are, when they happened, what must hold.

    `chosen`, for a share, singles out those that are the part; the others belong to the whole. `nth` and `order` name
    the one order of a person that the rows must belong to (segments/compiling/placing.py). `summed` rows hold a
    person's whole history in one (segments/compiling/summed.py): what others add up stands there.
    """

    origin: FromClause
    person: ColumnElement[Any]
    at: ColumnElement[Any]
    holds: tuple[ColumnElement[bool], ...]
    by_line: bool = False
    chosen: ColumnElement[bool] | None = None
    nth: int | None = None
    order: ColumnElement[Any] | None = None
    summed: bool = False

    @property
    def first_us(self) -> ColumnElement[int]:
        """When a person's first row was."""
        return type_coerce(SUMS.c.first_at if self.summed else func.min(self.at), BigInteger())

    @property
    def last_us(self) -> ColumnElement[int]:
        """When a person's last row was."""
        return type_coerce(SUMS.c.last_at if self.summed else func.max(self.at), BigInteger())


def rows_of(
    source: str, measures: Iterable[str], where: Where, window: Window | None, cuts: Cuts, *, nth: int | None = None
) -> Rows:
    """The rows that the measures of a source with this `where` and window are taken from."""
    names = list(measures)
    if source == "relations":
        return _related(where, cuts)
    rows = _orders(names, where) if source == "orders" else _others(source, names[0], where, cuts)
    until = instant(cuts, window.end if window else lambda as_of: as_of)
    holds = [*rows.holds, rows.at < until]
    if window is not None and not (window.kind == "dates" and window.from_at is None):
        holds.append(rows.at >= instant(cuts, lambda as_of: window.start(as_of) or as_of))
    return replace(rows, holds=tuple(holds), nth=nth)


def summed_rows(where: Where) -> Rows:
    """Everybody's whole history in one row each, whenever it was."""
    currency = where.get("currency")
    mine = (SUMS.c.any_currency,) if currency is None else (not_(SUMS.c.any_currency), SUMS.c.currency == currency[0])
    return Rows(SUMS, SUMS.c.customer_id, SUMS.c.last_at, mine, summed=True)


def _orders(measures: list[str], where: Where) -> Rows:
    words = where.names()
    by_line = bool(words & LINE_WHERE) or any(ORDER_MEASURES[name].lines for name in measures)
    table = LINES if by_line else ORDERS
    joined = by_line and any(word in _ORDER_WORDS for word in words)
    origin = LINES.join(ORDERS, ORDERS.c.id == LINES.c.order_id) if joined else table
    holds: list[ColumnElement[bool]] = []
    words_hold: list[ColumnElement[bool]] = []
    for word, values in where.words:
        column = ORDERS.c[_ORDER_WORDS[word]] if word in _ORDER_WORDS else table.c[word]
        (holds if word == "currency" else words_hold).append(in_words(column, values))
    if where.min_unit_price_cents is not None:
        words_hold.append(LINES.c.unit_price_cents >= where.min_unit_price_cents)
    share = any(ORDER_MEASURES[name].needs_where for name in measures)
    chosen = and_(true(), *words_hold) if share else None
    holds = [*([] if share else words_hold), *holds, not_(table.c.cancelled)]
    order = LINES.c.order_id if by_line else ORDERS.c.id
    return Rows(origin, table.c.customer_id, table.c.ordered_at, tuple(holds), by_line, chosen, order=order)


def _others(source: str, measure: str, where: Where, cuts: Cuts) -> Rows:
    if source == "events":
        return _happened(measure, where)
    if source == "contacts":
        table, at = CONTACTS, CONTACTS.c.at
    elif source == "messages":
        table, at = MESSAGES, MESSAGES.c[f"{measure}_at"]
    elif measure == "issued":
        table, at = CODES, CODES.c.issued_at
    else:
        table, at = REDEMPTIONS, REDEMPTIONS.c.redeemed_at
    holds = [_offer(table, values) if word == "offer" else in_words(table.c[word], values)
             for word, values in where.words]
    if table is REDEMPTIONS:
        now = instant(cuts, lambda as_of: as_of)
        holds.append(or_(table.c.state == "redeemed", table.c.rolled_back_at >= now))
    if table in (CODES, REDEMPTIONS):
        holds.append(table.c.customer_id.is_not(None))
    return Rows(table, table.c.customer_id, at, tuple(holds))


def _happened(name: str, where: Where) -> Rows:
    properties = [in_words(attribute(property_text, EVENTS.c.properties, key), values) for key, values in where.words]
    return Rows(EVENTS, EVENTS.c.customer_id, EVENTS.c.at, (EVENTS.c.name == name, *properties))


def _related(where: Where, cuts: Cuts) -> Rows:
    """The relations that hold at `as_of`: begun by then, and not over."""
    now = instant(cuts, lambda as_of: as_of)
    holds = [_organisation(values) if word == "organisation" else in_words(RELATIONS.c[word], values)
             for word, values in where.words]
    holds += [or_(RELATIONS.c.since_at.is_(None), RELATIONS.c.since_at <= now),
              or_(RELATIONS.c.until_at.is_(None), RELATIONS.c.until_at > now)]
    return Rows(RELATIONS, RELATIONS.c.customer_id, RELATIONS.c.since_at, tuple(holds))


def _organisation(words: Iterable[str]) -> ColumnElement[bool]:
    """The organisation is one of these, by its number or its name."""
    texts = list(words)
    named = or_(in_words(ORGANISATIONS.c.external_id, texts), in_words(ORGANISATIONS.c.name, texts))
    return RELATIONS.c.organisation_id.in_(select(ORGANISATIONS.c.id).where(named))


def _offer(table: Table, keys: Iterable[str]) -> ColumnElement[bool]:
    """The offer is one of these, by key; imported history knows its offer only by name."""
    texts = list(keys)
    ours = table.c.offer_id.in_(select(OFFERS.c.id).where(in_words(OFFERS.c.key, texts)))
    return ours if table is CODES else or_(ours, in_words(table.c.offer_name, texts))
