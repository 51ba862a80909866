"""Who keeps the mirror fresh while nobody waits for it?

Owns the thread that brings the mirror up to now when it is due (core/mirror.py says when), and the nightly putting in
order. Both stand beside the worker's rounds, so that no message waits for a refresh. Any number of workers may do this:
one at a time holds the mirror's lease.
"""

import logging
import threading

from segments.engines.questions import UNATTENDED_SECONDS, Questions
from winback.context import Context

log = logging.getLogger("winback.keeping")

LOOK_SECONDS = 5.0


class Keeper:
    """Looks every few seconds whether the mirror is due, until stopped."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._questions = Questions(context.database, context.settings, seconds=UNATTENDED_SECONDS)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="mirror", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; a refresh under way is finished or, with the process, thrown away."""
        self._stop.set()
        self._thread.join(timeout=5)
        self._questions.close()

    def look(self) -> bool:
        """Bring the mirror up to now if it is due; whether that was done. A failure is logged and tried again."""
        try:
            return self._questions.refresh(now=self._context.now(), when_due=True)
        except Exception:
            log.exception("the mirror could not be refreshed; trying again")
            return False

    def _keep(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self.look()


def put_in_order(context: Context) -> bool:
    """Bring the mirror up to now, compare its row counts with the row store's and sort all its rows again.

    A nightly duty; whether that was done here. Nothing is done for a base that the row store answers.
    """
    questions = Questions(context.database, context.settings)
    try:
        if questions.engine() != "mirror":
            return False
        done = questions.mirror.refresh(now=context.now(), how="sorted", wait_seconds=600)
        log.info("the mirror was put in order" if done else "the mirror was busy; it is put in order another night")
        return done
    finally:
        questions.close()
