"""How do thousands of small writes a second share SQLite's one durable commit?

Owns one writer thread per process. It opens the transaction first (waiting for the file lock), then takes whatever
queued up meanwhile, each job in its own SAVEPOINT, and commits once. The promise: nobody is answered before the commit
that holds their work, and one failing job takes no other with it.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from sqlalchemy import Connection, Engine

LARGEST_BATCH = 128

Job = Callable[[Connection], Any]


class GroupCommit:
    """Queue of small write jobs over one SQLite engine; the thread starts with the first job, so after any fork."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[tuple[Job, Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()

    def run(self, job: Job) -> Any:
        """Put one job in the queue and wait for the commit; returns its value or raises its exception."""
        future: Future[Any] = Future()
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="group-commit", daemon=True)
                self._thread.start()
            self._jobs.put((job, future))
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

    def _commit_together(self, first: tuple[Job, Future[Any]]) -> bool:
        """Run one batch and answer it after the commit; True when asked to end."""
        batch = [first]
        ending = False
        answers: list[tuple[Future[Any], Any, BaseException | None]] = []
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
                for job, future in batch:
                    answers.append((future, *_in_savepoint(connection, job)))
        except BaseException as error:
            for _job, future in batch:
                future.set_exception(error)
            return ending
        for future, value, failure in answers:
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(value)
        return ending


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
