"""What does each operator mean, in SQL and in words?

Owns the operators of the rule language: which kind of value each compares, its SQL and its phrase, side by side. The
SQL of an operator is asked only for values that are there; `is_not`, `not_in` and `is_not_set` are written as the
opposites they are, so that a missing value satisfies them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, false, func, not_

from core.texts import folded
from segments.conditions import Test
from segments.portable import fold, holds_text, in_words

Sql = Callable[[ColumnElement[Any], Any], ColumnElement[bool]]


@dataclass(frozen=True)
class Operator:
    """One operator: the kinds it compares, its SQL for a value that is there, and its phrase in each language."""

    name: str
    kinds: frozenset[str]
    sql: Sql | None
    words: dict[str, str]
    opposite_of: str | None = None


def _between(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    return and_(column >= value[0], column <= value[1])


def _starts(column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    text = folded(value)
    return func.substr(fold(column), 1, len(text)) == text


def _operator(
    name: str, kinds: str, sql: Sql | None, english: str, german: str, opposite: str | None = None
) -> Operator:
    return Operator(name, frozenset(kinds.split()), sql, {"en": english, "de": german}, opposite)


OPERATORS = {
    operator.name: operator
    for operator in (
        _operator("is", "text", lambda column, value: column == value, "is {}", "ist {}"),
        _operator("is_not", "text", None, "is not {}", "ist nicht {}", "is"),
        _operator("in", "text", lambda column, value: in_words(column, value), "is one of {}", "ist eins von {}"),
        _operator("not_in", "text", None, "is none of {}", "ist keins von {}", "in"),
        _operator("contains", "text", lambda column, value: holds_text(fold(column), bindparam(None, folded(value))),
                  "contains {}", "enthält {}"),
        _operator("starts_with", "text", _starts, "starts with {}", "beginnt mit {}"),
        _operator("equals", "number", lambda column, value: column == value, "is exactly {}", "ist genau {}"),
        _operator("at_least", "number", lambda column, value: column >= value, "is at least {}", "ist mindestens {}"),
        _operator("at_most", "number", lambda column, value: column <= value, "is at most {}", "ist höchstens {}"),
        _operator("more_than", "number", lambda column, value: column > value, "is more than {}", "ist mehr als {}"),
        _operator("less_than", "number", lambda column, value: column < value, "is less than {}",
                  "ist weniger als {}"),
        _operator("between", "number", _between, "is between {} and {}", "liegt zwischen {} und {}"),
        _operator("before", "date instant", lambda column, value: column < value, "is before {}", "liegt vor dem {}"),
        _operator("after", "date instant", lambda column, value: column >= value, "is on or after {}",
                  "liegt am oder nach dem {}"),
        _operator("within_days", "date instant", _between, "is within the last {} days",
                  "liegt in den letzten {} Tagen"),
        _operator("is_set", "text number date instant", lambda column, _value: column.is_not(None), "is known",
                  "ist bekannt"),
        _operator("is_not_set", "text number date instant", None, "is not known", "ist nicht bekannt", "is_set"),
    )
}
"""Name -> operator. Within a rule's condition exactly one of them stands beside the field or measure."""


def fitting(kind: str) -> tuple[str, ...]:
    """The operators that compare values of this kind."""
    return tuple(name for name, operator in OPERATORS.items() if kind == "any" or kind in operator.kinds)


def straight(test: Test) -> tuple[Test, bool]:
    """The test without its negation, and whether it was not negated: `is_not x` is (`is x`, False)."""
    opposite = OPERATORS[test.operator].opposite_of
    return (test, True) if opposite is None else (Test(opposite, test.value), False)


def compare(test: Test, column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    """The SQL of a straight test for values that are there; `value` may be a bound parameter made from the test's."""
    sql = OPERATORS[test.operator].sql
    return false() if sql is None else sql(column, value)


def opposite(comparison: ColumnElement[bool], column: ColumnElement[Any]) -> ColumnElement[bool]:
    """The exact complement of a comparison on a column that may be missing."""
    return column.is_(None) | not_(comparison)
