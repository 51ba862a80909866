"""How long does writing the members of a segment take, beside the best bulk write of the same rows?

Asked of both row stores, in turn within one run: a first refresh lets everybody in, timed from the moment its answer is
there until it is published; by hand the same rows go into the same table with the same indexes in one transaction. Ours
writes in chunks, so that nobody else waits for long; the ratio is what that costs.
"""

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlalchemy import func, select

from core.bulk import bulk_insert
from core.database import Database, open_database
from core.settings import read_settings
from core.types import Base, to_us
from customers.models import Customer
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.membership.refreshing import steps
from segments.membership.stays import MEMBERS
from segments.saving.saved import save_segment

TARGET = 1.5
NOW = datetime(2026, 3, 1, tzinfo=UTC)
_BY_HAND = 1_000_000
"""Segment numbers of the rows written by hand: above all of ours."""


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
        ("by_hand", lambda turn: _by_hand(database, numbers, turn))]
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
    if counted != 2 * people * (rounds + 1):
        raise RuntimeError(f"{counted} members were written")
    pairs = [mine / other for mine, other in zip(times["ours"], times["by_hand"], strict=True)]
    return {name: round(median(values) * 1000, 1) for name, values in times.items()} | {
        "ratio": round(median(pairs), 3)}


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


def _by_hand(database: Database, numbers: Any, turn: int) -> float:
    started, count = time.perf_counter(), len(numbers)
    with database.writing() as session:
        bulk_insert(session.connection(), MEMBERS, {
            "segment_id": [_BY_HAND + turn] * count, "customer_id": numbers, "entered_by": [_BY_HAND + turn] * count,
            "entered_at": [to_us(NOW)] * count})
    return time.perf_counter() - started
