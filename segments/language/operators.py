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
from segments.dialects.portable import fold, holds_text, in_words
from segments.language.conditions import Test

Sql = Callable[[ColumnElement[Any], Any], ColumnElement[bool]]


@dataclass(frozen=True)
class Operator:
    """One operator: the kinds it compares, its SQL for a value that is there, and its phrase in each language.

    A phrase is what follows "have" for texts, and what stands before the unit for numbers; `{}` takes the value, and
    `{label}` the name of the fact.
    """

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
        _operator("is", "text", lambda column, value: column == value, "{} as their {label}", "{} als {label}"),
        _operator("is_not", "text", None, "{} as their {label}", "{} als {label}", "is"),
        _operator("in", "text", lambda column, value: in_words(column, value), "{} as their {label}",
                  "{} als {label}"),
        _operator("not_in", "text", None, "{} as their {label}", "{} als {label}", "in"),
        _operator("contains", "text", lambda column, value: holds_text(fold(column), bindparam(None, folded(value))),
                  '"{}" in their {label}', "„{}“ in der Angabe zu {label}"),
        _operator("starts_with", "text", _starts, '"{}" at the start of their {label}',
                  "„{}“ am Anfang der Angabe zu {label}"),
        _operator("equals", "number", lambda column, value: column == value, "exactly {}", "genau {}"),
        _operator("at_least", "number", lambda column, value: column >= value, "at least {}", "mindestens {}"),
        _operator("at_most", "number", lambda column, value: column <= value, "at most {}", "höchstens {}"),
        _operator("more_than", "number", lambda column, value: column > value, "more than {}", "mehr als {}"),
        _operator("less_than", "number", lambda column, value: column < value, "less than {}", "weniger als {}"),
        _operator("between", "number", _between, "{} to {}", "{} bis {}"),
        _operator("before", "date instant", lambda column, value: column < value, "before {}", "vor dem {}"),
        _operator("after", "date instant", lambda column, value: column >= value, "on or after {}",
                  "am oder nach dem {}"),
        _operator("within_days", "date instant", _between, "in the last {} days",
                  "in den letzten {} Tagen"),
        _operator("is_set", "text number date instant", lambda column, _value: column.is_not(None), "a known {label}",
                  "eine Angabe zu {label}"),
        _operator("is_not_set", "text number date instant", None, "no known {label}",
                  "keine Angabe zu {label}", "is_set"),
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
