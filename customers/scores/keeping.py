"""Which numbers do we hold about whom?

Owns storing scores, computed here or told by the shop, and which scores exist since when. The promise: only values that
changed are written, and a score nobody has computed is known to be missing, never taken for 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.bulk import bulk_insert, chunks
from core.types import Base
from customers.models import Score, ScoreName

TABLE = Base.metadata.tables["scores"]
IDS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Known:
    """One score that exists: since when, when last brought up to date, and whether the shop told it."""

    name: str
    first_at: datetime
    computed_at: datetime
    told: bool


def known_scores(session: Session | Connection, *, as_of: datetime | None = None) -> dict[str, Known]:
    """The scores that exist (existed at `as_of`), by name."""
    rows = session.execute(select(ScoreName.name, ScoreName.first_at, ScoreName.computed_at, ScoreName.told)
                           .order_by(ScoreName.name))
    return {row.name: Known(*row) for row in rows if as_of is None or row.first_at <= as_of}


def scores_of(session: Session, customer_id: int) -> list[Score]:
    """One person's scores by name."""
    return list(session.scalars(select(Score).where(Score.customer_id == customer_id).order_by(Score.name)))


def score_bodies(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """One person's scores by name, as JSON values; instants ISO 8601 in UTC."""
    return [{"name": score.name, "value": score.value,
             "computed_at": score.computed_at.astimezone(UTC).isoformat().replace("+00:00", "Z")}
            for score in scores_of(session, customer_id)]


def stored_scores(connection: Connection, customer_ids: Sequence[int]) -> dict[tuple[int, str], float]:
    """(customer id, name) -> value of these people."""
    rows = connection.execute(select(TABLE.c.customer_id, TABLE.c.name, TABLE.c.value)
                              .where(in_ids(TABLE.c.customer_id, customer_ids)))
    return {(row[0], row[1]): row[2] for row in rows}


def write_scores(connection: Connection, scores: Mapping[tuple[int, str], tuple[float, int]]) -> int:
    """Store (customer id, name) -> (value, computed at in microseconds); returns how many values changed."""
    stored = stored_scores(connection, sorted({customer_id for customer_id, _name in scores}))
    changed = {key: held for key, held in scores.items() if stored.get(key) != held[0]}
    replace_scores(connection, {name: [key[0] for key in changed if key[1] == name and key in stored]
                                for name in {key[1] for key in changed}}, {
        "customer_id": [key[0] for key in changed], "name": [key[1] for key in changed],
        "value": [held[0] for held in changed.values()], "computed_at": [held[1] for held in changed.values()]})
    return len(changed)


def replace_scores(connection: Connection, stale: Mapping[str, Sequence[int]], columns: Mapping[str, Any]) -> None:
    """Take the scores of some people out, by name, and put rows in, given as columns of driver values."""
    for name, customer_ids in stale.items():
        for ids in chunks(customer_ids, IDS_AT_ONCE):
            # The name is hidden from SQLite's planner, which would else walk everybody's scores of that name.
            mine = and_(in_ids(TABLE.c.customer_id, ids), TABLE.c.name.concat("") == name)
            connection.execute(delete(TABLE).where(mine))
    if len(columns["name"]):
        bulk_insert(connection, TABLE, columns)


def note_names(connection: Connection, latest_us: Mapping[str, int], *, told: bool) -> None:
    """Note that these scores exist: name -> the instant (microseconds) for which they were brought up to date."""
    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    least: Any = func.min if connection.dialect.name == "sqlite" else func.least
    for name, at_us in latest_us.items():
        statement = insert(ScoreName).values(name=name, first_at=at_us, computed_at=at_us, told=told)
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={
            "first_at": least(ScoreName.first_at, statement.excluded.first_at),
            "computed_at": statement.excluded.computed_at, "told": statement.excluded.told}))
