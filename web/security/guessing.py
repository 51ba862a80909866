"""Is somebody trying codes until one fits?

Owns counting unknown codes per caller, over all processes. Who meets too many of them within this minute and the one
before is asked to wait (429) for every further code, right or wrong, so that the answers tell nothing. Only unknown
codes are counted and written down; who is at fault is read every two seconds, so honest traffic costs nothing. Wall
time is right here: an attacker does not live on an installation's simulated clock.
"""

import threading
import time

from flask import Flask, current_app
from werkzeug.exceptions import TooManyRequests

from core.database import Database
from coupons.till.guessing import caller_hash, callers_at_fault, note_guess
from web.requests.transactions import database

UNKNOWN_PER_MINUTE = 120
_KNOWN_SECONDS = 2.0


class AtFault:
    """The callers at fault, as this process last read them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._callers: frozenset[str] = frozenset()
        self._read_at = -_KNOWN_SECONDS
        self._lock = threading.Lock()

    def holds(self, caller: str) -> bool:
        """Whether this caller has to wait."""
        if time.monotonic() - self._read_at >= _KNOWN_SECONDS and self._lock.acquire(blocking=False):
            try:
                self.read()
            finally:
                self._lock.release()
        return bool(self._callers) and caller_hash(caller) in self._callers

    def read(self) -> None:
        """Read them now."""
        self._read_at = time.monotonic()
        with self._database.reading() as session:
            self._callers = callers_at_fault(
                session.connection(), since=int(time.time()) // 60 - 1, most=UNKNOWN_PER_MINUTE)


def at_fault(app: Flask) -> AtFault:
    """What this application knows of them."""
    found = app.extensions.get("winback.guesses")
    if found is None:
        found = app.extensions.setdefault("winback.guesses", AtFault(app.extensions["winback.database"]))
    assert isinstance(found, AtFault)
    return found


def _here() -> AtFault:
    return at_fault(current_app._get_current_object())  # type: ignore[attr-defined]


def refuse_guessers(caller: str) -> None:
    """Raise TooManyRequests for a caller who named too many unknown codes in this minute and the one before."""
    if _here().holds(caller):
        raise TooManyRequests(retry_after=61 - int(time.time()) % 60)


def note_unknown(caller: str) -> None:
    """Remember that this caller named an unknown code; here it counts at once, elsewhere within two seconds."""
    database().small(lambda connection: note_guess(connection, caller, minute=int(time.time()) // 60))
    _here().read()
