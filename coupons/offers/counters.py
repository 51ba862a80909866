"""How are the counters that limits are decided on kept equal to the ledger?

Owns `recount` and what the ledger says of an offer: live redemptions and held reservations, for all, per customer and
per period. An offer's row is counted on only while it has a total limit or a budget, a customer's or period's row only
while there is such a limit: else every redemption of an offer would wait for one row. When a limit is set or changed
the counters are rebuilt here, under a lock on the offer's row that waits for redemptions under way.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    SQLColumnExpression,
    String,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    type_coerce,
    update,
)

from core.types import from_us
from coupons.models import LimitUse, Offer, Redemption, Reservation
from coupons.offers.limits import Limits, limits_of

OURS = and_(Redemption.history.is_(False), Redemption.uncounted.is_(False))
"""Rows of the ledger that counters know of; imported history and facts beyond a limit touched none."""
LIVE = and_(Redemption.state == "redeemed", OURS)
_KEPT_CENTS = Redemption.discount_cents - Redemption.rolled_back_cents
_OF_OFFER = and_(Redemption.offer_id == bindparam("offer"), OURS)
HELD = Reservation.state == "held"
"""A reservation that the counters hold; one whose time is over is held until its use is given back."""

ledger_used = func.count().filter(LIVE)
"""Live redemptions of the ledger rows selected."""


def ledger_spent(currency: SQLColumnExpression[str]) -> ColumnElement[int]:
    """Discounts still given, in the offer's own currency, of the ledger rows selected."""
    return func.coalesce(func.sum(case((Redemption.currency == currency, _KEPT_CENTS), else_=0)), 0)


_LOCK = select(Offer).where(Offer.id == bindparam("offer")).with_for_update()
_CURRENCY = bindparam("currency", type_=String())
_HELD_OF_OFFER = and_(Reservation.offer_id == bindparam("offer"), HELD)
_held_cents = case((Reservation.currency == _CURRENCY, Reservation.discount_cents), else_=0)
_COUNT_USED = select(ledger_used, ledger_spent(_CURRENCY)).where(_OF_OFFER)
_COUNT_HELD = select(func.count(), func.coalesce(func.sum(_held_cents), 0)).where(_HELD_OF_OFFER)
_SET_OFFER = update(Offer).where(Offer.id == bindparam("offer")).values(
    used=bindparam("used_now"), spent_cents=bindparam("spent_now"), reserved=bindparam("reserved_now"),
    reserved_cents=bindparam("reserved_cents_now"))
_FORGET_ROWS = delete(LimitUse).where(LimitUse.offer_id == bindparam("offer"))
_spent_cents = case((Redemption.currency == _CURRENCY, _KEPT_CENTS), else_=0)
_EACH_USED = select(Redemption.counted_as, type_coerce(Redemption.redeemed_at, BigInteger), _spent_cents).where(
    _OF_OFFER, LIVE)
_EACH_HELD = select(Reservation.counted_as, type_coerce(Reservation.reserved_at, BigInteger), _held_cents).where(
    _HELD_OF_OFFER)
_BY_WHO_USED = (
    select(Redemption.counted_as, func.count(), func.sum(_spent_cents))
    .where(_OF_OFFER, LIVE, Redemption.counted_as.is_not(None)).group_by(Redemption.counted_as))
_BY_WHO_HELD = (
    select(Reservation.counted_as, func.count(), func.sum(_held_cents))
    .where(_HELD_OF_OFFER, Reservation.counted_as.is_not(None)).group_by(Reservation.counted_as))

Place = tuple[str, str]
Counts = tuple[int, int, int, int]
"""Used, reserved, cents spent, cents reserved."""


def offer_counts(connection: Connection, offer_id: int, currency: str) -> Counts:
    """What the ledger says an offer's own counters should be."""
    asked = {"offer": offer_id, "currency": currency}
    used, spent = connection.execute(_COUNT_USED, asked).one()
    reserved, held = connection.execute(_COUNT_HELD, asked).one()
    return used, reserved, int(spent), int(held)


def row_counts(connection: Connection, offer_id: int, limits: Limits) -> dict[Place, Counts]:
    """What the ledger says the rows of customers and periods should be; empty when nothing is limited so."""
    found: dict[Place, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for first, counted in ((0, _used(connection, offer_id, limits)), (1, _held(connection, offer_id, limits))):
        for place, uses, cents in counted:
            found[place][first] += uses
            found[place][first + 2] += cents
    return {place: (counts[0], counts[1], counts[2], counts[3]) for place, counts in found.items()}


def _used(connection: Connection, offer_id: int, limits: Limits) -> Iterator[tuple[Place, int, int]]:
    return _counted(connection, offer_id, limits, _EACH_USED, _BY_WHO_USED)


def _held(connection: Connection, offer_id: int, limits: Limits) -> Iterator[tuple[Place, int, int]]:
    return _counted(connection, offer_id, limits, _EACH_HELD, _BY_WHO_HELD)


def _counted(connection: Connection, offer_id: int, limits: Limits, each: Select[*tuple[Any, ...]],
             by_who: Select[*tuple[Any, ...]]) -> Iterator[tuple[Place, int, int]]:
    asked = {"offer": offer_id, "currency": limits.currency}
    if limits.by_period:
        # Which day an instant belongs to depends on the zone, which only Python knows on both databases.
        for who, at_us, cents in connection.execute(each, asked):
            for row in limits.rows(who, from_us(at_us)):
                yield (row.who, row.period), 1, cents
    elif limits.per_customer is not None:
        for who, uses, cents in connection.execute(by_who, asked):
            yield (who, ""), uses, int(cents)


def newest_use(connection: Connection, offer_id: int, limits: Limits, place: Place) -> int:
    """When the newest use that a row of `limit_uses` counts was redeemed or reserved, in microseconds; 0: none."""
    asked = {"offer": offer_id, "currency": limits.currency}
    instants = [
        at_us for statement in (_EACH_USED, _EACH_HELD) for who, at_us, _cents in connection.execute(statement, asked)
        if any((row.who, row.period) == place for row in limits.rows(who, from_us(at_us)))]
    return max(instants, default=0)


def recount(connection: Connection, offer_id: int) -> None:
    """Rebuild the offer's counters from the ledger; counters of limits it does not have become 0 or go."""
    offer = connection.execute(_LOCK, {"offer": offer_id}).one()
    limits = limits_of(offer)
    counts = offer_counts(connection, offer_id, limits.currency) if limits.on_offer else (0, 0, 0, 0)
    connection.execute(_SET_OFFER, {
        "offer": offer_id, "used_now": counts[0], "reserved_now": counts[1], "spent_now": counts[2],
        "reserved_cents_now": counts[3]})
    rows = row_counts(connection, offer_id, limits)
    connection.execute(_FORGET_ROWS, {"offer": offer_id})
    if rows:
        connection.execute(insert(LimitUse), [
            {"offer_id": offer_id, "who": who, "period": period, "used": used, "reserved": reserved,
             "spent_cents": spent, "reserved_cents": held}
            for (who, period), (used, reserved, spent, held) in rows.items()])
