"""How do thousands of small writes a second share SQLite's one durable commit?

Owns one writer thread per process. It opens the transaction first (waiting for the file lock), then takes whatever
queued up meanwhile, each job in its own SAVEPOINT, and commits once. Jobs of one kind may share their statements too:
each statement gives the interpreter away, and getting it back from busy threads takes longer than the statement. The
promise: nobody is answered before the commit that holds their work, and one failing job takes no other with it.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine

LARGEST_BATCH = 128

Job = Callable[[Connection], Any]
Together = Callable[[Connection, Sequence[Any]], Sequence[Any]]

log = logging.getLogger(__name__)


class Apart(Exception):
    """Raised by shared work that cannot be shared after all: what it wrote is taken back, each job runs alone."""


@dataclass(frozen=True)
class Shared:
    """How a job may be done together with others: `together` gets the items of all and gives one answer for each.

    None in the place of an answer: that job has to run alone, and nothing was written for it.
    """

    together: Together
    item: Any


@dataclass(frozen=True)
class _Waiting:
    """One job in the queue and who waits for it."""

    job: Job
    future: Future[Any]
    shared: Shared | None


class GroupCommit:
    """Queue of small write jobs over one SQLite engine; the thread starts with the first job, so after any fork."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()

    def run(self, job: Job, shared: Shared | None = None) -> Any:
        """Put one job in the queue and wait for the commit; returns its value or raises its exception."""
        future: Future[Any] = Future()
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="group-commit", daemon=True)
                self._thread.start()
            self._jobs.put(_Waiting(job, future, shared))
        return future.result()

    def close(self) -> None:
        """End the thread after the jobs already queued."""
        with self._start:
            if self._thread is not None:
                self._jobs.put(None)
                self._thread.join(timeout=30)
                self._thread = None

    def _serve(self) -> None:
        while (first := self._jobs.get()) is not None:
            if self._commit_together(first):
                return

    def _commit_together(self, first: _Waiting) -> bool:
        """Run one batch and answer it after the commit; True when asked to end."""
        batch = [first]
        ending = False
        try:
            with self._engine.begin() as connection:
                # The lock is ours from here on: what queued up while we waited for it rides along.
                while len(batch) < LARGEST_BATCH:
                    try:
                        item = self._jobs.get_nowait()
                    except queue.Empty:
                        break
                    if item is None:
                        ending = True
                        break
                    batch.append(item)
                answers = list(_run(connection, batch))
        except BaseException as error:
            for waiting in batch:
                waiting.future.set_exception(error)
            return ending
        for future, value, failure in answers:
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(value)
        return ending


def _run(connection: Connection, batch: Sequence[_Waiting]) -> Iterator[tuple[Future[Any], Any, BaseException | None]]:
    """What becomes of each job of a batch: first of those that share their work, then of the others in turn."""
    kinds = {waiting.shared.together: None for waiting in batch if waiting.shared is not None}
    done: set[int] = set()
    for together in kinds:
        sharing = [(place, waiting) for place, waiting in enumerate(batch)
                   if waiting.shared is not None and waiting.shared.together is together]
        items = [waiting.shared.item for _place, waiting in sharing if waiting.shared is not None]
        values, failure = _in_savepoint(connection, partial(_all_at_once, together, items))
        if failure is not None:
            if not isinstance(failure, Apart):
                log.error("Jobs that could not be done together run alone", exc_info=failure)
            continue
        for (place, waiting), value in zip(sharing, values, strict=True):
            if value is not None:
                done.add(place)
                yield waiting.future, value, None
    for place, waiting in enumerate(batch):
        if place not in done:
            yield (waiting.future, *_in_savepoint(connection, waiting.job))


def _all_at_once(together: Together, items: Sequence[Any], connection: Connection) -> Sequence[Any]:
    return together(connection, items)


def _in_savepoint(connection: Connection, job: Job) -> tuple[Any, BaseException | None]:
    raw: Any = connection.connection.dbapi_connection
    raw.execute("SAVEPOINT job")
    try:
        value = job(connection)
    except BaseException as error:
        if not raw.in_transaction:
            # SQLite gave up the whole transaction (disk full, corruption): nobody in this batch may be told "done".
            raise
        raw.execute("ROLLBACK TO job")
        raw.execute("RELEASE job")
        return None, error
    raw.execute("RELEASE job")
    return value, None
