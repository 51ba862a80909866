"""A few actors on one PostgreSQL, each stopped at a statement until the next one is done or has to wait.

So a race has one course, whatever the machine does: no actor is left to chance, and nobody waits for a length of time.
`without` changes statements on their way to the server, to see what happens when a lock is taken out.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import event, text

from core.database import Database

Change = Callable[[str], str]
Job = Callable[[], object]

_WAITS = text("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = :pid")


class Stage:
    """Use it as a context: when it ends, everybody has played to the end.

    `results` has what each got or raised, `waited` who had to wait for somebody, `heard` every statement of an actor,
    and `changed` how many of them were changed.
    `slowly`: every statement by itself, as whenever somebody listens; else several may travel in one piece, and only
    `holding` stops an actor.
    """

    def __init__(self, database: Database, *, without: Change | None = None, slowly: bool = True) -> None:
        self.database = database
        self.results: dict[str, object] = {}
        self.waited: set[str] = set()
        self.heard: list[str] = []
        self.changed = 0
        self._engines = (database.engine, database._alone)
        self._without = without
        self._slowly = slowly
        self._stops: dict[tuple[str, str], tuple[str, Job]] = {}
        self._pids: dict[str, int] = {}
        self._asks_again: set[str] = set()
        self._playing = threading.local()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Stage":
        for engine in self._engines:
            engine.dispose()
            event.listen(engine, "connect", self._connected)
        if self._slowly:
            event.listen(self.database.engine, "before_cursor_execute", _listens)
        return self

    def __exit__(self, *_error: object) -> None:
        self.settle()
        if self._slowly:
            event.remove(self.database.engine, "before_cursor_execute", _listens)
        for engine in self._engines:
            event.remove(engine, "connect", self._connected)
            engine.dispose()

    def settle(self) -> None:
        """Wait until everybody has played to the end."""
        for thread in self._threads:
            thread.join()

    def before(self, actor: str, statement: str, do: Job) -> None:
        """Once, when this actor is about to run a statement that contains this."""
        self._stops[actor, "before"] = (statement, do)

    def after(self, actor: str, statement: str, do: Job) -> None:
        """Once, when this actor has run a statement that contains this."""
        self._stops[actor, "after"] = (statement, do)

    def play(self, actor: str, job: Job) -> None:
        """Let this actor do its job here and now."""
        self._playing.name = actor
        try:
            self.results[actor] = job()
        except Exception as error:  # the test judges what may be raised
            self.results[actor] = error
        finally:
            self._playing.name = ""

    def meanwhile(self, actor: str, job: Job) -> None:
        """Let this actor do its job in a thread of its own; come back when it is done or has to wait for somebody."""
        thread = threading.Thread(target=self.play, args=(actor, job))
        self._threads.append(thread)
        thread.start()
        while thread.is_alive():
            if self._is_held_up(actor):
                self.waited.add(actor)
                return
            thread.join(0.005)

    @contextmanager
    def holding(self, statement: str) -> Iterator[None]:
        """Somebody else holds what this statement locks as long as the block runs."""
        with self.database.engine.begin() as connection:
            connection.exec_driver_sql(statement)
            yield

    def _is_held_up(self, actor: str) -> bool:
        if actor in self._asks_again:
            return True
        with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            return bool(connection.execute(_WAITS, {"pid": self._pids.get(actor, 0)}).scalar())

    def _connected(self, connection: Any, _record: object) -> None:
        stage = self

        class Heard(psycopg.Cursor[Any]):
            def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
                actor = getattr(stage._playing, "name", "")
                if not actor:
                    return super().execute(query, params, **options)
                stage._pids[actor] = self.connection.info.backend_pid
                said = str(query)
                stage.heard.append(said)
                if "pg_sleep" in said:
                    stage._asks_again.add(actor)
                stage._stop(actor, "before", said)
                changed = said if stage._without is None else stage._without(said)
                stage.changed += changed != said
                found = super().execute(query if changed == said else changed, params, **options)
                stage._stop(actor, "after", said)
                return found

        connection.cursor_factory = Heard

    def _stop(self, actor: str, when: str, statement: str) -> None:
        wanted, do = self._stops.get((actor, when), (None, None))
        if wanted is not None and do is not None and wanted in statement:
            del self._stops[actor, when]
            self._playing.name = ""  # what is done while the actor stands still is not the actor's
            try:
                do()
            finally:
                self._playing.name = actor


def _listens(*_all: object) -> None:
    """Somebody listens."""
