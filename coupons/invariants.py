"""Do the counters still say what the ledger says?

Owns `drift`, which `winback doctor` and the race tests ask. Every sentence it returns is a broken promise: a code, an
offer or a budget used beyond its limit, a counter unlike the sum of the ledger, more rolled back than was given, or a
live redemption of a cancelled order.
"""

from sqlalchemy import Connection, and_, case, func, or_, select

from coupons.counters import ledger_spent, ledger_used
from coupons.models import CancelledOrder, Code, CustomerUse, Offer, Redemption

_OURS = Redemption.history.is_(False)
_LIVE = and_(Redemption.state == "redeemed", _OURS)


def drift(connection: Connection, *, limit: int = 100) -> list[str]:
    """What is wrong, one sentence each, at most `limit` of a kind; empty when all is well."""
    return [
        *_of_codes(connection, limit), *_of_customers(connection, limit), *_of_offers(connection, limit),
        *_of_redemptions(connection, limit),
    ]


def _of_codes(connection: Connection, limit: int) -> list[str]:
    live = (select(Redemption.code_id, func.count().label("live")).where(_LIVE)
            .group_by(Redemption.code_id).subquery())
    counted = func.coalesce(live.c.live, 0)
    wanted_state = case((and_(Code.use_limit > 0, Code.used >= Code.use_limit), "redeemed"), else_="issued")
    rows = connection.execute(
        select(Code.code, Code.used, Code.use_limit, Code.state, counted.label("live"))
        .outerjoin(live, live.c.code_id == Code.id)
        .where(or_(Code.used != counted, Code.used > Code.use_limit,
                   and_(Code.state != "revoked", Code.state != wanted_state)))
        .order_by(Code.id).limit(limit))
    return [f"Code {row.code} counts {row.used} of {row.use_limit} uses as {row.state}; the ledger has {row.live}."
            for row in rows]


def _of_customers(connection: Connection, limit: int) -> list[str]:
    live = (
        select(Redemption.offer_id, Redemption.customer_id, func.count().label("live"))
        .join(Offer, Offer.id == Redemption.offer_id)
        .where(_LIVE, Redemption.customer_id.is_not(None), Offer.limit_per_customer.is_not(None))
        .group_by(Redemption.offer_id, Redemption.customer_id)
    )
    counted = select(CustomerUse.offer_id, CustomerUse.customer_id, CustomerUse.used).where(CustomerUse.used != 0)
    wrong = []
    ledger = {(row.offer_id, row.customer_id): row.live for row in connection.execute(live)}
    counters = {(row.offer_id, row.customer_id): row.used for row in connection.execute(counted)}
    for pair in sorted(ledger.keys() | counters.keys()):
        has, says = ledger.get(pair, 0), counters.get(pair, 0)
        if has != says:  # more uses than the limit are no fault: the limit may have been lowered since
            wrong.append(f"Customer {pair[1]} counts {says} uses of offer {pair[0]}; the ledger has {has}.")
    return wrong[:limit]


def _of_offers(connection: Connection, limit: int) -> list[str]:
    limited = or_(Offer.limit_total.is_not(None), Offer.budget_cents.is_not(None))
    rows = connection.execute(
        select(Offer.key, Offer.used, Offer.spent_cents, Offer.limit_total, Offer.budget_cents,
               ledger_used.label("live"), ledger_spent(Offer.currency).label("spent"))
        .outerjoin(Redemption, and_(Redemption.offer_id == Offer.id, _OURS))
        .where(limited).group_by(Offer.id).order_by(Offer.id))
    wrong = []
    for row in rows:
        if row.used != row.live or row.spent_cents != row.spent:
            wrong.append(f"Offer {row.key} counts {row.used} uses and {row.spent_cents} cents; "
                         f"the ledger has {row.live} and {row.spent}.")
        if row.limit_total is not None and row.live > row.limit_total:
            wrong.append(f"Offer {row.key} was used {row.live} times; the limit is {row.limit_total}.")
        if row.budget_cents is not None and row.spent > row.budget_cents:
            wrong.append(f"Offer {row.key} gave {row.spent} cents; the budget is {row.budget_cents}.")
    return wrong[:limit]


def _of_redemptions(connection: Connection, limit: int) -> list[str]:
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
        .where(_LIVE).order_by(Redemption.id).limit(limit))
    return [*(f"Redemption {row.public_id} rolls back other than what was given." for row in beyond),
            *(f"Redemption {row.public_id} stands although its order was cancelled." for row in alive)]
