"""How long does writing the members of a segment take, beside the best bulk write of the same rows?

Asked of both row stores, in turn within one run: a first refresh lets everybody in, timed from the moment its answer is
there until it is published; by hand the same rows go into the same table with the same indexes in one transaction,
under numbers drawn from the same sequences, so that they fall into the same places of the indexes. On SQLite by hand is
done two ways, values bound block by block and one list taken apart by SQLite; the quicker counts. Ours writes in
chunks, so that nobody else waits for long; the ratio is what that costs.
"""

import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from core.bulk import bulk_insert
from core.database import Database, open_database
from core.settings import read_settings
from core.types import Base, to_us
from customers.models import Customer
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.membership.refreshing import steps
from segments.membership.stays import MEMBERS
from segments.models import SegmentRefresh
from segments.saving.saved import save_segment

TARGET = 1.5
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def members_written(quick: bool) -> dict[str, dict[str, float] | None]:
    """Per row store the milliseconds, ours and by hand, and the ratio pair by pair; None without a PostgreSQL."""
    people, rounds = (20_000, 3) if quick else (500_000, 5)
    with TemporaryDirectory() as folder:
        found: dict[str, dict[str, float] | None] = {
            "sqlite": _measured(f"sqlite:///{folder}/members.db", Path(folder), people, rounds)}
        try:
            from tests.postgres import running_postgres
        except ImportError:
            return found | {"postgresql": None}
        with running_postgres() as url:
            return found | {"postgresql": _measured(url, Path(folder), people, rounds)}


def _measured(url: str, folder: Path, people: int, rounds: int) -> dict[str, float]:
    database = open_database(url)
    Base.metadata.create_all(database.engine)
    numbers = np.arange(1, people + 1)
    with database.writing() as session:
        bulk_insert(session.connection(), Customer.__table__, {  # type: ignore[arg-type]
            "id": numbers, "external_id": [str(number) for number in numbers], "attributes": ["{}"] * people,
            "imported_at": [to_us(NOW)] * people, "search": [""] * people, "dunning_level": [0] * people})
    settings = read_settings({"WINBACK_HOME": str(folder / "home"), "WINBACK_SECRET_KEY": "benchmark" * 4})
    ways: list[tuple[str, Callable[[int], float]]] = [
        ("ours", lambda turn: _ours(database, settings, turn)),
        ("by_hand", lambda turn: _by_hand(database, numbers, f"by-hand-{turn}", _in_bulk))]
    if database.is_sqlite:
        ways.append(("as_a_list", lambda turn: _by_hand(database, numbers, f"as-a-list-{turn}", _as_a_list)))
    times: dict[str, list[float]] = {name: [] for name, _way in ways}
    try:
        for turn in range(rounds + 1):
            for name, way in ways[:: 1 if turn % 2 else -1]:
                took = way(turn)
                times[name] += [took] if turn else []  # the first round warms up
        with database.reading() as session:
            counted = session.scalar(select(func.count()).select_from(MEMBERS))
    finally:
        database.dispose()
    if counted != len(ways) * people * (rounds + 1):
        raise RuntimeError(f"{counted} members were written")
    ratio = max(median(mine / other for mine, other in zip(times["ours"], values, strict=True))
                for name, values in times.items() if name != "ours")
    return {name: round(median(values) * 1000, 1) for name, values in times.items()} | {"ratio": round(ratio, 3)}


def _ours(database: Database, settings: Any, turn: int) -> float:
    """A first refresh of everybody, from its answer on."""
    with database.writing() as session:
        save_segment(session, f"all-{turn}", name="All", rule=parse_rule({"all": []}), now=NOW)
    with contextlib.closing(Questions(database, settings, engine="rows", seconds=600)) as questions:
        work = steps(database, questions, f"all-{turn}", now=NOW, cause="asked")
        next(work)
        started = time.perf_counter()
        for _committed in work:
            pass
        return time.perf_counter() - started


Write = Callable[[Session, int, int, Any], None]


def _by_hand(database: Database, numbers: Any, key: str, write: Write) -> float:
    with database.writing() as session:
        segment = save_segment(session, key, name="By hand", rule=parse_rule({"all": []}), now=NOW)
        refresh = SegmentRefresh(
            segment_id=segment.id, version=segment.version, as_of=NOW, cause="asked", engine="rows", took_ms=0,
            entered_count=len(numbers), left_count=0, members=len(numbers))
        session.add(refresh)
        session.flush()
        segment_id, number = segment.id, refresh.id
    started = time.perf_counter()
    with database.writing() as session:
        write(session, segment_id, number, numbers)
    return time.perf_counter() - started


def _in_bulk(session: Session, segment_id: int, number: int, people: Any) -> None:
    count = len(people)
    bulk_insert(session.connection(), MEMBERS, {
        "segment_id": [segment_id] * count, "customer_id": people, "entered_by": [number] * count,
        "entered_at": [to_us(NOW)] * count})


def _as_a_list(session: Session, segment_id: int, number: int, people: Any) -> None:
    session.execute(
        text("INSERT INTO segment_members (segment_id, customer_id, entered_by, entered_at)"
             " SELECT :segment, value, :number, :at FROM json_each(:people)"),
        {"segment": segment_id, "number": number, "at": to_us(NOW), "people": json.dumps(people.tolist())})
