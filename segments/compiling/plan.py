"""In which order is a rule asked, whatever order its conditions were clicked in?

Owns the plan: negation pushed down to the conditions, groups flattened, repetitions dropped, tests over the same rows
brought together, everything in one order of its own. The promise: two rules that differ only in the order of their
conditions have the same plan.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import Invalid
from segments.language.conditions import All, Any_, Followed, InSegment, Measured, Not, Rule


@dataclass(frozen=True)
class Leaf:
    """One condition that must hold, or must not."""

    rule: Rule
    holds: bool


@dataclass(frozen=True)
class Pile:
    """Tests over the same rows of one source: joined by and (`every`) or by or."""

    every: bool
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True)
class Group:
    """Parts joined by and (`every`) or by or; negation has been pushed down to the leaves."""

    every: bool
    parts: tuple["Part", ...]
    height: int = field(default=1, compare=False)
    """Levels of groups, this one included."""
    text: str = field(default="", compare=False)
    """A digest of what it says; equal groups have equal ones."""


Part = Leaf | Pile | Group


def planned(rule: Rule, holds: bool = True) -> Part:
    """The plan of a rule. Raises Invalid for a rule that still names saved segments."""
    if isinstance(rule, Not):
        return planned(rule.rule, not holds)
    if isinstance(rule, InSegment):
        raise Invalid(f'the segment "{rule.key}" has not been looked up', place="segment")
    if not isinstance(rule, All | Any_):
        return Leaf(rule, holds)
    every = isinstance(rule, All) == holds
    parts: list[Part] = []
    for child in rule.rules:
        part = planned(child, holds)
        parts.extend(part.parts if isinstance(part, Group) and part.every == every else (part,))
    joined = _joined(parts, every)
    if len(joined) == 1:
        return joined[0]
    height = 1 + max((part.height for part in joined if isinstance(part, Group)), default=0)
    said = "".join(f"{every}{_text(part)};" for part in joined)
    return Group(every, joined, height, hashlib.sha256(said.encode()).hexdigest())


def is_measured(part: Part) -> bool:
    """Whether the part counts, sums or dates somebody's rows."""
    return isinstance(part, Pile) or (isinstance(part, Leaf) and isinstance(part.rule, Measured))


def measured_leaves(part: Leaf | Pile) -> tuple[Leaf, ...]:
    """The tests of a part, one or several."""
    return part.leaves if isinstance(part, Pile) else (part,)


def order_within(part: Part) -> tuple[Any, ...]:
    """What is asked first among parts of one cost: narrow questions, then those over the whole history, groups last."""
    leaves = measured_leaves(part) if not isinstance(part, Group) else ()
    rule = leaves[0].rule if leaves else None
    if isinstance(rule, Measured):
        return rule.nth is not None, not rule.where.names(), rule.window is None, _text(part)
    return isinstance(rule, Followed), isinstance(part, Group), True, _text(part)


def _text(part: Part) -> str:
    return part.text if isinstance(part, Group) else _written(measured_leaves(part))


def _written(leaves: Iterable[Leaf]) -> str:
    return json.dumps([[leaf.holds, leaf.rule.to_json()] for leaf in leaves], sort_keys=True, ensure_ascii=False)


def _joined(parts: Sequence[Part], every: bool) -> tuple[Part, ...]:
    piles: dict[Any, list[Leaf]] = {}
    others: dict[Part, None] = {}
    for part in parts:
        if isinstance(part, Leaf) and isinstance(part.rule, Measured):
            piles.setdefault(_rows_key(part.rule), []).append(part)
        elif isinstance(part, Pile) and part.every == every:
            assert isinstance(part.leaves[0].rule, Measured)
            piles.setdefault(_rows_key(part.leaves[0].rule), []).extend(part.leaves)
        else:
            others[part] = None
    together = [_pile(every, dict.fromkeys(leaves)) for leaves in piles.values()]
    return tuple(sorted((*others, *together), key=order_within))


def _pile(every: bool, leaves: Iterable[Leaf]) -> Part:
    first, *more = sorted(leaves, key=lambda leaf: _written([leaf]))
    return Pile(every, (first, *more)) if more else first


def _rows_key(rule: Measured) -> Any:
    """Measures with equal keys are taken from the same rows, in one pass."""
    own = "" if rule.source == "orders" and rule.measure != "revenue_share" else rule.measure
    return rule.source, own, rule.where, rule.window, rule.nth
