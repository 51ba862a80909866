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
from segments.compiling.verdicts import whole_interval
from segments.language.conditions import All, Any_, Followed, InSegment, Measured, Not, Rule
from segments.language.operators import straight


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
class Stopped:
    """Somebody has such rows in one window but none in a shorter one that ends with it: one look at the newest row."""

    had: Leaf
    lacks: Leaf


@dataclass(frozen=True)
class Group:
    """Parts joined by and (`every`) or by or; negation has been pushed down to the leaves."""

    every: bool
    parts: tuple["Part", ...]
    height: int = field(default=1, compare=False)
    """Levels of groups, this one included."""
    text: str = field(default="", compare=False)
    """A digest of what it says; equal groups have equal ones."""


Part = Leaf | Pile | Stopped | Group


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
    return isinstance(part, Pile | Stopped) or (isinstance(part, Leaf) and isinstance(part.rule, Measured))


def measured_leaves(part: Leaf | Pile | Stopped) -> tuple[Leaf, ...]:
    """The tests of a part, one or several."""
    if isinstance(part, Stopped):
        return part.had, part.lacks
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
    if every:
        together = _stopping(together)
    return tuple(sorted((*others, *together), key=order_within))


def _stopping(parts: Iterable[Part]) -> list[Part]:
    """The parts, with "bought within a year" and "not within a quarter" of the same goods brought together."""
    kept: list[Part] = []
    had: dict[Any, list[tuple[int, Leaf]]] = {}
    lacks: dict[Any, list[tuple[int, Leaf]]] = {}
    for part in parts:
        there = _presence(part) if isinstance(part, Leaf) else None
        if there is None or not isinstance(part, Leaf) or not isinstance(part.rule, Measured):
            kept.append(part)
            continue
        assert part.rule.window is not None
        days, key = part.rule.window.count, (part.rule.source, part.rule.measure, part.rule.where)
        (had if there else lacks).setdefault(key, []).append((days, part))
    for key in list(had):
        shortest, longest = min(had[key], key=_days), max(lacks.get(key, [(0, had[key][0][1])]), key=_days)
        if 0 < longest[0] <= shortest[0]:
            had[key].remove(shortest)
            lacks[key].remove(longest)
            kept.append(Stopped(shortest[1], longest[1]))
    return [*kept, *(leaf for leaves in (*had.values(), *lacks.values()) for _days_, leaf in leaves)]


def _days(item: tuple[int, Leaf]) -> int:
    return item[0]


def _presence(leaf: Leaf) -> bool | None:
    """Whether it asks for any such rows in the last days (True) or for none (False); None: for something else."""
    rule = leaf.rule
    if not isinstance(rule, Measured) or rule.nth is not None or rule.source == "relations":
        return None
    if rule.window is None or rule.window.kind != "last_days" or rule.window.count < 1:
        return None
    test, positive = straight(rule.test)
    if test.operator == "is_set" or (rule.source == "orders" and rule.measure != "count"):
        return None
    low, high = whole_interval(test, 1)
    some, none = low == 1 and high is None, high is not None and high < 1 and (low is None or low <= 0)
    return None if not some and not none else some == (positive == leaf.holds)


def _pile(every: bool, leaves: Iterable[Leaf]) -> Part:
    first, *more = sorted(leaves, key=lambda leaf: _written([leaf]))
    return Pile(every, (first, *more)) if more else first


def _rows_key(rule: Measured) -> Any:
    """Measures with equal keys are taken from the same rows, in one pass."""
    own = "" if rule.source == "orders" and rule.measure != "revenue_share" else rule.measure
    return rule.source, own, rule.where, rule.window, rule.nth
