"""Is somebody trying codes until one fits?

Owns counting unknown codes per caller in this process's memory. Who meets too many of them within a minute is asked to
wait (429) for every further code, right or wrong, so that the answers tell nothing. The count is per process and gone
with it: N web processes allow N times as many. That is honest enough, since 60 random bits cannot be guessed at any
such rate; the wait spares the database and protects short public codes.
"""

import threading
import time
from collections import OrderedDict, deque

from flask import current_app
from werkzeug.exceptions import TooManyRequests

UNKNOWN_PER_MINUTE = 120
_WINDOW_SECONDS = 60.0
_CALLERS_KEPT = 10_000


class Guesses:
    """When each caller last named an unknown code."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, caller: str, *, at: float) -> None:
        """Remember one unknown code."""
        with self._lock:
            times = self._seen.setdefault(caller, deque(maxlen=UNKNOWN_PER_MINUTE))
            times.append(at)
            self._seen.move_to_end(caller)
            while len(self._seen) > _CALLERS_KEPT:
                self._seen.popitem(last=False)

    def wait_seconds(self, caller: str, *, at: float) -> int:
        """How long this caller has to wait; 0: not at all."""
        with self._lock:
            times = self._seen.get(caller)
            if times is None or len(times) < UNKNOWN_PER_MINUTE:
                return 0
            return max(0, int(times[0] + _WINDOW_SECONDS - at) + (1 if times[0] + _WINDOW_SECONDS > at else 0))


def _guesses() -> Guesses:
    found: Guesses = current_app.extensions.setdefault("winback.guesses", Guesses())
    return found


def refuse_guessers(caller: str) -> None:
    """Raise TooManyRequests for a caller who named too many unknown codes within the last minute."""
    seconds = _guesses().wait_seconds(caller, at=time.monotonic())
    if seconds:
        raise TooManyRequests(retry_after=seconds)


def note_unknown(caller: str) -> None:
    """Remember that this caller named an unknown code."""
    _guesses().note(caller, at=time.monotonic())
