"""How is the ordinary redemption decided without step by step?

Owns `redeem_for`, the way in for all, and the short way on PostgreSQL, two round trips: a question, then one statement
that locks the order, claims the key, takes every counter in the fixed order and writes redemption and answer, all or
nothing. (On SQLite those that wait for one commit go together: `redeeming_together.py`.) The same promise as
the long way of `redeeming.py`: each counter's condition stands in its own UPDATE. Whatever is not ordinary (a
repetition, a reservation, a second code on the order, a refusal, somebody who was faster) leaves no trace here and goes
the long way.
"""

import json
import os
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from psycopg.errors import DeadlockDetected, DivisionByZero
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    String,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql

from core.database import Database
from core.group_commit import Shared
from core.hot import Hot
from coupons.locking import OFFER_LOCKS, order_number
from coupons.models import KeptAnswer, LimitUse, Offer, Redemption
from coupons.refusals import Refused
from coupons.till.deciding import ask_in_one, basket_for, is_ordinary, look, named_customers, propose, use_of
from coupons.till.redeeming import LEDGER_COLUMNS, ledger_row, redeem, written_answer
from coupons.till.redeeming_together import Redeeming, redeem_together
from coupons.till.requests import Answer, RedemptionRequest
from coupons.till.reserving import deciding
from coupons.till.taking import MOVED_OFFER, MOVED_ROW, OFFER_HAS_ROOM, row_has_room, take_code

_ONE: ColumnElement[int] = literal_column("1").label("one")
_KEPT = {"client": KeptAnswer.client, "kept_key": KeptAnswer.key, "body_hash": KeptAnswer.body_hash,
         "status": KeptAnswer.status, "answer": KeptAnswer.answer, "at": KeptAnswer.at}
_TYPES = Redemption.__table__.c
# Locks the order, then sees whether the terms are those that the discount was computed from, and the order has no other
# code, reservation or cancellation. A volatile function, so that it sees what those before us in line have done.
_STANDS_ALONE = func.order_stands_alone(
    bindparam("order_lock", type_=BigInteger()), bindparam("of_offers", type_=Integer()),
    bindparam("offer", type_=BigInteger()), bindparam("offer_version", type_=BigInteger()),
    bindparam("shop", type_=_TYPES.shop.type), bindparam("order_ref", type_=_TYPES.order_ref.type), type_=Boolean())


def redeem_for(database: Database, request: RedemptionRequest, *, client: str, key: str, now: datetime,
               random_bytes: Callable[[int], bytes] = os.urandom) -> Answer:
    """Redeem a code for an order, or refuse; see `redeeming.redeem`. Opens its own transactions."""
    if not database.is_sqlite and request.reservation is None and not database.is_heard:
        with database.by_itself() as connection:
            answer = _at_once(connection, request, client, key, now, random_bytes)
        if answer is not None:
            return answer
    shared = None
    _ = request.digest  # made here, not where one writes and all others wait
    if database.is_sqlite and request.reservation is None:
        shared = Shared(redeem_together, Redeeming(request, client, key, now, random_bytes))
    return deciding(database, lambda connection: redeem(
        connection, request, client=client, key=key, now=now, random_bytes=random_bytes), now=now, shared=shared)


def _at_once(connection: Connection, request: RedemptionRequest, client: str, key: str, now: datetime,
             random_bytes: Callable[[int], bytes]) -> Answer | None:
    """The answer when everything is ordinary; None: nothing was written."""
    asked = ask_in_one(connection, request, now=now)
    situation = look(connection, request, now=now, hold=False, asked=asked)
    if situation is None or not is_ordinary(situation):
        return None
    named = named_customers(connection, request, asked)
    cents = propose(situation, named, basket_for(connection, situation, named, request, asked), situation.at_us)
    if isinstance(cents, Refused):
        return None
    use = use_of(connection, situation, named, request, cents, now=now)
    row = ledger_row(situation, named, request, use, cents, now, random_bytes)
    answer = written_answer(row, situation, named, now)
    values = {
        **row, "code_id": use.code_id, "good_at": situation.at_us, "at": situation.at_us, "uses": 1, "holds": 0,
        "cents": use.cents, "held_cents": 0, "offer": use.offer_id, "offer_version": situation.offer_version,
        "client": client, "kept_key": key, "body_hash": request.digest, "status": answer.status,
        "answer": json.dumps(answer.body), "order_lock": order_number(request.shop, request.order.id),
        "of_offers": OFFER_LOCKS}
    for place, limit in enumerate(use.rows):
        values |= {f"who_{place}": limit.who, f"period_{place}": limit.period, f"most_{place}": limit.uses,
                   f"most_cents_{place}": limit.cents}
    try:
        _all_or_nothing(len(use.rows), use.offer_is_limited).answer(connection, values)
    except (DivisionByZero, DeadlockDetected):
        return None
    return answer


@lru_cache(maxsize=64)
def _all_or_nothing(rows: int, offer_is_limited: bool) -> Hot:
    """One statement for a use that counts on so many limit rows; it fails, and writes nothing, if a part of it would.

    Each part takes its turn because it reads the part before: key, code, limit rows, offer, ledger.
    """
    claimed = (
        postgresql.insert(KeptAnswer).from_select(
            ["client", "key", "body_hash", "status", "answer", "at"],
            select(*(bindparam(name, type_=column.type) for name, column in _KEPT.items())).where(_STANDS_ALONE))
        .on_conflict_do_nothing().returning(_ONE).cte("claimed"))
    parts: list[Any] = [take_code().where(exists().select_from(claimed)).returning(_ONE).cte("taken")]
    for place in range(rows):
        parts.append(_limit_row(place, parts[-1]))
    if offer_is_limited:
        parts.append(_offer_row(parts[-1]))
    before = parts[-1]
    typed = [bindparam(name, type_=_TYPES[name].type) for name in LEDGER_COLUMNS]
    written = (
        postgresql.insert(Redemption).from_select(LEDGER_COLUMNS, select(*typed).select_from(before))
        .on_conflict_do_nothing(index_elements=["shop", "order_ref", "code_id"])
        .returning(_ONE).cte("written"))
    done = select(func.count()).select_from(written).scalar_subquery()
    return Hot(select(literal_column("1") / done))


def _limit_row(place: int, before: Any) -> Any:
    names = ("offer_id", "who", "period", "used", "reserved", "spent_cents", "reserved_cents")
    of = {"who": bindparam(f"who_{place}", type_=String()), "period": bindparam(f"period_{place}", type_=String())}
    counts = [bindparam(name, type_=LimitUse.used.type) for name in ("uses", "holds", "cents", "held_cents")]
    most, most_cents = (bindparam(f"{name}_{place}", type_=LimitUse.used.type) for name in ("most", "most_cents"))
    fits = most_cents.is_(None) | (bindparam("cents", type_=LimitUse.used.type) <= most_cents)
    offer = bindparam("offer", type_=LimitUse.used.type)
    return (
        postgresql.insert(LimitUse)
        .from_select(names, select(offer, of["who"], of["period"], *counts).select_from(before).where(fits))
        .on_conflict_do_update(index_elements=["offer_id", "who", "period"], set_=MOVED_ROW,
                               where=row_has_room(most, most_cents))
        .returning(_ONE).cte(f"limited_{place}"))


def _offer_row(before: Any) -> Any:
    return (update(Offer).where(Offer.id == bindparam("offer"), OFFER_HAS_ROOM, exists().select_from(before))
            .values(MOVED_OFFER).returning(_ONE).cte("counted"))
