"""How do ordinary redemptions that arrive together share their statements on SQLite?

Owns the short way there: what the group commit found waiting is looked at in one statement, decided one by one, and
written by one statement for each table. The transaction holds the only write lock there is, so nothing changes between
look and write; each counter's condition stands in its own UPDATE all the same, and one that does not hold takes the
whole attempt back. Whatever is not ordinary (a repetition, a reservation, a second code on the order, a refusal, a use
beyond those that wait before it) leaves no trace here and goes the long way of `redeeming.py`.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, String, bindparam, func, literal, or_, select, true
from sqlalchemy.dialects import sqlite

from core.group_commit import Apart
from core.hot import Hot
from core.types import to_us
from coupons.models import KeptAnswer, LimitUse, Redemption
from coupons.refusals import Refused
from coupons.till.deciding import (
    Asked,
    Situation,
    ask_for_all,
    basket_for,
    code_asked,
    is_ordinary,
    looking,
    named_customers,
    propose,
    situation_of,
    use_of,
)
from coupons.till.redeeming import LEDGER_COLUMNS, ledger_row, written_answer
from coupons.till.requests import Answer, RedemptionRequest
from coupons.till.taking import TAKE_OFFER, Use, row_has_room, take_code


@dataclass(frozen=True)
class Redeeming:
    """One request as `redeeming.redeem` takes it."""

    request: RedemptionRequest
    client: str
    key: str
    now: datetime
    random_bytes: Callable[[int], bytes]


@dataclass(frozen=True)
class _Decided:
    """What one of them would write, and its answer."""

    asked: Redeeming
    situation: Situation
    use: Use
    row: dict[str, Any]
    answer: Answer


def _listed(*kinds: type[Any]) -> tuple[Any, list[Any]]:
    """Rows of one JSON parameter `rows` as a table, and its columns of these types in turn."""
    table = func.json_each(bindparam("rows", type_=String())).table_valued("key", "value", name="listed")
    return table, [func.json_extract(table.c.value, literal(f"$[{place}]"), type_=kind())
                   for place, kind in enumerate(kinds)]


def _look_all() -> Hot:
    table, (code, shop, order_ref, at) = _listed(String, String, String, BigInteger)
    found = looking(code, shop, order_ref, at, of=table).add_columns(table.c.key).subquery("found")
    # As one value: each row that is fetched gives the interpreter away once.
    return Hot(select(func.json_group_array(func.json_array(*found.c))))


def _claim_all() -> Hot:
    table, values = _listed(String, String, String, BigInteger, String, BigInteger)
    columns = ["client", "key", "body_hash", "status", "answer", "at"]
    return Hot(sqlite.insert(KeptAnswer).from_select(
        columns, select(*values).select_from(table).where(true())).on_conflict_do_nothing())


def _take_codes() -> Hot:
    table, (code_id, uses, at) = _listed(BigInteger, BigInteger, BigInteger)
    listed = select(code_id.label("code_id"), uses.label("uses"), at.label("at")).select_from(table).subquery("listed")
    return Hot(take_code(code_id=listed.c.code_id, uses=listed.c.uses, holds=literal(0), good_at=listed.c.at,
                         at=listed.c.at))


def _take_rows() -> Hot:
    table, (who, period, uses, cents) = _listed(String, String, BigInteger, BigInteger)
    offer, most, most_cents = (bindparam(name, type_=BigInteger()) for name in ("offer", "most", "most_cents"))
    insert = sqlite.insert(LimitUse)
    more = insert.excluded
    return Hot(
        insert.from_select(
            ["offer_id", "who", "period", "used", "reserved", "spent_cents", "reserved_cents"],
            select(offer, who, period, uses, literal(0), cents, literal(0)).select_from(table)
            .where(or_(most.is_(None), uses <= most), or_(most_cents.is_(None), cents <= most_cents)))
        .on_conflict_do_update(
            index_elements=["offer_id", "who", "period"],
            set_={"used": LimitUse.used + more.used, "spent_cents": LimitUse.spent_cents + more.spent_cents},
            where=row_has_room(most, most_cents, uses=more.used, holds=literal(0), cents=more.spent_cents,
                               held_cents=literal(0))))


def _write_all() -> Hot:
    table, values = _listed(*(String,) * len(LEDGER_COLUMNS))
    return Hot(sqlite.insert(Redemption).from_select(
        LEDGER_COLUMNS, select(*values).select_from(table).where(true())).on_conflict_do_nothing(
        index_elements=["shop", "order_ref", "code_id"]))


_LOOK_ALL, _CLAIM_ALL, _TAKE_CODES, _TAKE_ROWS, _WRITE_ALL = (
    _look_all(), _claim_all(), _take_codes(), _take_rows(), _write_all())


def redeem_together(connection: Connection, asked: Sequence[Redeeming]) -> list[Answer | None]:
    """The answer of each request that is ordinary and was written; None: it goes the long way, nothing was written.

    Raises Apart when one of them cannot be written after all: then all go the long way.
    """
    answers: list[Answer | None] = [None] * len(asked)
    places = _of_their_own(asked)
    decided: dict[int, _Decided] = {}
    ordinary = [(place, situation) for place, situation in _look(connection, asked, places) if is_ordinary(situation)]
    known = ask_for_all(connection, [asked[place].request for place, _situation in ordinary])
    for (place, situation), facts in zip(ordinary, known, strict=True):
        found = _decide(connection, asked[place], situation, facts)
        if found is not None:
            decided[place] = found
    fitting = _within_limits(decided)
    if fitting:
        _write(connection, [decided[place] for place in fitting])
    for place in fitting:
        answers[place] = decided[place].answer
    return answers


def _of_their_own(asked: Sequence[Redeeming]) -> list[int]:
    """The places of requests that share neither order nor key with one before them."""
    orders: set[tuple[str, str]] = set()
    keys: set[tuple[str, str]] = set()
    places = []
    for place, each in enumerate(asked):
        order, key = (each.request.shop, each.request.order.id), (each.client, each.key)
        if order not in orders and key not in keys:
            places.append(place)
        orders.add(order)
        keys.add(key)
    return places


def _look(connection: Connection, asked: Sequence[Redeeming], places: Sequence[int]
          ) -> Iterable[tuple[int, Situation]]:
    values = [(code_asked(asked[place].request), asked[place].request.shop, asked[place].request.order.id,
               to_us(asked[place].now)) for place in places]
    row = _LOOK_ALL.row(connection, {"rows": _json(values)})
    for *columns, number in sorted(json.loads(row[0]) if row is not None else [], key=lambda found: int(found[-1])):
        place = places[number]
        yield place, situation_of(connection, columns, now=asked[place].now)


def _decide(connection: Connection, asked: Redeeming, situation: Situation, known: Asked | None = None
            ) -> _Decided | None:
    request, now = asked.request, asked.now
    named = named_customers(connection, request, known)
    cents = propose(situation, named, basket_for(connection, situation, named, request, known), situation.at_us)
    if isinstance(cents, Refused):
        return None
    use = use_of(connection, situation, named, request, cents, now=now)
    row = ledger_row(situation, named, request, use, cents, now, asked.random_bytes)
    return _Decided(asked, situation, use, row, written_answer(row, situation, named, now))


def _within_limits(decided: dict[int, _Decided]) -> list[int]:
    """The places of those whose code and offer have room for them beside those before them.

    What customers and periods allow is left to the statements: it is not read here.
    """
    fitting = []
    of_code: defaultdict[int, int] = defaultdict(int)
    of_offer: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for place, each in decided.items():
        at, limits = each.situation, each.situation.offer.limits
        uses, cents = of_offer[at.offer_id]
        if at.used + of_code[at.code_id] + 1 > at.use_limit:
            continue
        if limits.total is not None and at.offer_used + at.offer_reserved + uses + 1 > limits.total:
            continue
        if limits.budget_cents is not None and (
                at.spent_cents + at.reserved_cents + cents + each.use.cents > limits.budget_cents):
            continue
        of_code[at.code_id] += 1
        of_offer[at.offer_id] = [uses + 1, cents + each.use.cents]
        fitting.append(place)
    return fitting


def _write(connection: Connection, decided: Sequence[_Decided]) -> None:
    """Write them in the one order of all uses: keys, codes, limit rows, offers, ledger."""
    _all(_CLAIM_ALL, connection, [
        (each.asked.client, each.asked.key, each.asked.request.digest, each.answer.status,
         json.dumps(each.answer.body), to_us(each.asked.now)) for each in decided])
    codes: dict[int, tuple[int, int]] = {}
    for each in decided:
        uses, at = codes.get(each.use.code_id, (0, 0))
        codes[each.use.code_id] = (uses + 1, max(at, each.situation.at_us))
    _all(_TAKE_CODES, connection, [(code_id, *taken) for code_id, taken in codes.items()])
    _take_limits(connection, decided)
    _all(_WRITE_ALL, connection, [[each.row[name] for name in LEDGER_COLUMNS] for each in decided])


def _take_limits(connection: Connection, decided: Sequence[_Decided]) -> None:
    rows: defaultdict[Any, defaultdict[tuple[str, str], list[int]]] = defaultdict(
        lambda: defaultdict(lambda: [0, 0]))
    offers: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for each in decided:
        counts = [rows[each.use.offer_id, row.uses, row.cents][row.who, row.period] for row in each.use.rows]
        if each.use.offer_is_limited:
            counts.append(offers[each.use.offer_id])
        for count in counts:
            count[0] += 1
            count[1] += each.use.cents
    for (offer_id, most, most_cents), places in rows.items():
        _all(_TAKE_ROWS, connection, [(*place, *counts) for place, counts in places.items()],
             {"offer": offer_id, "most": most, "most_cents": most_cents})
    for offer_id, (uses, cents) in offers.items():
        taken = {"offer": offer_id, "uses": uses, "holds": 0, "cents": cents, "held_cents": 0}
        if TAKE_OFFER.count(connection, taken) != 1:
            raise Apart


def _all(statement: Hot, connection: Connection, rows: Collection[Any], values: dict[str, Any] | None = None) -> None:
    """Run a statement for these rows; raises Apart unless it changed as many."""
    if statement.count(connection, {"rows": _json(list(rows)), **(values or {})}) != len(rows):
        raise Apart


def _json(rows: Sequence[Any]) -> str:
    """Rows as SQLite unpacks them; a text that it would cut there goes the way on which texts are bound."""
    written = json.dumps(rows, ensure_ascii=False)
    if "\\u0000" in written:
        raise Apart
    return written
