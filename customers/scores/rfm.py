"""Who bought lately, who often, and who much, against everybody else?

Owns the scores `recency`, `frequency`, `monetary` (1 to 5 each) and `rfm`, their three digits 111 to 555. Everybody is
computed at once, by columns; only people whose digits changed are written. The shop's own scores of these names stay.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Select, func, not_, select
from sqlalchemy.orm import Session

from core.database import Database
from core.errors import Conflict
from core.leases import take
from core.types import Base, to_us
from customers.scores.keeping import known_scores, note_names, replace_scores

NAMES = ("recency", "frequency", "monetary", "rfm")
FIFTHS = 5
ROWS_AT_ONCE = 100_000
Numbers = np.ndarray[Any, Any]

ORDERS = Base.metadata.tables["orders"]
CUSTOMERS = Base.metadata.tables["customers"]
SCORES = Base.metadata.tables["scores"]


@dataclass(frozen=True)
class Scored:
    """Everybody with an order, by rising customer id; `digits` are their rfm."""

    ids: Numbers
    digits: Numbers

    def columns(self, *, now: datetime) -> dict[str, Numbers]:
        """The rows of all four scores as columns of driver values."""
        parts = {"recency": self.digits // 100, "frequency": self.digits // 10 % 10, "monetary": self.digits % 10,
                 "rfm": self.digits}
        return {
            "customer_id": np.tile(self.ids, len(NAMES)), "name": np.repeat(np.array(NAMES), len(self.ids)),
            "value": np.concatenate([parts[name] for name in NAMES]).astype(float),
            "computed_at": np.full(len(self.ids) * len(NAMES), to_us(now)),
        }


@dataclass(frozen=True)
class Difference:
    """What has to be written: people with new digits, and people (old digits or none left) to take out first."""

    fresh: Scored
    stale: Numbers

    def pieces(self, size: int) -> Iterator["Difference"]:
        """The same in pieces of at most `size` people; whoever is in both stands in one piece."""
        leaving = np.setdiff1d(self.stale, self.fresh.ids)
        for start in range(0, len(leaving), size):
            yield Difference(Scored(leaving[:0], leaving[:0]), leaving[start:start + size])
        for start in range(0, len(self.fresh.ids), size):
            ids = self.fresh.ids[start:start + size]
            near = slice(np.searchsorted(self.stale, ids[0]), np.searchsorted(self.stale, ids[-1], side="right"))
            stale = self.stale[near]
            yield Difference(Scored(ids, self.fresh.digits[start:start + size]), stale[np.isin(stale, ids)])


def fifths(values: Numbers) -> Numbers:
    """1 to 5 for each value: one more than the number of whole fifths of all values that are smaller than it.

    Equal values share a score, the lowest value always has 1, and nobody has 5 unless four fifths have less. A crowd of
    one-time buyers therefore stands at 1, and the first who bought twice stand where their rank is.
    """
    smaller = np.searchsorted(np.sort(values), values, side="left")
    return smaller * FIFTHS // max(len(values), 1) + 1


def compute_rfm(session: Session, *, now: datetime) -> int:
    """Compute everybody's scores from the orders before `now` and store what changed; returns how many people changed.

    Recency is the rank of the last order, frequency of the number of orders, monetary of the revenue among all who
    ordered in that currency (of several currencies the best rank). Cancelled orders do not count; people without an
    order, and forgotten ones, have no score.
    """
    found = difference(session, now=now)
    _write(session, found, now=now)
    note_names(session.connection(), dict.fromkeys(NAMES, to_us(now)), told=False)
    return len(found.fresh.ids)


def tick(database: Database, *, now: datetime, limit: int) -> int:
    """Compute once a day (UTC), `limit` people per transaction; returns how many people changed.

    Harmless when another process is at it, when today's were computed, or when the shop tells these scores itself. Who
    is stopped in the middle leaves whole people, and the next tick goes on.
    """
    with database.reading() as session:
        known = known_scores(session)
        has_orders = session.execute(select(ORDERS.c.id).limit(1)).first() is not None
    ours = known.get("rfm")
    if not has_orders or any(known[name].told for name in NAMES if name in known):
        return 0
    if ours is not None and ours.computed_at.astimezone(UTC).date() >= now.astimezone(UTC).date():
        return 0
    return run(database, now=now, limit=limit) or 0


def run(database: Database, *, now: datetime, limit: int) -> int:
    """Compute now, whoever told the scores before; returns how many people changed.

    Raises Conflict when another process is computing.
    """
    lease = take(database, "scores")
    if lease is None:
        raise Conflict("The scores are being computed by another process. Try again in a minute.")
    try:
        with database.reading() as session:
            found = difference(session, now=now)
        for piece in found.pieces(limit):
            with database.writing() as session:
                _write(session, piece, now=now)
        with database.writing() as session:
            note_names(session.connection(), dict.fromkeys(NAMES, to_us(now)), told=False)
    finally:
        lease.release()
    return len(found.fresh.ids)


def difference(session: Session, *, now: datetime) -> Difference:
    """What the scores as of `now` change in those that are stored."""
    scored = _scored(session, now)
    ids, digits = _stored(session)
    place = np.searchsorted(ids, scored.ids)
    known = np.zeros(len(scored.ids), dtype=bool)
    inside = place < len(ids)
    known[inside] = ids[place[inside]] == scored.ids[inside]
    same = known.copy()
    same[known] = digits[place[known]] == scored.digits[known]
    return Difference(Scored(scored.ids[~same], scored.digits[~same]), np.setdiff1d(ids, scored.ids[same]))


def _scored(session: Session, now: datetime) -> Scored:
    grouped = (
        select(ORDERS.c.customer_id, ORDERS.c.currency, func.max(ORDERS.c.ordered_at, type_=ORDERS.c.id.type),
               func.count(), func.sum(ORDERS.c.total_cents))
        .where(not_(ORDERS.c.cancelled), ORDERS.c.ordered_at < now,
               ORDERS.c.customer_id.not_in(select(CUSTOMERS.c.id).where(CUSTOMERS.c.forgotten_at.is_not(None))))
        .group_by(ORDERS.c.customer_id, ORDERS.c.currency)
    )
    owners, currencies, last_us, orders, cents = _columns(session, grouped, 5, texts=(1,))
    ids, group = np.unique(owners, return_inverse=True)
    recency, frequency = np.full(len(ids), np.iinfo(np.int64).min), np.zeros(len(ids), dtype=np.int64)
    np.maximum.at(recency, group, last_us)
    np.add.at(frequency, group, orders)
    monetary = np.zeros(len(ids), dtype=np.int64)
    for currency in np.unique(currencies):
        chosen = currencies == currency
        np.maximum.at(monetary, group[chosen], fifths(cents[chosen]))
    return Scored(ids, 100 * fifths(recency) + 10 * fifths(frequency) + monetary)


def _stored(session: Session) -> tuple[Numbers, Numbers]:
    """Whose scores are stored, and their digits; 0 where the four do not say the same."""
    read = {name: _columns(session, select(SCORES.c.customer_id, SCORES.c.value).where(SCORES.c.name == name), 2)
            for name in NAMES}
    ids = np.unique(np.concatenate([owners for owners, _values in read.values()]))
    held = {name: np.zeros(len(ids), dtype=np.int64) for name in NAMES}
    for name, (owners, values) in read.items():
        held[name][np.searchsorted(ids, owners)] = values
    told = 100 * held["recency"] + 10 * held["frequency"] + held["monetary"]
    return ids, np.where(told == held["rfm"], told, 0)


def _columns(session: Session, rows: Select[Any], count: int, *, texts: tuple[int, ...] = ()) -> list[Numbers]:
    """A result as columns, a block of rows at a time."""
    blocks: list[list[Numbers]] = [[] for _ in range(count)]
    with session.connection().execute(rows.execution_options(stream_results=True)) as result:
        while block := result.fetchmany(ROWS_AT_ONCE):
            for place, values in enumerate(zip(*block, strict=True)):
                blocks[place].append(np.array(values) if place in texts else np.array(values, dtype=np.int64))
    return [np.concatenate(parts) if parts else np.empty(0, dtype=np.int64) for parts in blocks]


def _write(session: Session, found: Difference, *, now: datetime) -> None:
    replace_scores(session.connection(), {name: found.stale.tolist() for name in NAMES},
                   found.fresh.columns(now=now))
