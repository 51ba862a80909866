"""What are the segments called that a rule names by their keys?

Owns the names for sentences: people read "are in the segment Newsletter readers", rules keep the key.
"""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from segments.language.conditions import All, Any_, InSegment, Not, Rule
from segments.models import Segment


def segment_names(session: Session) -> dict[str, str]:
    """Every segment's name by its key, archived ones too: rules may still name them."""
    return {row.key: row.name for row in session.execute(select(Segment.key, Segment.name))}


def with_names(rule: Rule, names: Mapping[str, str]) -> Rule:
    """The rule to be said: the names of segments in the place of their keys. It is no rule to be asked any more."""
    if isinstance(rule, All | Any_):
        parts: tuple[Rule, ...] = ()
        for part in rule.rules:  # no generator: it would be one more level of the call stack
            parts += (with_names(part, names),)
        return replace(rule, rules=parts)
    if isinstance(rule, Not):
        return Not(with_names(rule.rule, names))
    return InSegment(names.get(rule.key, rule.key)) if isinstance(rule, InSegment) else rule
