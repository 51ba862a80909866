"""Which other segments are these people in as well, and in which of them together?

Owns the comparison of one rule with saved segments: per segment its size and the people both have, and the
combinations of the largest overlaps. Ids are compared as sorted arrays; those of saved segments are kept until the
facts change or a few minutes pass. The promise: the combinations part the rule's people: their sizes add up.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from core.errors import WinbackError
from segments.engines.questions import Questions
from segments.language.conditions import All, InSegment, Not, Rule
from segments.saving.saved import resolved

MOST_COMPARED = 60
MOST_COMBINED = 5
MOST_COMBINATIONS = 10
MOST_KEPT_IDS = 4_000_000
GOOD_FOR = timedelta(minutes=5)

Ids = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Common:
    """One other segment: its size, the people it shares with the rule, and the rule that finds those."""

    key: str
    size: int
    both: int
    rule: Rule


@dataclass(frozen=True)
class Combination:
    """People of the rule who are in exactly `inside` of the compared segments (keys; empty: in none of them)."""

    inside: tuple[str, ...]
    people: int
    rule: Rule


@dataclass(frozen=True)
class Overlap:
    """`commons` by shared people, most first; `combined` are the keys that `combinations` tell apart. `left_out` are
    segments that cannot be counted or that time did not allow."""

    people: int
    commons: tuple[Common, ...]
    combined: tuple[str, ...]
    combinations: tuple[Combination, ...]
    left_out: tuple[str, ...]


class Overlaps:
    """The ids of saved segments compared so far; make one per process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Rule, str], tuple[datetime, Ids]] = OrderedDict()
        self._lock = Lock()

    def overlap(
        self, questions: Questions, rule: Rule, keys: Sequence[str], *, as_of: datetime, seconds: float = 3.0,
        watch: Callable[[], float] = time.perf_counter,
    ) -> Overlap:
        """Compare the rule's people with those of the saved segments `keys`, as things stood at `as_of`.

        Raises as `Questions.ids` does for the rule itself; a segment that cannot be counted is left out by name.
        """
        mine = np.asarray(questions.ids(rule, as_of=as_of, fresh=False).value, dtype=np.int64)
        started, mark = watch(), questions.facts_mark()
        found: dict[str, Flags] = {}
        sizes: dict[str, int] = {}
        left_out: list[str] = list(keys[MOST_COMPARED:])
        for key in keys[:MOST_COMPARED]:
            if watch() - started > seconds:
                left_out.append(key)
                continue
            try:
                theirs = self._ids(questions, key, mark, as_of)
            except WinbackError:
                left_out.append(key)
                continue
            found[key], sizes[key] = np.isin(mine, theirs, assume_unique=True), len(theirs)
        commons = sorted((Common(key, sizes[key], int(inside.sum()), narrowed(rule, InSegment(key)))
                          for key, inside in found.items()), key=lambda common: (-common.both, common.key))
        combined = tuple(common.key for common in commons if common.both)[:MOST_COMBINED]
        parts = _combinations(rule, combined, [found[key] for key in combined], len(mine))
        return Overlap(len(mine), tuple(commons), combined, parts, tuple(left_out))

    def _ids(self, questions: Questions, key: str, mark: str, as_of: datetime) -> Ids:
        with questions.database.reading() as session:
            whole = resolved(session.connection(), InSegment(key))
        with self._lock:
            kept = self._kept.get((whole, mark))
        if kept is not None and abs(as_of - kept[0]) < GOOD_FOR:
            return kept[1]
        ids = np.asarray(questions.ids(whole, as_of=as_of, fresh=False).value, dtype=np.int64)
        with self._lock:
            self._kept[whole, mark] = (as_of, ids)
            while len(self._kept) > 1 and sum(len(held) for _at, held in self._kept.values()) > MOST_KEPT_IDS:
                self._kept.popitem(last=False)
        return ids


def narrowed(rule: Rule, *others: Rule) -> Rule:
    """The rule with further conditions that all must hold, as flat as it can be."""
    parts: list[Rule] = []
    for part in (rule, *others):
        parts.extend(part.rules if isinstance(part, All) else (part,))
    return All(tuple(parts))


def _combinations(
    rule: Rule, keys: Sequence[str], inside: Sequence[Flags], people: int
) -> tuple[Combination, ...]:
    """Who is in exactly which of these segments, the most people first."""
    if not keys:
        return ()
    bits = np.zeros(people, dtype=np.int64)
    for place, flags in enumerate(inside):
        bits |= flags.astype(np.int64) << place
    found = sorted(zip(*map(np.ndarray.tolist, np.unique(bits, return_counts=True)), strict=True),
                   key=lambda pair: (-pair[1], pair[0]))
    parts = []
    for code, count in found[:MOST_COMBINATIONS]:
        held = tuple(key for place, key in enumerate(keys) if code >> place & 1)
        others: list[Rule] = [InSegment(key) if key in held else Not(InSegment(key)) for key in keys]
        parts.append(Combination(held, int(count), narrowed(rule, *others)))
    return tuple(parts)
