"""The steps of people who left long ago are taken out of the log, and the numbers stay as they were."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.database import Database
from journeys import pruning
from journeys.models import Version, Visit
from journeys.telling.showing import traffic
from tests.journeys.shop import furnish, go, walk, with_steps

GRAPH = {**with_steps(
    split={"kind": "split", "arms": {"A": 50, "B": 50}, "next": {"A": "end", "B": "long"}},
    long={"kind": "wait", "days": 400, "next": "end"}, end={"kind": "leave"}), "exit_when": [], "holdout_percent": 20}


def test_numbers_stay_and_whoever_is_inside_keeps_the_path(
    database: Database, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "PIECE", 7)
    furnish(database, range(1, 41), now=now, ends_in_days=None)
    go(database, GRAPH, now=now)
    walk(database, tmp_path, now=now)
    with database.reading() as session:
        version = session.scalars(select(Version)).one()
        before = traffic(session, version)
        kept = session.scalar(select(func.count()).select_from(Visit))
    assert pruning.tick(database, now=now + timedelta(days=99), days=100) == 0
    assert pruning.tick(database, now=now + timedelta(days=101), days=0) == 0
    while pruning.tick(database, now=now + timedelta(days=101), days=100):
        pass
    with database.reading() as session:
        left = list(session.scalars(select(Visit)))
        assert traffic(session, version) == before
    assert 0 < len(left) < (kept or 0) and {visit.outcome for visit in left} == {"B"}
