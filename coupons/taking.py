"""How is one use taken from the code, the customer and the offer, and how is it given back?

Owns the conditional UPDATEs that limits are decided on. The promise: each names the limit in its own condition and its
row count is checked; they run in the order code, customer, offer and budget (hottest last); when a later one refuses,
the earlier ones are undone under the row locks that this transaction holds. Customer and offer rows are counted on
only while there is such a limit; the caller holds the offer's row, so that cannot change meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from core.types import to_us
from coupons.models import Code, CustomerUse, Offer
from coupons.refusals import Refused


@dataclass(frozen=True)
class Use:
    """One use of a code: whose, of which offer, and what it costs the budget (0 in a foreign currency)."""

    code_id: int
    offer_id: int
    customer_id: int | None
    limit_per_customer: int | None
    offer_is_limited: bool
    cents: int

    @property
    def counts_customer(self) -> bool:
        """Whether the customer's row is counted on."""
        return self.limit_per_customer is not None and self.customer_id is not None


_USES_UP = Code.used + 1 >= Code.use_limit
_TAKE_CODE = (
    update(Code)
    .where(
        Code.id == bindparam("code_id"), Code.state == "issued", Code.used < Code.use_limit,
        Code.valid_from <= bindparam("at"),
        or_(Code.valid_until.is_(None), Code.valid_until > bindparam("at")),
    )
    .values(
        used=Code.used + 1,
        state=case((_USES_UP, "redeemed"), else_="issued"),
        redeemed_at=case((_USES_UP, bindparam("at")), else_=Code.redeemed_at),
    )
)
_GIVE_CODE_BACK = (
    update(Code)
    .where(Code.id == bindparam("code_id"), Code.used > 0)
    .values(used=Code.used - 1, state=case((Code.state == "redeemed", "issued"), else_=Code.state), redeemed_at=None)
)
_LOCK_CODE = select(Code.id).where(Code.id == bindparam("code_id")).with_for_update()


def _take_customer(insert: Any) -> Any:
    return (
        insert(CustomerUse)
        .values(offer_id=bindparam("offer"), customer_id=bindparam("customer"), used=1)
        .on_conflict_do_update(
            index_elements=["offer_id", "customer_id"],
            set_={"used": CustomerUse.used + 1},
            where=CustomerUse.used < bindparam("limit"),
        )
        .execution_options(preserve_rowcount=True)
    )


_TAKE_CUSTOMER = {"sqlite": _take_customer(sqlite.insert), "postgresql": _take_customer(postgresql.insert)}
_GIVE_CUSTOMER_BACK = (
    update(CustomerUse)
    .where(CustomerUse.offer_id == bindparam("offer"), CustomerUse.customer_id == bindparam("customer"),
           CustomerUse.used > 0)
    .values(used=CustomerUse.used - 1)
)
_TAKE_OFFER = (
    update(Offer)
    .where(
        Offer.id == bindparam("offer"),
        or_(Offer.limit_total.is_(None), Offer.used < Offer.limit_total),
        or_(Offer.budget_cents.is_(None), Offer.spent_cents + bindparam("cents") <= Offer.budget_cents),
    )
    .values(used=Offer.used + 1, spent_cents=Offer.spent_cents + bindparam("cents"))
)
_OFFER_IS_FULL = select(and_(Offer.limit_total.is_not(None), Offer.used >= Offer.limit_total)).where(
    Offer.id == bindparam("offer"))
_GIVE_OFFER_BACK = (
    update(Offer)
    .where(Offer.id == bindparam("offer"))
    .values(used=Offer.used - bindparam("uses"), spent_cents=Offer.spent_cents - bindparam("cents"))
)


def take(connection: Connection, use: Use, *, now: datetime) -> bool | Refused:
    """Take one use; False when the code's own row does not allow it any more, Refused when another limit is reached."""
    if connection.execute(_TAKE_CODE, {"code_id": use.code_id, "at": to_us(now)}).rowcount != 1:
        return False
    offer = {"offer": use.offer_id}
    if use.counts_customer:
        asked = {**offer, "customer": use.customer_id, "limit": use.limit_per_customer}
        if connection.execute(_TAKE_CUSTOMER[connection.dialect.name], asked).rowcount != 1:
            _give_code_back(connection, use)
            return Refused("limit_reached")
    if use.offer_is_limited and connection.execute(_TAKE_OFFER, {**offer, "cents": use.cents}).rowcount != 1:
        full = connection.execute(_OFFER_IS_FULL, offer).scalar_one()
        _give_customer_back(connection, use)
        _give_code_back(connection, use)
        return Refused("limit_reached" if full else "budget_exhausted")
    return True


def give_back(connection: Connection, use: Use, *, whole: bool) -> None:
    """Give `use.cents` back to the budget and, if `whole`, the use itself, in the order in which it was taken."""
    if whole:
        _give_code_back(connection, use)
        _give_customer_back(connection, use)
    if use.offer_is_limited:
        connection.execute(_GIVE_OFFER_BACK, {"offer": use.offer_id, "uses": int(whole), "cents": use.cents})


def lock_code(connection: Connection, code_id: int) -> None:
    """Hold the code's row, so that what is read next stays true."""
    connection.execute(_LOCK_CODE, {"code_id": code_id})


def _give_code_back(connection: Connection, use: Use) -> None:
    connection.execute(_GIVE_CODE_BACK, {"code_id": use.code_id})


def _give_customer_back(connection: Connection, use: Use) -> None:
    if use.counts_customer:
        connection.execute(_GIVE_CUSTOMER_BACK, {"offer": use.offer_id, "customer": use.customer_id})
