"""May this code be used for this order? Decides, counts and writes it down in one transaction.

Owns the redemption ledger and the counters that limits are decided on. The promise: redeemed never exceeds the limit
of the code, the customer, the offer or the budget, under any interleaving: each limit is one conditional UPDATE whose
row count is checked, always in the order code, customer, offer and budget, and what was taken is given back when a
later one refuses. The answer is kept under the shop's idempotency key in the same transaction, so a twin waits for it
and a crash leaves neither.
"""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from core.errors import Conflict, Invalid, NotFound
from core.hot import Hot, Sent, together
from core.types import to_us
from coupons.codes.showing import redemption_body, stored_redemption
from coupons.locking import lock_order, order_number
from coupons.models import KeptAnswer, Offer, Redemption, Refusal
from coupons.offers.discount import split_over_lines
from coupons.offers.limits import limits_of
from coupons.refusals import Refused
from coupons.till.counting_as import guest_mark
from coupons.till.deciding import (
    Asked,
    Named,
    Situation,
    against_counters,
    basket_for,
    counted_customer,
    look,
    named_customers,
    propose,
    redeemer_of,
    send_questions,
    use_of,
)
from coupons.till.flags import holder_flag, joined
from coupons.till.requests import Answer, RedemptionRequest
from coupons.till.reserving import beware_of_lapsed, hold_for, spend
from coupons.till.taking import Hold, Use, give_back, lock_code, take

_ATTEMPTS = 4

_CLAIM_KEY = {
    "sqlite": Hot(text("INSERT INTO kept_answers (client, key, body_hash, status, answer, at)"
                       " VALUES (:client, :key, :hash, 0, '{}', :at) ON CONFLICT DO NOTHING")),
    # Whoever acts on the same order waits in the same statement; what is read next is read after that.
    "postgresql": Hot(text("INSERT INTO kept_answers (client, key, body_hash, status, answer, at)"
                           " SELECT :client, :key, :hash, 0, '{}'::jsonb, :at"
                           " FROM (SELECT pg_advisory_xact_lock(:order_lock)) AS held ON CONFLICT DO NOTHING")),
}
_KEPT = select(KeptAnswer.body_hash, KeptAnswer.status, KeptAnswer.answer).where(
    KeptAnswer.client == bindparam("of_client"), KeptAnswer.key == bindparam("of_key"))
_KEEP = Hot(update(KeptAnswer).where(
    KeptAnswer.client == bindparam("of_client"), KeptAnswer.key == bindparam("of_key")
).values(status=bindparam("new_status"), answer=bindparam("new_answer", type_=KeptAnswer.answer.type)))
LEDGER_COLUMNS = (
    "public_id", "code_id", "code_text", "offer_id", "origin", "campaign", "customer_id", "redeemer_id", "counted_as",
    "guest", "shop", "order_ref", "order_total_cents", "discount_cents", "rolled_back_cents", "currency", "state",
    "history", "redeemed_at", "flags",
)


def _write_redemption(dialect_insert: Any) -> Hot:
    values: dict[str, Any] = {name: bindparam(name) for name in LEDGER_COLUMNS}
    return Hot(dialect_insert(Redemption).values(values).on_conflict_do_nothing(
        index_elements=["shop", "order_ref", "code_id"]).inline())


_WRITE_REDEMPTION = {"sqlite": _write_redemption(sqlite.insert), "postgresql": _write_redemption(postgresql.insert)}
_WRITE_REFUSAL = insert(Refusal).inline()


def redeem(
    connection: Connection,
    request: RedemptionRequest,
    *,
    client: str,
    key: str,
    now: datetime,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> Answer:
    """Redeem a code for an order, or refuse; 201 with the redemption, 200 when it was there, 4xx with a reason.

    Call it in a transaction of its own, through `reserving.deciding`. `client` and `key` name the request: the same
    request again gets the kept answer, another request under the same key is refused with `idempotency_mismatch`.
    """
    digest = request.digest
    with together(connection):
        claimed = _claim_key(connection, request, client, key, digest, now)
        asked = send_questions(connection, request, now=now)
    if claimed.count() != 1:
        return _repeated(connection, client, key, digest)
    named = named_customers(connection, request, asked)
    outcome, situation = _decide(connection, request, named, asked, now, random_bytes)
    if isinstance(outcome, Refused):
        if situation is not None:
            beware_of_lapsed(connection, outcome, situation, now=now)
        _record_refusal(connection, outcome, request, situation, named, now)
        outcome = Answer(outcome.status, {"reason": outcome.reason, "detail": outcome.detail})
    _KEEP.count(connection, {"of_client": client, "of_key": key, "new_status": outcome.status,
                             "new_answer": json.dumps(outcome.body)})
    return outcome


def validate(connection: Connection, code: str, request: RedemptionRequest, *, now: datetime) -> dict[str, Any]:
    """What redeeming would answer now, changing nothing: valid, reason and discount, split over the order's lines."""
    asked = replace(request, code=code)
    situation = look(connection, asked, now=now, hold=False)
    named = named_customers(connection, asked)
    if situation is None:
        return _not_valid("unknown_code")
    if situation.redemption_id is not None:
        stored = stored_redemption(connection, redemption_id=situation.redemption_id)
        assert stored is not None
        return {"valid": stored["state"] == "redeemed", "reason": None, "discount_cents": stored["discount_cents"],
                "line_discounts_cents": None}
    hold = hold_for(connection, situation, asked, now=now, lock=False)
    basket = basket_for(connection, situation, named, asked)
    outcome: int | Refused | None = propose(situation, named, basket, _good_at(hold, now), held=hold is not None)
    if isinstance(outcome, int):
        use = use_of(connection, situation, named, asked, outcome, now=now)
        discount, outcome = outcome, against_counters(connection, situation, use, hold=hold)
    if isinstance(outcome, Refused):
        beware_of_lapsed(connection, outcome, situation, now=now)
        return _not_valid(outcome.reason)
    terms, lines = situation.offer.terms, basket.lines
    answer = {"valid": True, "reason": None, "discount_cents": discount,
              "line_discounts_cents": split_over_lines(discount, terms, lines) if lines else None}
    # A shop that does not say what shipping costs still learns that it is free.
    return {**answer, "free_shipping": True} if terms.kind == "free_shipping" else answer


def _not_valid(reason: str) -> dict[str, Any]:
    return {"valid": False, "reason": reason, "discount_cents": 0, "line_discounts_cents": None}


def _good_at(hold: Hold | None, now: datetime) -> int:
    """The instant at which the code has to be good: when it was reserved, else now."""
    return to_us(now if hold is None else hold.reserved_at)


def _claim_key(connection: Connection, request: RedemptionRequest, client: str, key: str, digest: str,
               now: datetime) -> Sent:
    values: dict[str, Any] = {"client": client, "key": key, "hash": digest, "at": to_us(now)}
    dialect = connection.dialect.name
    if dialect == "postgresql":
        values["order_lock"] = order_number(request.shop, request.order.id)
    return _CLAIM_KEY[dialect].send(connection, values)


def _repeated(connection: Connection, client: str, key: str, digest: str) -> Answer:
    kept = connection.execute(_KEPT, {"of_client": client, "of_key": key}).one_or_none()
    if kept is None:
        raise Conflict("This request's key was just given up; send the request again.")
    if kept.body_hash != digest:
        refused = Refused("idempotency_mismatch")
        return Answer(refused.status, {"reason": refused.reason, "detail": refused.detail})
    return Answer(200 if kept.status == 201 else kept.status, kept.answer)


def _decide(connection: Connection, request: RedemptionRequest, named: Named, asked: Asked | None, now: datetime,
            random_bytes: Callable[[int], bytes]) -> tuple[Answer | Refused, Situation | None]:
    """Look, propose, take; look again when somebody was faster, from then on holding the code's row."""
    for _attempt in range(_ATTEMPTS):
        situation = look(connection, request, now=now, hold=True, asked=asked)
        if situation is None:
            return Refused("unknown_code"), None
        if situation.redemption_id is not None:
            stored = stored_redemption(connection, redemption_id=situation.redemption_id)
            assert stored is not None
            return Answer(200, stored), situation
        hold = hold_for(connection, situation, request, now=now)
        basket = basket_for(connection, situation, named, request, asked, hold=True)
        proposed = propose(situation, named, basket, _good_at(hold, now), held=hold is not None)
        if isinstance(proposed, Refused):
            return proposed, situation
        use = use_of(connection, situation, named, request, proposed, now=now)
        row = ledger_row(situation, named, request, use, proposed, now, random_bytes)
        answer = written_answer(row, situation, named, now)
        taken = take(connection, use, now=now, hold=hold)
        if isinstance(taken, Refused):
            return taken, situation
        if taken:
            if _WRITE_REDEMPTION[connection.dialect.name].count(connection, row) == 1:
                if hold is not None:
                    spend(connection, hold, now=now)
                return answer, situation
            give_back(connection, use, whole=True)  # the same order was redeemed under another key meanwhile
        lock_code(connection, situation.code_id)
        asked = None
    raise Conflict("This code changed several times while it was being redeemed; send the request again.")


def ledger_row(situation: Situation, named: Named, request: RedemptionRequest, use: Use, discount: int,
               now: datetime, random_bytes: Callable[[int], bytes]) -> dict[str, Any]:
    """The row of the ledger, by `LEDGER_COLUMNS`."""
    redeemer_id, _redeemer = redeemer_of(situation, named)
    return {
        "public_id": f"r_{random_bytes(12).hex()}", "code_id": situation.code_id, "code_text": situation.code,
        "offer_id": situation.offer_id, "origin": situation.origin, "campaign": situation.campaign,
        "customer_id": situation.holder_id if situation.holder_id is not None else redeemer_id,
        "redeemer_id": redeemer_id, "counted_as": use.who,
        # Of somebody known it is not asked for: their number says it, and a hash takes its time.
        "guest": guest_mark(request) if redeemer_id is None else None,
        "shop": request.shop, "order_ref": request.order.id, "order_total_cents": request.order.total_cents,
        "discount_cents": discount, "rolled_back_cents": 0, "currency": request.order.currency,
        "state": "redeemed", "history": False, "redeemed_at": to_us(now),
        "flags": joined(holder_flag(situation, named)),
    }


def written_answer(row: dict[str, Any], situation: Situation, named: Named, now: datetime) -> Answer:
    """What the shop is told once that row is written."""
    redeemer = redeemer_of(situation, named)[1]
    return Answer(201, redemption_body({**row, "redeemed_at": now}, situation.holder_number or redeemer))


def _record_refusal(connection: Connection, refused: Refused, request: RedemptionRequest, situation: Situation | None,
                    named: Named, now: datetime) -> None:
    connection.execute(_WRITE_REFUSAL, {
        "at": now, "reason": refused.reason, "code_text": request.code[:64],
        "code_id": situation.code_id if situation else None, "campaign": situation.campaign if situation else None,
        "customer_id": counted_customer(situation, named) if situation else named[0][0] if named else None,
        "shop": request.shop, "order_ref": request.order.id, "order_total_cents": request.order.total_cents,
        "currency": request.order.currency,
    })


_LOCK_REDEMPTION = (
    select(
        Redemption.id, Redemption.code_id, Redemption.offer_id, Redemption.customer_id, Redemption.discount_cents,
        Redemption.rolled_back_cents, Redemption.currency, Redemption.state, Redemption.history,
        Redemption.counted_as, Redemption.redeemed_at, Redemption.uncounted, Redemption.shop,
    )
    .where(Redemption.public_id == bindparam("public_id"))
    .with_for_update()
)
_ROLL_BACK = (
    update(Redemption)
    .where(Redemption.id == bindparam("redemption"), Redemption.state == "redeemed",
           Redemption.rolled_back_cents + bindparam("cents") <= Redemption.discount_cents)
    .values(
        rolled_back_cents=Redemption.rolled_back_cents + bindparam("cents"),
        state=bindparam("new_state"), rolled_back_at=bindparam("at"),
    )
)
_HOLD_OFFER = select(Offer).where(Offer.id == bindparam("offer")).with_for_update(read=True, key_share=True)


def roll_back(
    connection: Connection, public_id: str, *, amount_cents: int | None = None, key: str | None = None,
    shop: str | None = None, now: datetime,
) -> dict[str, Any]:
    """Take a redemption back, all of it or `amount_cents`; returns the redemption as it is afterwards.

    `shop`: only one of this shop; there is no other.

    Repeating gives the same result and takes nothing twice: the same `key`, or without keys the same amount, is the
    same request. Two returns of one amount need two keys. The use itself is given back when nothing of the discount
    is left. Raises NotFound, and Invalid for an amount above what is left.
    """
    redemption = connection.execute(_LOCK_REDEMPTION, {"public_id": public_id}).one_or_none()
    if redemption is None or shop not in (None, redemption.shop):
        raise NotFound("There is no such redemption.")
    if amount_cents is not None and amount_cents < 1:
        raise Invalid("Use a whole number of cents above 0.", place="amount_cents")
    said = "all" if amount_cents is None else str(amount_cents)
    client, name = f"rollback:{public_id}", key if key is not None else f"amount {said}"
    kept = connection.execute(_KEPT, {"of_client": client, "of_key": name}).one_or_none()
    if kept is not None:
        if kept.body_hash != said:
            raise Conflict("This Idempotency-Key was used for another amount. Use a new key.")
        answer: dict[str, Any] = kept.answer
        return answer
    if redemption.state == "redeemed":
        _take_back(connection, redemption, amount_cents, now)
    body = stored_redemption(connection, redemption_id=redemption.id)
    assert body is not None
    connection.execute(insert(KeptAnswer), {
        "client": client, "key": name, "body_hash": said, "status": 200, "answer": body, "at": now})
    return body


def _take_back(connection: Connection, redemption: Row[*tuple[Any, ...]], amount_cents: int | None,
               now: datetime) -> None:
    left = redemption.discount_cents - redemption.rolled_back_cents
    cents = left if amount_cents is None else amount_cents
    whole = cents == left
    asked = {"redemption": redemption.id, "cents": cents, "at": now,
             "new_state": "rolled_back" if whole else "redeemed"}
    if cents > left or connection.execute(_ROLL_BACK, asked).rowcount != 1:
        raise Invalid(f"At most {left} cents of this discount are left to take back.", place="amount_cents")
    if redemption.history or redemption.uncounted or redemption.offer_id is None or redemption.code_id is None:
        return  # imported history and facts beyond a limit never touched one
    limits = limits_of(connection.execute(_HOLD_OFFER, {"offer": redemption.offer_id}).one())
    use = Use(
        code_id=redemption.code_id, offer_id=redemption.offer_id, who=redemption.counted_as,
        rows=limits.rows(redemption.counted_as, redemption.redeemed_at), offer_is_limited=limits.on_offer,
        cents=cents if redemption.currency == limits.currency else 0,
    )
    give_back(connection, use, whole=whole)


def cancel_order(connection: Connection, *, shop: str, order_ref: str, now: datetime) -> int:
    """Note that the shop took an order back and roll its redemptions back; returns how many were live.

    A redemption that arrives later is refused with `order_cancelled`, also when the cancellation came first.
    """
    lock_order(connection, shop, order_ref)
    connection.execute(
        text("INSERT INTO cancelled_orders (shop, order_ref, at) VALUES (:shop, :order_ref, :at)"
             " ON CONFLICT DO NOTHING"),
        {"shop": shop, "order_ref": order_ref, "at": to_us(now)})
    live = connection.scalars(select(Redemption.public_id).where(
        Redemption.shop == shop, Redemption.order_ref == order_ref, Redemption.state == "redeemed",
    ).order_by(Redemption.code_id)).all()
    for public_id in live:
        roll_back(connection, public_id, amount_cents=None, now=now)
    return len(live)
