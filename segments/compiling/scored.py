"""Whose score passes a test, and does that score exist at all?

Owns the SQL of scores and the refusal of rules about scores that nobody has computed. Scores have no history: a rule
as of an earlier day sees the present values, and is refused for a day on which there were none yet.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from core.errors import NotComputed
from customers.models import Score
from customers.scores.keeping import known_scores
from segments.language.conditions import Rule, Scored, Test
from segments.language.operators import compare

SCORES: Table = Score.__table__  # type: ignore[assignment]


def scoring(name: str, test: Test) -> Select[Any]:
    """The ids of customers whose score passes a straight test."""
    return select(SCORES.c.customer_id).where(SCORES.c.name == name, compare(test, SCORES.c.value, test.value))


def uncomputed(connection: Connection, rule: Rule) -> list[str]:
    """The scores a rule asks about that nobody has yet, in its order; segments that it names are not looked into."""
    asked = dict.fromkeys(node.name for node in rule.walk() if isinstance(node, Scored))
    known = known_scores(connection) if asked else {}
    return [name for name in asked if name not in known]


def refuse_uncomputed(connection: Connection, rule: Rule, as_of: datetime) -> None:
    """Raise NotComputed (reason score_not_computed) for a score that did not exist at `as_of`."""
    asked = dict.fromkeys(node.name for node in rule.walk() if isinstance(node, Scored))
    if not asked:
        return
    known = known_scores(connection)
    for name in asked:
        if name not in known:
            others = f" There are: {', '.join(known)}." if known else ""
            raise NotComputed(f'The score "{name}" has not been computed for anybody yet.{others}', place="score")
        if known[name].first_at > as_of:
            raise NotComputed(f'The score "{name}" exists since {known[name].first_at:%Y-%m-%d}; as of'
                              f" {as_of:%Y-%m-%d} nobody had one.", place="score")
