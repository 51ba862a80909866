"""Who keeps the members of segments right while the worker sends?

Owns a thread of its own beside the worker's rounds, with a connection pool of its own: a refresh that takes long keeps
nobody from sending, and neither waits for the other's connections. It refreshes one segment at a time; more workers
mean more refreshers, who stand back from each other segment by segment.
"""

import logging
import threading
from contextlib import closing
from datetime import datetime

from core.clock import current_now
from core.database import Database, open_database
from segments.engines.questions import UNATTENDED_SECONDS, Questions
from segments.membership import duty
from winback.context import Context

log = logging.getLogger("winback.refresher")

CONNECTIONS = 2
PER_ROUND = 5
REST_SECONDS = 5.0


class Refresher:
    """The thread; `start` it, `stop` it."""

    def __init__(self, context: Context) -> None:
        self.database: Database = open_database(context.settings.database_url, pool_size=CONNECTIONS)
        self._questions = Questions(self.database, context.settings, seconds=UNATTENDED_SECONDS)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refresher", daemon=True)

    def start(self) -> None:
        """Begin to refresh what is due."""
        self._thread.start()

    def stop(self) -> None:
        """End after the segment at work, at the latest in a few seconds: what is half written is cleared next time."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        with closing(self._questions):
            while not self._stop.is_set():
                done = 0
                try:
                    with self.database.reading() as session:
                        now = current_now(session.connection())
                    done = duty.tick(self.database, now=now, limit=PER_ROUND, questions=self._questions)
                except Exception:
                    log.exception("a round of refreshing failed; the next one goes on")
                if not done:
                    self._stop.wait(REST_SECONDS)
        self.database.dispose()


def refresh_due(context: Context, *, now: datetime) -> int:
    """Refresh every segment that is due at `now`, then end; returns how many."""
    total = 0
    with closing(Questions(context.database, context.settings, seconds=UNATTENDED_SECONDS)) as questions:
        while done := duty.tick(context.database, now=now, limit=PER_ROUND, questions=questions):
            total += done
    return total
