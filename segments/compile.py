"""How does a rule become one SQL statement that stays fast on a million people?

Owns the staging: people are first restricted by what is cheap (their own columns, addresses, consent), then by having
or not having certain rows, and only the survivors are counted and summed; tests over the same rows share one pass.
The statement has bound parameters only, no time functions, and means the same on SQLite, PostgreSQL and DuckDB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, exists, false, not_, or_, select, true

from core.errors import Invalid
from segments.conditions import All, Any_, InSegment, Measured, Not, Rule
from segments.facts import CUSTOMERS, fact, needs_person
from segments.fields import MEASURES
from segments.instants import Cuts, Fixed
from segments.measures import Verdict, together, verdict
from segments.operators import straight
from segments.sources import Rows, rows_of


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


Part = Leaf | Pile | Group

OWN, ROWS, NO_ROWS, COUNTED = range(4)
"""The cost classes: own facts; having rows; having none; counting, summing or dating somebody's rows."""


def compile_rule(rule: Rule, *, as_of: datetime) -> Select[int]:
    """One statement that selects `customers.id` of everybody the rule holds for, as things stood at `as_of`.

    Raises Invalid for a rule that still names saved segments; `saved.resolved` puts their rules in.
    """
    return build(rule, Fixed(as_of))


def build(rule: Rule, cuts: Cuts, *, among: ColumnElement[bool] | None = None) -> Select[int]:
    """The statement with cut-offs made by `cuts`; `among` restricts it to a batch of people named by id."""
    return _Builder(cuts, among).statement(planned(rule))


def planned(rule: Rule, holds: bool = True) -> Part:
    """The rule without `not`: groups of and and or, flattened, with tests over the same rows brought together."""
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
    return Group(every, _piled(parts, every))


def _piled(parts: Sequence[Part], every: bool) -> tuple[Part, ...]:
    piles: dict[Any, list[Leaf]] = {}
    others: list[Part] = []
    for part in parts:
        if isinstance(part, Leaf) and isinstance(part.rule, Measured):
            piles.setdefault(_pile_key(part.rule), []).append(part)
        elif isinstance(part, Pile) and part.every == every:
            assert isinstance(part.leaves[0].rule, Measured)
            piles.setdefault(_pile_key(part.leaves[0].rule), []).extend(part.leaves)
        else:
            others.append(part)
    return (*others, *(Pile(every, tuple(leaves)) for leaves in piles.values()))


def _pile_key(rule: Measured) -> Any:
    measure = "" if rule.source == "orders" else rule.measure
    return rule.source, measure, rule.where, rule.window


class _Builder:
    """Walks a plan once and writes its statement."""

    def __init__(self, cuts: Cuts, among: ColumnElement[bool] | None) -> None:
        self.cuts = cuts
        self.among = among
        self.known: dict[Pile, tuple[Rows, Verdict]] = {}

    def statement(self, plan: Part) -> Select[int]:
        parts = plan.parts if isinstance(plan, Group) and plan.every else (plan,)
        ordered = sorted(parts, key=self._cost)
        early = [part for part in ordered if self._cost(part) < COUNTED]
        late = [part for part in ordered if self._cost(part) == COUNTED]
        people = select(CUSTOMERS.c.id).where(CUSTOMERS.c.forgotten_at.is_(None))
        if self.among is not None:
            people = people.where(self.among)
        people = people.where(*(self._holds(part, CUSTOMERS.c.id, None) for part in early))
        if not late:
            return people
        if not early and self.among is None:
            people = people.where(self._holds(late.pop(0), CUSTOMERS.c.id, None))
        for part in late:
            survivors = people.cte()
            person = survivors.c.id
            people = select(person)
            if self._needs_person(part):
                people, person = select(CUSTOMERS.c.id).where(CUSTOMERS.c.id.in_(_ids(survivors))), CUSTOMERS.c.id
            people = people.where(self._holds(part, person, survivors))
        return people

    def _cost(self, part: Part) -> int:
        if isinstance(part, Group):
            return max((self._cost(child) for child in part.parts), default=OWN)
        if isinstance(part, Leaf) and not isinstance(part.rule, Measured):
            return OWN
        answer = self._verdict(part)[1]
        if not isinstance(answer.having, bool):
            return COUNTED
        return NO_ROWS if answer.without else ROWS

    def _needs_person(self, part: Part) -> bool:
        if isinstance(part, Group):
            return any(self._needs_person(child) for child in part.parts)
        return isinstance(part, Leaf) and needs_person(part.rule)

    def _holds(self, part: Part, person: ColumnElement[Any], survivors: FromClause | None) -> ColumnElement[bool]:
        if isinstance(part, Group):
            held = [self._holds(child, person, survivors) for child in sorted(part.parts, key=self._cost)]
            return and_(true(), *held) if part.every else or_(false(), *held)
        if isinstance(part, Leaf) and not isinstance(part.rule, Measured):
            return fact(part.rule, part.holds, person, self.cuts, correlated=self.among is not None)
        return self._having(part, person, survivors)

    def _having(
        self, part: Leaf | Pile, person: ColumnElement[Any], survivors: FromClause | None
    ) -> ColumnElement[bool]:
        rows, answer = self._verdict(part)
        if isinstance(answer.having, bool):
            return self._simple(rows, answer, person)
        ask = answer.opposite() if answer.without else answer
        grouped = select(rows.person).select_from(rows.origin).where(*rows.holds)
        if survivors is not None:
            grouped = grouped.where(rows.person.in_(_ids(survivors)))
        assert not isinstance(ask.having, bool)
        grouped = grouped.group_by(rows.person).having(ask.having).correlate(None)
        if not answer.without:
            return person.in_(grouped)
        found = grouped.subquery()
        return not_(exists().where(found.c[0] == person).correlate(person.table))

    def _simple(self, rows: Rows, answer: Verdict, person: ColumnElement[Any]) -> ColumnElement[bool]:
        if answer.having == answer.without:
            return true() if answer.having else false()
        mine = select(rows.person).select_from(rows.origin).where(*rows.holds)
        if answer.having and self.among is None:
            return person.in_(mine.correlate(None))
        some = exists(mine.where(rows.person == person).correlate(person.table))
        return some if answer.having else not_(some)

    def _verdict(self, part: Part) -> tuple[Rows, Verdict]:
        assert not isinstance(part, Group)
        pile = Pile(True, (part,)) if isinstance(part, Leaf) else part
        if pile not in self.known:
            self.known[pile] = self._judged(pile)
        return self.known[pile]

    def _judged(self, pile: Pile) -> tuple[Rows, Verdict]:
        rules = [leaf.rule for leaf in pile.leaves if isinstance(leaf.rule, Measured)]
        first = rules[0]
        rows = rows_of(first.source, [rule.measure for rule in rules], first.where, first.window, self.cuts)
        verdicts = []
        for leaf, rule in zip(pile.leaves, rules, strict=True):
            test, positive = straight(rule.test)
            answer = verdict(rule.source, rule.measure, test, rows, self.cuts)
            verdicts.append(answer if positive == leaf.holds else answer.opposite())
        return rows, together(verdicts, every=pile.every)


def _ids(survivors: FromClause) -> Select[Any]:
    # Without this, a list of survivors inside a statement over the survivors would be taken for the same row.
    return select(survivors.c.id).correlate(None)


def measures_money(rule: Rule) -> bool:
    """Whether a money measure stands in the rule without exactly one currency."""
    return any(
        isinstance(node, Measured) and MEASURES[node.source][node.measure].kind == "cents"
        and len(node.where.get("currency") or ()) != 1
        for node in rule.walk()
    )
