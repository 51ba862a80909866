"""Do the counters still say what the ledger says?

Owns the five invariants and `broken`, which `winback doctor coupons`, the nightly duty and the race tests ask. Every
sentence it returns is a broken promise: a limit passed by what is redeemed and reserved, an order with one code twice,
a redemption taken back otherwise than it was given, a counter unlike the ledger, a reservation held by nobody.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, or_, select

from core.types import to_us
from coupons.models import CancelledOrder, Code, LimitUse, Offer, Redemption, Reservation
from coupons.offers.counters import HELD, LIVE, OURS, Counts, Place, newest_use, offer_counts, row_counts
from coupons.offers.limits import Limits, limits_of

INVARIANTS = {
    "limits": "What is redeemed and what is reserved together pass no limit of a code, customer, period or budget.",
    "once": "One order of one shop uses a code at most once, and holds it at most once.",
    "rollback": "Taking back returns exactly what was given, and an order that was cancelled stays so.",
    "counters": "Every counter equals the sum of the ledger.",
    "lapse": "A reservation is held, or settled at an instant; never both, never neither.",
}

_UNDER_WAY = timedelta(minutes=1)


@dataclass(frozen=True)
class Broken:
    """One place where an invariant does not hold: which, and the sentence that says so."""

    invariant: str
    text: str


def drift(connection: Connection, *, limit: int = 100) -> list[str]:
    """What is wrong, one sentence each, at most `limit` of a kind; empty when all is well."""
    return [found.text for found in broken(connection, limit=limit)]


def broken(connection: Connection, *, limit: int = 100) -> list[Broken]:
    """Every place where one of the five invariants does not hold, at most `limit` of a kind."""
    return [
        *_of_codes(connection, limit), *_of_offers(connection, limit), *_of_orders(connection, limit),
        *_of_redemptions(connection, limit), *_of_reservations(connection, limit),
    ]


def _of_codes(connection: Connection, limit: int) -> list[Broken]:
    live = (select(Redemption.code_id, func.count().label("live")).where(LIVE)
            .group_by(Redemption.code_id).subquery())
    held = (select(Reservation.code_id, func.count().label("held")).where(HELD)
            .group_by(Reservation.code_id).subquery())
    counted, reserved = func.coalesce(live.c.live, 0), func.coalesce(held.c.held, 0)
    wanted_state = case((and_(Code.use_limit > 0, Code.used >= Code.use_limit), "redeemed"), else_="issued")
    rows = connection.execute(
        select(Code.code, Code.used, Code.reserved, Code.use_limit, Code.state, counted.label("live"),
               reserved.label("held"))
        .outerjoin(live, live.c.code_id == Code.id).outerjoin(held, held.c.code_id == Code.id)
        .where(or_(Code.used != counted, Code.reserved != reserved, Code.used + Code.reserved > Code.use_limit,
                   and_(Code.state.in_(("issued", "redeemed")), Code.state != wanted_state)))
        .order_by(Code.id).limit(limit))
    found = []
    for row in rows:
        text = (f"Code {row.code} counts {row.used} of {row.use_limit} uses and {row.reserved} reserved, as "
                f"{row.state}; the ledger has {row.live} and {row.held}.")
        found.append(Broken("limits" if row.live + row.held > row.use_limit else "counters", text))
    return found


def _of_offers(connection: Connection, limit: int) -> list[Broken]:
    found: list[Broken] = []
    for offer in connection.execute(select(Offer).order_by(Offer.id)):
        limits = limits_of(offer)
        if limits.on_offer:
            counts = (offer.used, offer.reserved, offer.spent_cents, offer.reserved_cents)
            found += _against(f"Offer {offer.key}", counts, offer_counts(connection, offer.id, limits.currency),
                              limits.total, limits.budget_cents)
        found += _of_rows(connection, offer, limits)
        if len(found) >= limit:
            break
    return found[:limit]


def _of_rows(connection: Connection, offer: Row[*tuple[Any, ...]], limits: Limits) -> list[Broken]:
    ledger = row_counts(connection, offer.id, limits)
    stored = {(row.who, row.period): (row.used, row.reserved, row.spent_cents, row.reserved_cents)
              for row in connection.execute(select(LimitUse).where(LimitUse.offer_id == offer.id))}
    nothing = (0, 0, 0, 0)
    most = {name[0]: (uses, cents) for name, uses, cents in limits.per_period}
    found: list[Broken] = []
    for place in sorted(ledger.keys() | stored.keys()):
        who, period = place
        name = f"Customer {who} of offer {offer.key}" if who else f"Period {period} of offer {offer.key}"
        counts = ledger.get(place, nothing)
        uses, cents = (limits.per_customer, None) if who else most.get(period[:1], (None, None))
        if _passed(counts, uses, cents) and not _accepted_since(connection, offer, limits, place):
            uses = cents = None  # the limit was lowered since; then no more are accepted
        found += _against(name, stored.get(place, nothing), counts, uses, cents)
    return found


def _accepted_since(connection: Connection, offer: Row[*tuple[Any, ...]], limits: Limits, place: Place) -> bool:
    """Whether a use was accepted after the offer was last saved; those under way just then do not count."""
    return newest_use(connection, offer.id, limits, place) > to_us(offer.updated_at + _UNDER_WAY)


def _passed(counts: Counts, uses: int | None, cents: int | None) -> bool:
    return (uses is not None and counts[0] + counts[1] > uses) or (cents is not None and counts[2] + counts[3] > cents)


def _against(name: str, stored: Counts, ledger: Counts, uses: int | None, cents: int | None) -> list[Broken]:
    found = []
    if stored != ledger:
        found.append(Broken("counters", (
            f"{name} counts {stored[0]} uses, {stored[1]} reserved, {stored[2]} cents and {stored[3]} cents reserved; "
            f"the ledger has {ledger[0]}, {ledger[1]}, {ledger[2]} and {ledger[3]}.")))
    if uses is not None and ledger[0] + ledger[1] > uses:
        found.append(Broken("limits", f"{name} was used {ledger[0]} times with {ledger[1]} reserved; "
                                      f"the limit is {uses}."))
    if cents is not None and ledger[2] + ledger[3] > cents:
        found.append(Broken("limits", f"{name} gave {ledger[2]} cents with {ledger[3]} reserved; "
                                      f"the budget is {cents}."))
    return found


def _of_orders(connection: Connection, limit: int) -> list[Broken]:
    # The indexes forbid it; somebody may have dropped one.
    twice = connection.execute(
        select(Redemption.shop, Redemption.order_ref, Redemption.code_id).where(OURS, Redemption.code_id.is_not(None))
        .group_by(Redemption.shop, Redemption.order_ref, Redemption.code_id).having(func.count() > 1).limit(limit))
    both = connection.execute(
        select(Reservation.public_id)
        .join(Redemption, and_(Redemption.shop == Reservation.shop, Redemption.order_ref == Reservation.order_ref,
                               Redemption.code_id == Reservation.code_id))
        # One that had lapsed by then may still wait to be freed.
        .where(HELD, LIVE, Reservation.expires_at > Redemption.redeemed_at).order_by(Reservation.id).limit(limit))
    return [*(Broken("once", f"Order {row.order_ref} of shop {row.shop or '-'} used one code more than once.")
              for row in twice),
            *(Broken("once", f"Reservation {row.public_id} is held for an order that has redeemed its code.")
              for row in both)]


def _of_redemptions(connection: Connection, limit: int) -> list[Broken]:
    beyond = connection.execute(
        select(Redemption.public_id).where(or_(
            Redemption.rolled_back_cents > Redemption.discount_cents,
            and_(Redemption.state == "rolled_back", Redemption.rolled_back_cents != Redemption.discount_cents),
            and_(Redemption.state == "redeemed", Redemption.discount_cents > 0,
                 Redemption.rolled_back_cents >= Redemption.discount_cents),
        )).order_by(Redemption.id).limit(limit))
    alive = connection.execute(
        select(Redemption.public_id)
        .join(CancelledOrder, and_(CancelledOrder.shop == Redemption.shop,
                                   CancelledOrder.order_ref == Redemption.order_ref))
        .where(LIVE).order_by(Redemption.id).limit(limit))
    return [*(Broken("rollback", f"Redemption {row.public_id} rolls back other than what was given.")
              for row in beyond),
            *(Broken("rollback", f"Redemption {row.public_id} stands although its order was cancelled.")
              for row in alive)]


def _of_reservations(connection: Connection, limit: int) -> list[Broken]:
    rows = connection.execute(
        select(Reservation.public_id, Reservation.state)
        .where(or_(and_(HELD, Reservation.settled_at.is_not(None)),
                   and_(Reservation.state != "held", Reservation.settled_at.is_(None)),
                   and_(Reservation.state == "spent", Reservation.settled_at >= Reservation.expires_at)))
        .order_by(Reservation.id).limit(limit))
    return [Broken("lapse", f"Reservation {row.public_id} is {row.state} at an instant that does not fit.")
            for row in rows]
