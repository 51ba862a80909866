"""Who is due, and what happens to them?

Owns the batch runner: claim due enrolments, walk them through their steps as columns, and write moves, visits, messages
and codes in the same transaction. The promises: a crash leaves nothing half done, two workers never walk the same
person, a paused journey moves nobody, and one poison person is set aside with the error, never the batch.
"""

import gc
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any

import psycopg
from sqlalchemy import and_, exc, not_, select
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.bulk import plain_rows
from core.database import Database
from journeys.graphs.plans import Plan, load_plans
from journeys.models import Enrolment, Journey
from journeys.states import move
from journeys.walk.claiming import CLAIM
from journeys.walk.errands import standing_at
from journeys.walk.speaking import Shelf
from journeys.walk.walking import Walk

log = logging.getLogger("winback.journeys")

SQLITE_CHUNK = 2_000
POSTGRESQL_CHUNK = 5_000
WALKERS = 2
"""On PostgreSQL so many chunks are walked side by side: while the server writes one, the next is thought over. SQLite
has one writer."""
MOST_SET_ASIDE = 25
"""If more people than this fail in one chunk, the fault is not theirs: the chunk stays due and the error is raised."""

_OUTAGES = (exc.OperationalError, exc.InterfaceError, sqlite3.OperationalError, psycopg.OperationalError)


@dataclass(frozen=True)
class Services:
    """What steps need from the installation. `chunk` is people per transaction; None: what suits the database."""

    secret_key: str
    chunk: int | None = None


@dataclass
class _Round:
    """One call of `tick`: what it knows and whom it set aside in the chunk at hand."""

    database: Database
    plans: Mapping[int, Plan]
    now: datetime
    services: Services
    shelf: Shelf = field(default_factory=Shelf)
    failures: int = 0


def tick(database: Database, *, now: datetime, limit: int, services: Services) -> int:
    """Walk at most `limit` people who are due; returns how many were walked (or set aside)."""
    with database.reading() as session:
        plans = load_plans(session.connection(), states=("running",))
    if not plans:
        return 0
    this = _Round(database, plans, now, services)
    if database.is_sqlite:
        return _Crew(this, limit, size=services.chunk or SQLITE_CHUNK).walk()
    size = min(services.chunk or POSTGRESQL_CHUNK, -(-limit // WALKERS))
    with ThreadPoolExecutor(WALKERS - 1, "walker") as others:
        crew = _Crew(this, limit, size=size, others=others)
        try:
            crew.walk()
        except BaseException:
            crew.stop()
            raise
        for helper in crew.helpers:
            helper.result()
        return crew.walked


class _Crew:
    """Who walks the due people of one tick, together at most `limit`. The others come once a chunk is claimed that has
    no place left, so a tick with few people costs nothing more."""

    def __init__(self, this: _Round, limit: int, *, size: int, others: ThreadPoolExecutor | None = None) -> None:
        self.this, self.left, self.size, self.others = this, limit, size, others
        self.walked = 0
        self.helpers: list[Future[int]] = []
        self._lock = Lock()

    def walk(self) -> int:
        """Chunk after chunk until nobody is due whom no one holds, or the limit is reached; returns how many so far."""
        while size := self._ask_for():
            with uncollected():
                done = _chunk(replace(self.this, failures=0), size=size, full=self._call_others)
            with self._lock:
                self.walked += done
                self.left += size - done
            if done == 0:
                break
        return self.walked

    def stop(self) -> None:
        """Nobody begins another chunk."""
        with self._lock:
            self.left = -self.size * WALKERS

    def _ask_for(self) -> int:
        with self._lock:
            size = max(0, min(self.size, self.left))
            self.left -= size
            return size

    def _call_others(self) -> None:
        if self.others is not None:
            others, self.others = self.others, None
            self.helpers += [others.submit(self.walk) for _ in range(WALKERS - 1)]


class _Uncollected:
    """How many are in the block, so that the last one to leave lets garbage be looked for again."""

    lock, inside, was_on = Lock(), 0, True


@contextmanager
def uncollected() -> Iterator[None]:
    """Nobody looks for garbage in this block: a chunk makes hundreds of thousands of tuples, none of them in a cycle,
    and to look through them is a tenth of the time. Whatever else in the process makes some has it collected after."""
    with _Uncollected.lock:
        if _Uncollected.inside == 0:
            _Uncollected.was_on = gc.isenabled()
            gc.disable()
        _Uncollected.inside += 1
    try:
        yield
    finally:
        with _Uncollected.lock:
            _Uncollected.inside -= 1
            if _Uncollected.inside == 0 and _Uncollected.was_on:
                gc.enable()


def _chunk(this: _Round, *, size: int, full: Callable[[], None]) -> int:
    """Claim and walk one chunk; after an error walk the same people in halves until the one at fault stands alone.

    `full` is called once all of its places are taken: there may be more.
    """
    claimed: list[int] = []
    try:
        with this.database.writing() as session:
            rows = _claim(session, this, size=size)
            claimed += [row[0] for row in rows]
            if len(rows) == size:
                full()
            Walk(session, this.plans, rows, now=this.now, secret_key=this.services.secret_key, shelf=this.shelf).run()
    except _OUTAGES:
        raise
    except Exception:
        if not claimed:
            raise
        log.exception("a chunk of %s people failed; walking them in halves", len(claimed))
        _in_halves(this, claimed)
    return len(claimed)


def _in_halves(this: _Round, ids: Sequence[int]) -> None:
    if len(ids) > 1:
        middle = len(ids) // 2
        for half in (ids[:middle], ids[middle:]):
            if not _walked(this, half):
                _in_halves(this, half)
    elif not _walked(this, ids):
        # Alone and failing twice: this is the one.
        _walked(this, ids, last=True)


def _walked(this: _Round, ids: Sequence[int], *, last: bool = False) -> bool:
    try:
        with this.database.writing() as session:
            rows = _claim(session, this, size=len(ids), ids=ids)
            Walk(session, this.plans, rows, now=this.now, secret_key=this.services.secret_key, shelf=this.shelf).run()
        return True
    except _OUTAGES:
        raise
    except Exception as error:
        if last:
            this.failures += 1
            if this.failures > MOST_SET_ASIDE:
                raise
            _set_aside(this, ids[0], error)
        return False


def _set_aside(this: _Round, enrolment_id: int, error: Exception) -> None:
    log.error("enrolment %s is set aside: %s", enrolment_id, error)
    words = f"{type(error).__name__}: {error}"[:2000].replace("\0", "")
    with this.database.writing() as session:
        move(session.connection(), [enrolment_id], "failed", from_="active", now=this.now, error=words, due_at=None)


def _claim(
    session: Session, this: _Round, *, size: int, ids: Sequence[int] | None = None
) -> Sequence[tuple[Any, ...]]:
    """Lock due people of running journeys, oldest first; the journeys are held so that a pause waits for this chunk."""
    running: dict[int, dict[str, Any] | None] = dict(session.execute(
        select(Journey.id, Journey.moving)
        .where(in_ids(Journey.id, sorted({plan.journey_id for plan in this.plans.values()})),
               Journey.state == "running", Journey.resuming.is_(None))
        .order_by(Journey.id).with_for_update(read=True)
    ).all())
    versions = [plan.version_id for plan in this.plans.values() if plan.journey_id in running]
    query = CLAIM.where(in_ids(Enrolment.version_id, versions), Enrolment.due_at <= this.now).limit(size)
    for errand in running.values():
        if errand is not None:  # they go on in the version to which they are being brought
            query = query.where(not_(and_(*standing_at(errand))))
    if ids is not None:
        query = query.where(in_ids(Enrolment.id, ids))
    return plain_rows(session.connection(), query)
