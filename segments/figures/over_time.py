"""How many people would this rule have found at each month end of the past year?

Owns the rule run as of each month end. Every size is kept until the facts change, so a page may ask again and again
while the answer comes together. The promise: each call counts at least one month that is missing, then as many as its
time allows, so that nobody waits long and a draft that has changed is not counted further.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock

from segments.engines.questions import Questions
from segments.language.conditions import Rule
from segments.language.windows import months_before
from segments.saving.saved import resolved

KEPT = 2_000


@dataclass(frozen=True)
class MonthEnd:
    """`at` is the first instant after the month (UTC); `people` None: not counted yet."""

    at: datetime
    people: int | None


class Sizes:
    """The sizes counted so far; make one per process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Rule, datetime, str], int] = OrderedDict()
        self._lock = Lock()

    def over_time(
        self, questions: Questions, rule: Rule, *, now: datetime, months: int = 12, seconds: float = 0.5,
        watch: Callable[[], float] = time.perf_counter,
    ) -> list[MonthEnd]:
        """The rule's size at each of the last `months` month ends, oldest first; what time did not allow is None.

        Facts that carry no date (an address, a field) count as they are now. Raises as `Questions.count` does.
        """
        with questions.database.reading() as session:
            whole = resolved(session.connection(), rule)
        mark = questions.facts_mark()
        started, found = watch(), []
        counted = 0
        for at in month_ends(now, months):
            key = (whole, at, mark)
            people = self._get(key)
            if people is None and (counted == 0 or watch() - started < seconds):
                people = questions.count(whole, as_of=at, now=now, fresh=False).value
                counted += 1
                self._put(key, people)
            found.append(MonthEnd(at, people))
        return found

    def _get(self, key: tuple[Rule, datetime, str]) -> int | None:
        with self._lock:
            return self._kept.get(key)

    def _put(self, key: tuple[Rule, datetime, str], people: int) -> None:
        with self._lock:
            self._kept[key] = people
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def month_ends(now: datetime, months: int) -> list[datetime]:
    """The first instants after the last `months` whole months before `now`, UTC, oldest first."""
    this = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return [months_before(this, back) for back in range(months - 1, -1, -1)]
