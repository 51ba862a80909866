"""Whom does a rule hold for, in the row store?

Owns counting, listing and testing people against a rule inside the caller's transaction. It is what decides before a
step speaks or spends; the mirror only proposes. Statements are built once per rule and kept.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select
from sqlalchemy.orm import Session

from core.errors import Invalid
from core.types import to_us
from segments.compiling.compile import build, measures_money
from segments.compiling.facts import CUSTOMERS
from segments.compiling.scored import refuse_uncomputed
from segments.compiling.sources import ORDERS
from segments.dialects.instants import Moving
from segments.dialects.portable import InLongList, NumberList
from segments.language.conditions import Rule
from segments.saving.saved import resolved

KEPT = 256
_batch = InLongList(CUSTOMERS.c.id, bindparam("batch", type_=NumberList()))


@dataclass(frozen=True)
class Prepared:
    """A rule's statement over everybody or over one batch, with cut-offs still to be filled in."""

    statement: Select[int]
    cuts: Moving
    money: bool

    @property
    def counting(self) -> Select[int]:
        return select(func.count()).select_from(self.statement.subquery())


_kept: "OrderedDict[tuple[Rule, bool, bool, bool], Prepared]" = OrderedDict()
_lock = Lock()


def prepare(rule: Rule, *, batch: bool = False, staged: bool = True, summed: bool = False) -> Prepared:
    """The statement of a rule without saved segments, built at most once while it is in use."""
    key = (rule, batch, staged, summed)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    cuts = Moving()
    statement = build(rule, cuts, among=_batch if batch else None, staged=staged, summed=summed)
    prepared = Prepared(statement, cuts, measures_money(rule))
    with _lock:
        _kept[key] = prepared
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return prepared


def count(session: Session, rule: Rule, *, as_of: datetime) -> int:
    """How many people the rule holds for."""
    prepared = _ready(session.connection(), rule, as_of)
    return int(session.connection().execute(prepared.counting, prepared.cuts.values(as_of)).scalar_one())


def member_ids(session: Session, rule: Rule, *, as_of: datetime) -> list[int]:
    """The ids of everybody the rule holds for, rising."""
    prepared = _ready(session.connection(), rule, as_of)
    statement = prepared.statement.order_by(prepared.statement.selected_columns[0])
    return list(session.connection().scalars(statement, prepared.cuts.values(as_of)))


def matching(connection: Connection, rule: Rule, customer_ids: Sequence[int], *, as_of: datetime) -> set[int]:
    """Those of a batch of people the rule holds for; their ids travel as one parameter."""
    ids = [int(customer_id) for customer_id in customer_ids]
    if not ids:
        return set()
    whole = resolved(connection, rule)
    refuse_uncomputed(connection, whole, as_of)
    prepared = prepare(whole, batch=True)
    if prepared.money:
        mine = InLongList(ORDERS.c.customer_id, bindparam("batch", ids, type_=NumberList()))
        refuse_mixed(row_store_currencies(connection, as_of, mine))
    return set(connection.scalars(prepared.statement, {**prepared.cuts.values(as_of), "batch": ids}))


def _ready(connection: Connection, rule: Rule, as_of: datetime) -> Prepared:
    whole = resolved(connection, rule)
    refuse_uncomputed(connection, whole, as_of)
    prepared = prepare(whole)
    if prepared.money:
        refuse_mixed(row_store_currencies(connection, as_of))
    return prepared


def row_store_currencies(connection: Connection, as_of: datetime, *mine: Any) -> list[str]:
    """The currencies of the orders that count, as of `as_of`; `mine` narrows them to somebody's."""
    used = select(ORDERS.c.currency).where(~ORDERS.c.cancelled, ORDERS.c.ordered_at < to_us(as_of), *mine).distinct()
    return list(connection.scalars(used))


def refuse_mixed(currencies: Sequence[str]) -> None:
    """Raise Invalid when amounts in several currencies would be added up."""
    if len(currencies) > 1:
        names = ", ".join(sorted(currencies))
        raise Invalid(f"There are orders in {names}, which cannot be added up. "
                      f'Name one: "where": {{"currency": "{min(currencies)}"}}.', place="orders")
