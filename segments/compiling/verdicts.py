"""When does a test pass on a person's pile of rows, and what does it say of somebody who has no such rows?

Owns the form of that answer and how several of them are joined, and the reading of thresholds as exact numbers.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, and_, not_, or_

from segments.language.conditions import Test


@dataclass(frozen=True)
class Verdict:
    """`having` is SQL over one person's rows, or simply True or False; `without` is the answer with no rows at all."""

    having: ColumnElement[bool] | bool
    without: bool

    def opposite(self) -> "Verdict":
        having = not self.having if isinstance(self.having, bool) else not_(self.having)
        return Verdict(having, not self.without)


def together(verdicts: list[Verdict], *, every: bool) -> Verdict:
    """All (`every`) or any of several verdicts over the same rows, as one."""
    absorbing = not every
    if any(verdict.having is absorbing for verdict in verdicts):
        having: ColumnElement[bool] | bool = absorbing
    else:
        parts = [verdict.having for verdict in verdicts if not isinstance(verdict.having, bool)]
        having = (and_(*parts) if every else or_(*parts)) if parts else every
    answers = [verdict.without for verdict in verdicts]
    return Verdict(having, all(answers) if every else any(answers))


def whole_interval(test: Test, scale: int) -> tuple[int | None, int | None]:
    """The whole numbers that pass, both ends in; thresholds may have fractions, what is measured has none."""
    value: Any = test.value
    if test.operator == "between":
        return math.ceil(exact(value[0]) * scale), math.floor(exact(value[1]) * scale)
    edge = exact(value) * scale
    return {
        "equals": (math.ceil(edge), math.floor(edge)),
        "at_least": (math.ceil(edge), None),
        "more_than": (math.floor(edge) + 1, None),
        "at_most": (None, math.floor(edge)),
        "less_than": (None, math.ceil(edge) - 1),
    }[test.operator]


def passes_zero(test: Test) -> bool:
    """Whether 0, the answer of somebody without rows, passes."""
    low, high = whole_interval(test, 1)
    return (low is None or low <= 0) and (high is None or high >= 0)


def exact(value: float) -> Fraction:
    """The decimal number as it was written: 0.1 is a tenth."""
    return Fraction(str(value))
