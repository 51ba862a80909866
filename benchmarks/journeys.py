"""How fast are people walked through split and send, beside hand-written SQL and a loop over objects?

Measures the runner on a database of its own, SQLite and PostgreSQL: every person is asked about (exits, consent,
address, blocks, wishes), split, given a personal code and put in the ledger, with two visits and the move. Baselines in
the same run, from copies of the same database: set SQL that writes the very same rows without deciding anything, and a
loop over objects with a commit per person (benchmarks/by_hand.py), the mean of the first people and the last, since
tables grow. `whole` is all of ours, with as many chunks side by side as a worker walks; `writes` is ours without the
seconds in which policy was asked and rules decided: who leaves, which channel is allowed, the arm, the wait.
benchmarks/beside.py has the parts waiting, exit, exit_amid, beside and workers.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from threading import Lock
from typing import Any

from benchmarks.beside import MEASURES, beside_limit
from benchmarks.by_hand import SetSql, differing, orm_loop
from benchmarks.crowd import KEY, NOW, prepare
from benchmarks.fresh import Fresh, files, server
from benchmarks.memory import forget_peak, peak_mb
from core.database import Database, open_database
from journeys.graphs import steps
from journeys.walk import running, speaking, walking

ORM_SAMPLE = (200, 400)
"""People of the loop, in a quick run and in a full one."""
WARM_UP = 100
"""So many people before any that are measured, of each of the three: whoever compiles statements has done so."""
CHUNKS_IN_TURN = 4
STORES = ("sqlite", "postgresql")
PARTS = (*STORES, *MEASURES)
TARGETS = {"whole": 2.5, "writes": 1.6, "orm_loop": 150}
"""Ours over set SQL, at most; the loop over ours per person, at least."""
LIMIT_SECONDS = {"sqlite": 35, "postgresql": 45}
"""For a million people; printed beside what was measured, and deciding nothing."""


@dataclass(frozen=True)
class _Walked:
    """Turn by turn seconds of ours, of which policy and rules, and of the set SQL; seconds of the loop per person, the
    first ones and the last; memory held at most after a tenth of the people and after all; people of the turns."""

    turns: list[tuple[float, float, float]]
    loop_each: tuple[float, float]
    held_mb: tuple[int, int]
    people: int

    def each(self, column: int) -> float:
        """Seconds per person: 0 of ours, 1 of which policy and rules, 2 of the set SQL."""
        return sum(turn[column] for turn in self.turns) / self.people

    @property
    def loop(self) -> float:
        """Seconds per person, as tables grow from the first to the last."""
        return sum(self.loop_each) / 2


def run(quick: bool, home: Path, part: str | None = None) -> dict[str, Any]:
    """One JSON row; `ours` is steps per second, ratios are times: ours over set SQL (medians of the turns), loop over
    ours."""
    size = 80_000 if quick else 1_000_000
    folder = Path(tempfile.mkdtemp(prefix="journeys-", dir=home))
    try:
        walked = {}
        for store in STORES if part is None else {part} & set(STORES):
            filled = partial(prepare, size=size)
            with (files(folder, filled) if store == "sqlite" else server(filled)) as fresh:
                walked[store] = _walked(fresh, size)
        # Those wait for real seconds to pass: in a quick run only when asked for.
        wanted = {part} if quick or part else set(MEASURES)
        more = {name: measure(folder, quick) for name, measure in MEASURES.items() if name in wanted}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ratios: dict[str, float] = {}
    for store, one in walked.items():
        ratios[f"{store}_whole"] = round(median(whole / by_hand for whole, _, by_hand in one.turns), 2)
        ratios[f"{store}_writes"] = round(median((whole - asked) / by_hand for whole, asked, by_hand in one.turns), 2)
        ratios[f"{store}_orm_loop"] = round(one.loop / one.each(0), 1)
    targets = {name: TARGETS[name.partition("_")[2]] for name in ratios}
    first = next(iter(walked.values()), None)
    return {
        "name": "journeys", "unit": "steps/s", "ours": first and round(2 / first.each(0)),
        "baselines": {f"{store}_{name}": round(2 * per_second) for store, one in walked.items()
                      for name, per_second in (("set_sql", 1 / one.each(2)), ("orm_loop", 1 / one.loop))},
        "ratios": ratios, "targets": targets,
        "met": all(ratio >= targets[name] if name.endswith("orm_loop") else ratio <= targets[name]
                   for name, ratio in ratios.items()),
        "seconds": {store: {"whole": round(one.each(0) * size, 2), "asked": round(one.each(1) * size, 2),
                            "set_sql": round(one.each(2) * size, 2),
                            "orm_loop_each": [round(each, 5) for each in one.loop_each]}
                    for store, one in walked.items()},
        "for_a_million": {store: beside_limit(one.each(0) * 1_000_000, LIMIT_SECONDS[store])
                          for store, one in walked.items()},
        "held_mb": {store: one.held_mb for store, one in walked.items()}, **more,
        "peak_mb": peak_mb(), "size": f"{size} people",
    }


def walk(database: Database, *, limit: int = 10**9) -> None:
    """Our side: until nobody is due."""
    running.tick(database, now=NOW, limit=limit, services=running.Services(KEY, chunk(database)))


def chunk(database: Database) -> int:
    """People of one transaction: many while no door is open on SQLite, the runner's own number elsewhere."""
    return 20_000 if database.is_sqlite else running.POSTGRESQL_CHUNK


def _walked(fresh: Fresh, size: int) -> _Walked:
    """Ours and the set SQL in turn, some chunks at a time: the machine is not as fast in one minute as in the next."""
    sample = ORM_SAMPLE[size > 100_000]
    each = [_looped(fresh("theirs"), sample)]
    ours, theirs = open_database(fresh("ours")), open_database(fresh("theirs"))
    by_hand, held, turns = SetSql(theirs, chunk=chunk(theirs)), [0, 0], []
    people = size - 2 * WARM_UP - sample
    at_once, side_by_side = (chunk(ours), 1) if ours.is_sqlite else (chunk(ours) * CHUNKS_IN_TURN, running.WALKERS)
    try:
        walk(ours, limit=WARM_UP)
        by_hand.hand_over(ours)
        by_hand.write()
        os.sync()  # the copies are on the disk; whoever waits for it first would wait for them, too
        forget_peak()
        with _asking() as asked:
            for done in range(0, people, at_once):
                by_hand.seconds = asked[0] = 0.0
                begun = time.perf_counter()
                walk(ours, limit=min(at_once, people - done))
                whole = time.perf_counter() - begun
                held[done >= size // 10] = peak_mb()
                by_hand.hand_over(ours)
                for _chunk in range(0, min(at_once, people - done), chunk(theirs)):
                    by_hand.write()
                turns.append((whole, asked[0] / side_by_side, by_hand.seconds))
        wrong = differing(ours, theirs, every=max(1, size // 20_000))
        if wrong:
            raise RuntimeError(f"ours and the set SQL did not write the same {', '.join(wrong)}")
    finally:
        ours.dispose()
        theirs.dispose()
    each.append(_looped(theirs.engine.url.render_as_string(hide_password=False), sample))
    return _Walked(turns, (each[0], each[1]), (held[0], held[1]), people)


def _looped(url: str, people: int) -> float:
    """Seconds per person of the loop, for the next who are due; it has compiled its statements, and the disk rests."""
    database = open_database(url)
    try:
        orm_loop(database, people=WARM_UP, secret_key=KEY)
        os.sync()
        return orm_loop(database, people=people, secret_key=KEY) / people
    finally:
        database.dispose()


@contextmanager
def _asking() -> Iterator[list[float]]:
    """Seconds spent in asking policy and deciding rules while the block runs, of all who walk side by side together."""
    spent, adding = [0.0], Lock()

    def timed(asks: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*given: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return asks(*given, **named)
            finally:
                with adding:
                    spent[0] += time.perf_counter() - begun

        return ask

    places: tuple[tuple[Any, str], ...] = (
        (speaking, "choices"), (walking, "reasons"), (steps, "arms"), (walking.Walk, "ends"))
    kept = [getattr(module, name) for module, name in places]
    for (module, name), asks in zip(places, kept, strict=True):
        setattr(module, name, timed(asks))
    try:
        yield spent
    finally:
        for (module, name), asks in zip(places, kept, strict=True):
            setattr(module, name, asks)
