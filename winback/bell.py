"""When do workers look for work?

Owns the bell: APScheduler in the one elected leader rings every second and starts the nightly and the hourly duties,
which know by themselves whether today's work is done; on PostgreSQL the ring reaches every worker by NOTIFY, on SQLite
it wakes this process. Between two rings every worker looks whether any fact has changed or a shop has told something,
so that an order, a redemption or a no is acted on at once. A lost ring costs a few seconds, never work: the work lists
live in the tables. Missed rings coalesce into one.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import text

from core import cursors, leases
from core.database import Database
from web.shops.inbox import newest_delivery

log = logging.getLogger("winback.bell")

CHANNEL = "winback_bell"
LOOK_SECONDS = 0.4
"""How soon a change is noticed; also how often a shop under fire makes the worker start a round."""


class Bell:
    """Wakes this process when it rings; the leader also makes it ring."""

    def __init__(
        self, database: Database, *, nightly: Callable[[], None], hourly: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._nightly = nightly
        self._hourly = hourly
        self._ears: list[threading.Event] = []
        self._stop = threading.Event()
        self._lead: leases.Lease | None = None
        self._scheduler: BackgroundScheduler | None = None
        self._threads = [threading.Thread(target=self._elect, name="election", daemon=True),
                         threading.Thread(target=self._look, name="changes", daemon=True)]
        if not database.is_sqlite:
            self._threads.append(threading.Thread(target=self._listen, name="bell", daemon=True))

    def start(self) -> None:
        """Begin to stand for election and to listen."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads and give up the lead."""
        self._stop.set()
        self.wake()
        for thread in self._threads:
            thread.join(timeout=5)
        self._step_down()

    def ear(self) -> Callable[[float], None]:
        """A new listener: called, it returns at the next ring, or at once if it rang since the last call; after at most
        so many seconds. Each loop has its own, so none takes another's ring away."""
        rung = threading.Event()
        self._ears.append(rung)

        def wait(seconds: float) -> None:
            rung.wait(seconds)
            rung.clear()

        return wait

    def wake(self) -> None:
        """Wake every listener of this process."""
        for rung in self._ears:
            rung.set()

    def _ring(self) -> None:
        if self._database.is_sqlite:
            self.wake()
            return
        with self._database.engine.connect() as connection:
            connection.execute(text(f"NOTIFY {CHANNEL}"))
            connection.commit()

    def _look(self) -> None:
        seen: tuple[int, int] | None = None
        while not self._stop.wait(LOOK_SECONDS):
            try:
                with self._database.reading() as session:
                    found = cursors.newest(session.connection()), newest_delivery(session.connection())
            except Exception:
                log.debug("changes cannot be looked at; trying again", exc_info=True)
                continue
            if found != seen:
                seen = found
                self.wake()

    def _elect(self) -> None:
        while not self._stop.wait(1):
            try:
                if self._lead is None:
                    self._lead = leases.take(self._database, leases.LEADER)
                    if self._lead is not None:
                        self._lead_from_now_on()
                elif not self._lead.still_held():
                    log.warning("the lead was lost; standing for election again")
                    self._step_down()
            except Exception:
                log.exception("election failed; trying again")

    def _lead_from_now_on(self) -> None:
        options = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = BackgroundScheduler(timezone=UTC, job_defaults=options)
        self._scheduler.add_job(self._ring, IntervalTrigger(seconds=1, timezone=UTC), id="bell")
        self._scheduler.add_job(self._nightly, CronTrigger(hour=2, minute=30, timezone=UTC), id="nightly")
        # The first one at once: whoever starts an installation sees what is computed daily without waiting.
        self._scheduler.add_job(self._hourly, IntervalTrigger(hours=1, timezone=UTC), id="hourly",
                                next_run_time=datetime.now(UTC))
        self._scheduler.start()

    def _step_down(self) -> None:
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None
        if self._lead is not None:
            self._lead.release()
            self._lead = None

    def _listen(self) -> None:
        url = self._database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while not self._stop.is_set():
            try:
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    while not self._stop.is_set():
                        for _notice in connection.notifies(timeout=1, stop_after=1):
                            self.wake()
            except psycopg.Error:
                log.warning("lost the bell's connection; connecting again")
                time.sleep(1)
