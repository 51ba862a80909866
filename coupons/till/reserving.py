"""How is a use of a code held for a basket until the customer has paid?

Owns reservations: made, renewed, spent by redeeming the same order, released, or lapsed with time. The promise: what is
redeemed and what is reserved together never pass a limit; a reservation counts until its instant and not a moment
longer: whoever is refused because of lapsed ones frees them and asks again. One order holds one use of a code, however
often it asks. Rows are locked before the code's, so that lapsing and redeeming never wait for each other in a ring.
"""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Connection, bindparam, insert, select, type_coerce, update
from sqlalchemy.dialects import postgresql, sqlite

from core.database import Database
from core.errors import Conflict, NotFound
from core.group_commit import Shared
from core.hot import Hot
from core.types import from_us, to_us
from coupons.codes.showing import instant_text
from coupons.locking import in_turn, lock_order
from coupons.models import Offer, Refusal, Reservation
from coupons.offers.limits import Limits, limits_of
from coupons.refusals import Refused
from coupons.till.deciding import (
    Situation,
    basket_for,
    look,
    named_customers,
    propose,
    use_of,
)
from coupons.till.requests import Answer, RedemptionRequest
from coupons.till.taking import Hold, Use, give_back, lock_code, take

T = TypeVar("T")

LONGEST_SECONDS = 7 * 86_400
_ATTEMPTS = 4
_LAPSES_AT_ONCE = 200

_COLUMNS = (
    Reservation.id, Reservation.code_id, Reservation.offer_id, Reservation.counted_as, Reservation.discount_cents,
    Reservation.currency, type_coerce(Reservation.reserved_at, BigInteger),
    type_coerce(Reservation.expires_at, BigInteger), Reservation.public_id, Reservation.state,
    Reservation.shop,
)
_OF_ORDER = select(*_COLUMNS).where(
    Reservation.shop == bindparam("shop"), Reservation.order_ref == bindparam("order_ref"),
    Reservation.code_id == bindparam("code_id"), Reservation.state == "held", Reservation.expires_at > bindparam("at"))
_BY_NAME = select(*_COLUMNS).where(
    Reservation.public_id == bindparam("public_id"), Reservation.code_id == bindparam("code_id"),
    Reservation.state == "held", Reservation.expires_at > bindparam("at"))
_FIND = {False: (Hot(_OF_ORDER), Hot(_BY_NAME)),
         True: (Hot(_OF_ORDER.with_for_update()), Hot(_BY_NAME.with_for_update()))}
_LOCK_ANY = Hot(select(*_COLUMNS).where(Reservation.public_id == bindparam("public_id")).with_for_update())
_LOCK_LAPSED = Hot(select(*_COLUMNS).where(
    Reservation.id == bindparam("reservation"), Reservation.state == "held",
    Reservation.expires_at <= bindparam("at")).with_for_update())
_SETTLE = Hot(
    update(Reservation).where(Reservation.id == bindparam("reservation"), Reservation.state == "held")
    .values(state=bindparam("new_state"), settled_at=bindparam("at")))
_RENEW = Hot(
    update(Reservation).where(Reservation.id == bindparam("reservation"), Reservation.state == "held")
    .values(expires_at=bindparam("until"), reserved_at=bindparam("at"), discount_cents=bindparam("discount"),
            currency=bindparam("money"), counted_as=bindparam("who")))
_SHOWN = select(Reservation).where(Reservation.public_id == bindparam("public_id"))
_OFFER = select(Offer).where(Offer.id == bindparam("offer")).with_for_update(read=True, key_share=True)
_LAPSED = (
    select(Reservation.id)
    .where(Reservation.state == "held", Reservation.expires_at <= bindparam("at"))
    .order_by(Reservation.expires_at, Reservation.id).limit(bindparam("most")))
_LAPSED_OF_OFFER = _LAPSED.where(Reservation.offer_id == bindparam("offer"))


def _insert(dialect_insert: Any) -> Any:
    return dialect_insert(Reservation).on_conflict_do_nothing().execution_options(preserve_rowcount=True).inline()


_WRITE = {"sqlite": _insert(sqlite.insert), "postgresql": _insert(postgresql.insert)}


class HoldsLapsed(Exception):
    """Raised by a decision that would refuse for want of uses which lapsed reservations of this offer still hold."""

    def __init__(self, offer_id: int) -> None:
        super().__init__(f"lapsed reservations of offer {offer_id} are counted")
        self.offer_id = offer_id


def deciding(database: Database, job: Callable[[Connection], T], *, now: datetime, shared: Shared | None = None) -> T:
    """Run a decision in a transaction of its own; uses that lapsed reservations hold are freed first where it matters.

    The job is run again from the start then: what it had written was taken back with its transaction. `shared`: see
    `Database.small`.
    """
    while True:
        try:
            return in_turn(database, job, shared=shared)
        except HoldsLapsed as lapsed:
            free_lapsed(database, now=now, offer_id=lapsed.offer_id)


def asking(database: Database, job: Callable[[Connection], T], *, now: datetime) -> T:
    """Run a question that changes nothing; as `deciding`, lapsed reservations are not counted."""
    while True:
        try:
            with database.reading() as session:
                return job(session.connection())
        except HoldsLapsed as lapsed:
            free_lapsed(database, now=now, offer_id=lapsed.offer_id)


def beware_of_lapsed(connection: Connection, refused: Refused, situation: Situation, *, now: datetime) -> None:
    """Raise HoldsLapsed when this refusal may be owed to reservations whose time is over."""
    if refused.reason in ("limit_reached", "budget_exhausted") and connection.execute(
            _LAPSED_OF_OFFER, {"at": to_us(now), "most": 1, "offer": situation.offer_id}).first() is not None:
        raise HoldsLapsed(situation.offer_id)


def hold_for(connection: Connection, situation: Situation, request: RedemptionRequest, *, now: datetime,
             lock: bool = True) -> Hold | None:
    """The live reservation that this order has of this code, or the one the request names; locked unless only asked."""
    if situation.reserved == 0:
        return None
    of_order, by_name = _FIND[lock]
    asked = {"code_id": situation.code_id, "at": to_us(now)}
    row = None
    if request.reservation is not None:
        row = by_name.row(connection, {**asked, "public_id": request.reservation})
    if row is None:
        row = of_order.row(connection, {**asked, "shop": request.shop, "order_ref": request.order.id})
    return None if row is None else _hold(row, situation.offer.limits)


def _hold(row: tuple[Any, ...], limits: Limits) -> Hold:
    reservation_id, code_id, offer_id, who, cents, currency, reserved_us = row[:7]
    reserved_at = from_us(reserved_us)
    return Hold(reservation_id, reserved_at, Use(
        code_id=code_id, offer_id=offer_id, who=who, rows=limits.rows(who, reserved_at),
        offer_is_limited=limits.on_offer, cents=cents if currency == limits.currency else 0))


def spend(connection: Connection, hold: Hold, *, now: datetime) -> None:
    """Note that a redemption took the place of this reservation; the caller moved the counters with `take(hold=)`."""
    _SETTLE.count(connection, {"reservation": hold.reservation_id, "new_state": "spent", "at": to_us(now)})


def reserve(
    connection: Connection, request: RedemptionRequest, *, ttl_seconds: int, now: datetime,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> Answer:
    """Hold one use of the code for this order for `ttl_seconds`: 201 with id and expires_at, 4xx with a reason.

    Asking again for the same order renews the same reservation (200), for the basket as it is then. Call it through
    `deciding`.
    """
    lock_order(connection, request.shop, request.order.id)
    named = named_customers(connection, request)
    for _attempt in range(_ATTEMPTS):
        situation = look(connection, request, now=now, hold=True)
        if situation is None:
            return _refused(connection, Refused("unknown_code"), request, None, now)
        if situation.redemption_id is not None:
            return _refused(connection, Refused("already_redeemed"), request, situation, now)
        hold = hold_for(connection, situation, request, now=now)
        basket = basket_for(connection, situation, named, request)
        proposed = propose(situation, named, basket, to_us(now), held=hold is not None)
        if isinstance(proposed, Refused):
            return _refused(connection, proposed, request, situation, now)
        use = use_of(connection, situation, named, request, proposed, now=now)
        taken = take(connection, use, now=now, hold=hold, reserve=True)
        if isinstance(taken, Refused):
            return _refused(connection, taken, request, situation, now)
        if taken:
            until = now + timedelta(seconds=ttl_seconds)
            public_id = _keep(connection, hold, use, request, proposed, until, now, random_bytes)
            if public_id is not None:
                return Answer(201 if hold is None else 200, _body(
                    public_id, situation.code, request, proposed, until))
            give_back(connection, use, whole=True, reserved=True)
            # One that has lapsed and was not freed yet still stands in the place of this order's.
            beware_of_lapsed(connection, Refused("limit_reached"), situation, now=now)
        lock_code(connection, situation.code_id)
    raise Conflict("This code changed several times while it was being reserved; send the request again.")


def _keep(connection: Connection, hold: Hold | None, use: Use, request: RedemptionRequest, discount: int,
          until: datetime, now: datetime, random_bytes: Callable[[int], bytes]) -> str | None:
    """Write or renew the row; returns its public id, None when this order has one that came in between."""
    if hold is not None:
        _RENEW.count(connection, {
            "reservation": hold.reservation_id, "until": to_us(until), "at": to_us(now), "discount": discount,
            "money": request.order.currency, "who": use.who})
        found: str = connection.execute(
            select(Reservation.public_id).where(Reservation.id == hold.reservation_id)).scalar_one()
        return found
    public_id = f"v_{random_bytes(12).hex()}"
    written = connection.execute(_WRITE[connection.dialect.name], {
        "public_id": public_id, "code_id": use.code_id, "offer_id": use.offer_id, "counted_as": use.who,
        "shop": request.shop, "order_ref": request.order.id, "discount_cents": discount,
        "currency": request.order.currency, "state": "held", "reserved_at": now, "expires_at": until}).rowcount
    return public_id if written == 1 else None


def _refused(connection: Connection, refused: Refused, request: RedemptionRequest, situation: Situation | None,
             now: datetime) -> Answer:
    if situation is not None:
        beware_of_lapsed(connection, refused, situation, now=now)
    connection.execute(insert(Refusal).inline(), {
        "at": now, "reason": refused.reason, "code_text": request.code[:64],
        "code_id": situation.code_id if situation else None, "campaign": situation.campaign if situation else None,
        "customer_id": situation.holder_id if situation else None, "shop": request.shop,
        "order_ref": request.order.id, "order_total_cents": request.order.total_cents,
        "currency": request.order.currency})
    return Answer(refused.status, {"reason": refused.reason, "detail": refused.detail})


def _body(public_id: str, code: str, request: RedemptionRequest, discount: int, until: datetime) -> dict[str, Any]:
    return {"id": public_id, "code": code, "order_id": request.order.id, "shop": request.shop,
            "discount_cents": discount, "currency": request.order.currency, "state": "held",
            "expires_at": instant_text(until)}


def release(connection: Connection, public_id: str, *, shop: str | None = None, now: datetime) -> dict[str, Any]:
    """Give a reservation up before its time; repeated it changes nothing. Raises NotFound.

    `shop`: only one of this shop; there is no other.
    Returns id, state and the instant at which it was settled.
    """
    row = _LOCK_ANY.row(connection, {"public_id": public_id})
    if row is None or shop not in (None, row[10]):
        raise NotFound("There is no such reservation.")
    if row[9] == "held":
        lapsed = row[7] <= to_us(now)
        _free(connection, row, "lapsed" if lapsed else "released", from_us(row[7]) if lapsed else now)
    kept = connection.execute(_SHOWN, {"public_id": public_id}).one()
    return {"id": kept.public_id, "order_id": kept.order_ref, "shop": kept.shop, "state": kept.state,
            "discount_cents": kept.discount_cents, "currency": kept.currency,
            "expires_at": instant_text(kept.expires_at), "settled_at": instant_text(kept.settled_at)}


def _free(connection: Connection, row: tuple[Any, ...], state: str, at: datetime) -> None:
    offer = connection.execute(_OFFER, {"offer": row[2]}).one()
    hold = _hold(row, limits_of(offer))
    _SETTLE.count(connection, {"reservation": hold.reservation_id, "new_state": state, "at": to_us(at)})
    give_back(connection, hold.use, whole=True, reserved=True)


def free_lapsed(database: Database, *, now: datetime, offer_id: int | None = None, limit: int = _LAPSES_AT_ONCE) -> int:
    """Give back what lapsed reservations hold, oldest first, each in a transaction of its own; returns how many."""
    asked: dict[str, Any] = {"at": to_us(now), "most": limit}
    with database.reading() as session:
        connection = session.connection()
        ids = connection.scalars(_LAPSED, asked).all() if offer_id is None else connection.scalars(
            _LAPSED_OF_OFFER, {**asked, "offer": offer_id}).all()
    return sum(in_turn(database, lambda connection, number=number: _lapse(connection, number, now))  # type: ignore[misc]
               for number in ids)


def _lapse(connection: Connection, reservation_id: int, now: datetime) -> int:
    row = _LOCK_LAPSED.row(connection, {"reservation": reservation_id, "at": to_us(now)})
    if row is None:
        return 0  # somebody else freed it, or it was renewed
    _free(connection, row, "lapsed", from_us(row[7]))
    return 1
