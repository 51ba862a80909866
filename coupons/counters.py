"""How are the counters that limits are decided on kept equal to the ledger?

Owns `recount`. An offer's row is counted on only while it has a total limit or a budget, a customer's row only while
there is a limit per customer: else every redemption of an offer would wait for one row. When a limit is set or changed
the counters are rebuilt here, under a lock on the offer's row that waits for redemptions under way.
"""

from sqlalchemy import (
    ColumnElement,
    Connection,
    SQLColumnExpression,
    String,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    update,
)

from coupons.models import CustomerUse, Offer, Redemption

_LIVE = and_(Redemption.state == "redeemed", Redemption.history.is_(False))
_KEPT_CENTS = Redemption.discount_cents - Redemption.rolled_back_cents
_OF_OFFER = and_(Redemption.offer_id == bindparam("offer"), Redemption.history.is_(False))

ledger_used = func.count().filter(_LIVE)
"""Live redemptions of the ledger rows selected."""


def ledger_spent(currency: SQLColumnExpression[str]) -> ColumnElement[int]:
    """Discounts still given, in the offer's own currency, of the ledger rows selected."""
    return func.coalesce(func.sum(case((Redemption.currency == currency, _KEPT_CENTS), else_=0)), 0)


_LOCK = select(Offer.limit_total, Offer.budget_cents, Offer.limit_per_customer, Offer.currency).where(
    Offer.id == bindparam("offer")).with_for_update()
_COUNT_OFFER = select(ledger_used, ledger_spent(bindparam("currency", type_=String()))).where(_OF_OFFER)
_SET_OFFER = update(Offer).where(Offer.id == bindparam("offer")).values(
    used=bindparam("used_now"), spent_cents=bindparam("spent_now"))
_FORGET_CUSTOMERS = delete(CustomerUse).where(CustomerUse.offer_id == bindparam("offer"))
_COUNT_CUSTOMERS = insert(CustomerUse).from_select(
    ["offer_id", "customer_id", "used"],
    select(Redemption.offer_id, Redemption.customer_id, func.count())
    .where(_OF_OFFER, _LIVE, Redemption.customer_id.is_not(None))
    .group_by(Redemption.offer_id, Redemption.customer_id),
)


def recount(connection: Connection, offer_id: int) -> None:
    """Rebuild the offer's counters from the ledger; counters of limits it does not have become 0 or go."""
    offer = {"offer": offer_id}
    limit_total, budget, per_customer, currency = connection.execute(_LOCK, offer).one()
    used, spent = 0, 0
    if limit_total is not None or budget is not None:
        used, spent = connection.execute(_COUNT_OFFER, {**offer, "currency": currency}).one()
    connection.execute(_SET_OFFER, {**offer, "used_now": used, "spent_now": int(spent)})
    connection.execute(_FORGET_CUSTOMERS, offer)
    if per_customer is not None:
        connection.execute(_COUNT_CUSTOMERS, offer)
