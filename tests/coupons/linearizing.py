"""Could these answers have come one after the other? A checker for histories of one code, after Wing and Gong.

A history holds operations with the instants of their call and of their answer. It is linearizable when each operation
can be given one instant between the two, so that a plain counter with a limit would have answered the same. The search
takes up any operation that no other had ended before, and never looks at the same place twice (after Lowe). An
operation without an answer (its caller was killed) may have happened at any time after its call, or never.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Operation:
    """One call: `verb` redeem, rollback or validate for `order`; instants in nanoseconds of one clock.

    `answer` is new, same, full, done, True or False; None with `answered_ns` infinite: none came.
    """

    verb: str
    order: str
    called_ns: int
    answered_ns: float = inf
    answer: str | bool | None = None


@dataclass(frozen=True)
class Counter:
    """One code: which orders' uses stand, and which orders ever used it; `limit` uses at most."""

    limit: int
    standing: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()

    def after(self, verb: str, order: str) -> "tuple[str | bool, Counter]":
        """What a plain counter answers, and how it stands then."""
        room = order in self.standing if order in self.seen else len(self.standing) < self.limit
        if verb == "validate":
            return room, self
        if verb == "rollback":
            return "done", Counter(self.limit, self.standing - {order}, self.seen)
        if order in self.seen:
            return "same", self
        if not room:
            return "full", self
        return "new", Counter(self.limit, self.standing | {order}, self.seen | {order})


def order_of(history: Sequence[Operation], limit: int) -> list[Operation] | None:
    """The operations in an order that explains every answer; None when there is none: the history is refused."""
    # Who asked only, and was killed, has left nothing to explain.
    told = [operation for operation in history if operation.answer is not None or operation.verb != "validate"]
    calls = sorted(told, key=lambda operation: operation.called_ns)
    waiting, counter = (1 << len(calls)) - 1, Counter(limit)
    tried = {(waiting, counter)}
    path: list[tuple[int, Counter, Iterator[int], Operation | None]] = [(waiting, counter, _next(calls, waiting), None)]
    while path:
        waiting, counter, choices, _taken = path[-1]
        if all(calls[place].answer is None for place in _places(waiting)):
            return [taken for *_rest, taken in path if taken is not None]
        for place in choices:
            operation = calls[place]
            answer, following = counter.after(operation.verb, operation.order)
            left = waiting & ~(1 << place)
            if operation.answer in (None, answer) and (left, following) not in tried:
                tried.add((left, following))
                path.append((left, following, _next(calls, left), operation))
                break
        else:
            path.pop()
    return None


def _places(waiting: int) -> Iterator[int]:
    while waiting:
        lowest = waiting & -waiting
        yield lowest.bit_length() - 1
        waiting ^= lowest


def _next(calls: Sequence[Operation], waiting: int) -> Iterator[int]:
    """Operations that may come next: called before any that still waits was answered.

    Who was answered first is tried first, and who never was at last: most often that is how it went.
    """
    first_answer: float = inf
    found = []
    for place in _places(waiting):
        if calls[place].called_ns > first_answer:
            break
        first_answer = min(first_answer, calls[place].answered_ns)
        found.append(place)
    return iter(sorted(found, key=lambda place: calls[place].answered_ns))
