"""How does a rule become one SQL statement that stays fast on a million people?

Owns the staging: people are first restricted by what is cheap (on the mirror what is summed up in advance, then their
own columns, addresses), then by having or not having certain rows; only for the survivors is the newest consent looked
for, and only they are counted and summed. Tests over the same rows share one pass.
The statement has bound parameters only, no time functions, and means the same on SQLite, PostgreSQL and DuckDB.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    and_,
    column,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    table,
    true,
    union_all,
)

from segments.compiling.facts import CUSTOMERS, fact, needs_person
from segments.compiling.measures import verdict
from segments.compiling.placing import edge_orders, nth_orders
from segments.compiling.plan import (
    Group,
    Leaf,
    Part,
    Pile,
    Stopped,
    is_measured,
    measured_leaves,
    order_within,
    planned,
)
from segments.compiling.sequences import followed
from segments.compiling.sources import Rows, rows_of, summed_rows
from segments.compiling.summed import SUMS, is_summed
from segments.compiling.verdicts import Verdict, together
from segments.dialects.instants import Cuts, Fixed, instant
from segments.language.conditions import ConsentIs, Followed, Measured, Rule
from segments.language.fields import MEASURES
from segments.language.operators import straight

SUMMED, OWN, ROWS, NO_ROWS, NEWEST, COUNTED = range(6)
"""The cost classes: sums known in advance; own facts; having rows; having none; the newest word; counting, summing,
dating or ranking rows."""
TALL = 12
"""Groups so many levels high stand in a statement of their own: no engine parses brackets without end."""


def compile_rule(rule: Rule, *, as_of: datetime) -> Select[int]:
    """One statement that selects `customers.id` of everybody the rule holds for, as things stood at `as_of`.

    Raises Invalid for a rule that still names saved segments; `saved.resolved` puts their rules in.
    """
    return build(rule, Fixed(as_of))


def build(
    rule: Rule, cuts: Cuts, *, among: ColumnElement[bool] | None = None, staged: bool = True, summed: bool = False
) -> Select[int]:
    """The statement with cut-offs made by `cuts`; `among` restricts it to a batch of people named by id.

    `staged=False` is for engines that work out a common table expression anew wherever it is named, as Spark does: each
    stage would double the work of the one before it. `summed` is for the mirror, which alone has `order_sums`.
    """
    builder = _Builder(cuts, among, summed=summed)
    return builder.statement(planned(rule)) if staged else builder.at_once(planned(rule))


class _Builder:
    """Walks a plan once and writes its statement."""

    def __init__(self, cuts: Cuts, among: ColumnElement[bool] | None, *, summed: bool) -> None:
        self.cuts = cuts
        self.among = among
        self.summed = summed
        self.known: dict[Leaf | Pile | Stopped, tuple[Rows, Verdict]] = {}
        self.apart: list[CTE] = []
        self.costs: dict[int, int] = {}

    def statement(self, plan: Part) -> Select[int]:
        parts = plan.parts if isinstance(plan, Group) and plan.every else (plan,)
        first, *later = self._stages(self._sorted(parts))
        named = self._named_by_sums(first) if later else None
        people = named if named is not None else self._everybody().where(
            *(self._holds(part, CUSTOMERS.c.id, None) for part in first))
        for stage in later:
            survivors = people.cte()
            person = survivors.c.id
            people = select(person)
            if any(map(self._needs_person, stage)):
                people, person = select(CUSTOMERS.c.id).where(CUSTOMERS.c.id.in_(_ids(survivors))), CUSTOMERS.c.id
            if named is not None and stage is later[0]:
                people = people.where(person.in_(self._everybody().correlate(None)))
            people = people.where(*(self._holds(part, person, survivors) for part in stage))
        return people.add_cte(*self.apart) if self.apart else people

    def _named_by_sums(self, stage: Sequence[Part]) -> Select[int] | None:
        """Those whom the sums alone name, each once: who of them was forgotten is asked of the few who are left.

        None when the sums tell only who is not meant, or when more than one look at them is needed.
        """
        part, *more = stage or (None,)
        if more or part is None or isinstance(part, Group) or not is_measured(part) or not self._is_summed(part):
            return None
        found = self._found_in_sums(part, None)
        if found is None or found[1]:
            return None
        inside = found[0].subquery()
        return select(inside.c[0].label("id"))

    def at_once(self, plan: Part) -> Select[int]:
        """Everything in one place, for an engine that orders the work itself."""
        parts = plan.parts if isinstance(plan, Group) and plan.every else (plan,)
        held = [self._holds(part, CUSTOMERS.c.id, None) for part in self._sorted(parts)]
        people = self._everybody().where(*held)
        return people.add_cte(*self.apart) if self.apart else people

    def _stages(self, ordered: Sequence[Part]) -> list[list[Part]]:
        """What is asked of everybody, then of those who are left, and so on.

        Sums that are known in advance cost little and leave few, so nothing else is looked at of anybody else.
        """
        summed = [part for part in ordered if self._cost(part) == SUMMED]
        early = [part for part in ordered if self._cost(part) < NEWEST and self._cost(part) != SUMMED]
        late = [[part] for part in ordered if self._cost(part) >= NEWEST]
        if late and not early and not summed and self.among is None:
            early = late.pop(0)
        return [summed, *([early] if early else []), *late] if summed else [early, *late]

    def _everybody(self) -> Select[int]:
        people = select(CUSTOMERS.c.id).where(CUSTOMERS.c.forgotten_at.is_(None))
        return people if self.among is None else people.where(self.among)

    def _sorted(self, parts: Sequence[Part]) -> list[Part]:
        return sorted(parts, key=lambda part: (self._cost(part), order_within(part)))

    def _cost(self, part: Part) -> int:
        known = self.costs.get(id(part))
        if known is None:
            known = SUMMED if isinstance(part, Group) and part.parts else OWN
            if not isinstance(part, Group):
                known = self._of_condition(part)
            for child in part.parts if isinstance(part, Group) else ():
                known = max(known, self._cost(child))
            self.costs[id(part)] = known
        return known

    def _of_condition(self, part: Leaf | Pile | Stopped) -> int:
        if isinstance(part, Stopped):
            return ROWS
        if isinstance(part, Leaf) and not is_measured(part):
            if isinstance(part.rule, ConsentIs):
                return OWN if part.rule.test.operator in ("is_set", "is_not_set") else NEWEST
            return COUNTED if isinstance(part.rule, Followed) else OWN
        rows, answer = self._verdict(part)
        if rows.nth is not None or not isinstance(answer.having, bool):
            return SUMMED if self._is_summed(part) else COUNTED
        return NO_ROWS if answer.without else ROWS

    def _needs_person(self, part: Part) -> bool:
        if isinstance(part, Group):
            return any(map(self._needs_person, part.parts))
        return isinstance(part, Leaf) and needs_person(part.rule)

    def _holds(self, part: Part, person: ColumnElement[Any], survivors: FromClause | None) -> ColumnElement[bool]:
        if isinstance(part, Group):
            tall = part.height % TALL == 0
            within = self._batch() if tall else survivors
            held: list[ColumnElement[bool]] = []
            for child in self._sorted(part.parts):  # a generator would be one more level of the call stack
                held += [self._holds(child, CUSTOMERS.c.id if tall else person, within)]
            joined = and_(true(), *held) if part.every else or_(false(), *held)
            return self._set_apart(joined, person) if tall else joined
        if isinstance(part, Stopped) and self.among is not None:
            # For a few people two looks into an index are quicker than one over everybody's rows.
            return and_(*(self._having(leaf, person, survivors) for leaf in measured_leaves(part)))
        if is_measured(part):
            return self._having(part, person, survivors)
        assert isinstance(part, Leaf)
        if isinstance(part.rule, Followed):
            found = followed(part.rule, self.cuts, None if survivors is None else _ids(survivors),
                             halves=self.summed)
            return person.in_(found) if part.holds else _nowhere(found, person)
        return fact(part.rule, part.holds, person, self.cuts, correlated=self.among is not None,
                    within=None if survivors is None else _ids(survivors))

    def _batch(self) -> CTE | None:
        return None if self.among is None else self._everybody().cte()

    def _set_apart(self, inside: ColumnElement[bool], person: ColumnElement[Any]) -> ColumnElement[bool]:
        """A tall group as a list of people, referred to by its name alone: SQLAlchemy never sees the whole tower."""
        name = f"tall_{len(self.apart)}"
        self.apart.append(self._everybody().where(inside).cte(name))
        return person.in_(select(table(name, column("id")).c.id).correlate(None))

    def _having(
        self, part: Leaf | Pile | Stopped, person: ColumnElement[Any], survivors: FromClause | None
    ) -> ColumnElement[bool]:
        if self._is_summed(part):
            return self._from_sums(part, person, survivors)
        rows, answer = self._verdict(part)
        if isinstance(answer.having, bool):
            return self._simple(rows, answer, person, survivors)
        grouped = self._grouped(rows, answer, survivors)
        return _nowhere(grouped, person) if answer.without else person.in_(grouped)

    def _from_sums(
        self, part: Leaf | Pile | Stopped, person: ColumnElement[Any], survivors: FromClause | None
    ) -> ColumnElement[bool]:
        """Out of the sums for whoever had ordered last by `as_of`; whoever ordered later too is counted by then."""
        found = self._found_in_sums(part, survivors)
        if found is None:
            sums, answer = self._judged(part, summed=True)
            return self._simple(self._begun(sums), answer, person, survivors)
        return _nowhere(found[0], person) if found[1] else person.in_(found[0])

    def _begun(self, sums: Rows) -> Rows:
        """The sums of whoever had ordered by `as_of`."""
        return replace(sums, holds=(*sums.holds, SUMS.c.first_at < instant(self.cuts, lambda as_of: as_of)))

    def _found_in_sums(
        self, part: Leaf | Pile | Stopped, survivors: FromClause | None
    ) -> tuple[CompoundSelect[Any], bool] | None:
        """The people whom the sums name, and whether it is the others who are meant; None: having orders is enough."""
        sums, answer = self._judged(part, summed=True)
        if isinstance(answer.having, bool):
            return None
        as_of = instant(self.cuts, lambda as_of: as_of)
        begun = self._begun(sums)
        ask = answer.opposite() if answer.without else answer
        assert not isinstance(ask.having, bool)
        settled = select(sums.person).where(*sums.holds, SUMS.c.last_at < as_of, ask.having)
        others = select(sums.person).where(*begun.holds, SUMS.c.last_at >= as_of).correlate(None)
        rows, answer = self._verdict(part)
        counted = self._grouped(rows, answer, survivors).where(rows.person.in_(others))
        return union_all(settled.correlate(None), counted), answer.without

    def _grouped(self, rows: Rows, answer: Verdict, survivors: FromClause | None) -> Select[Any]:
        """Of the people who have such rows, those who pass; those who fail if one without any passes."""
        ask = answer.opposite() if answer.without else answer
        grouped = self._rows(rows, survivors)
        if rows.chosen is not None and self.among is None:
            # Only who bought some of it can have a share other than 0.
            some = select(rows.person).select_from(rows.origin).where(*rows.holds, rows.chosen)
            grouped = grouped.where(rows.person.in_(some.correlate(None)))
        assert not isinstance(ask.having, bool)
        return grouped.group_by(rows.person).having(ask.having).correlate(None)

    def _rows(self, rows: Rows, survivors: FromClause | None) -> Select[Any]:
        """The people whose rows they are, of the survivors."""
        mine = select(rows.person).select_from(rows.origin).where(*rows.holds)
        if survivors is not None:
            mine = mine.where(rows.person.in_(_ids(survivors)))
        if rows.nth is None:
            return mine
        people = [] if survivors is None else [_ids(survivors)]
        if self.among is None:
            # Only who has such an order at all can have it in this place.
            people.append(mine.correlate(None))
        assert rows.order is not None
        ranked = edge_orders if self.summed and rows.nth in (1, -1) else nth_orders
        return mine.where(rows.order.in_(ranked(rows.nth, self.cuts, people)))

    def _simple(
        self, rows: Rows, answer: Verdict, person: ColumnElement[Any], survivors: FromClause | None
    ) -> ColumnElement[bool]:
        if answer.having == answer.without:
            return true() if answer.having else false()
        if rows.nth is not None:
            found = self._rows(rows, survivors).correlate(None)
            return person.in_(found) if answer.having else _nowhere(found, person)
        mine = select(rows.person).select_from(rows.origin).where(*rows.holds)
        if answer.having and self.among is None:
            return person.in_(mine.correlate(None))
        some = exists(mine.where(rows.person == person).correlate(person.table))
        return some if answer.having else not_(some)

    def _verdict(self, part: Leaf | Pile | Stopped) -> tuple[Rows, Verdict]:
        if part not in self.known:
            self.known[part] = self._judged(part)
        return self.known[part]

    def _is_summed(self, part: Leaf | Pile | Stopped) -> bool:
        if not self.summed or isinstance(part, Stopped):
            return False
        rules = _measured(part)
        first = rules[0]
        return is_summed(first.source, [rule.measure for rule in rules], first.where, first.window, first.nth)

    def _judged(self, part: Leaf | Pile | Stopped, *, summed: bool = False) -> tuple[Rows, Verdict]:
        if isinstance(part, Stopped):
            return self._stopped(part)
        leaves, rules = measured_leaves(part), _measured(part)
        first = rules[0]
        rows = summed_rows(first.where) if summed else rows_of(
            first.source, [rule.measure for rule in rules], first.where, first.window, self.cuts, nth=first.nth)
        verdicts = []
        for leaf, rule in zip(leaves, rules, strict=True):
            test, positive = straight(rule.test)
            answer = verdict(rule.source, rule.measure, test, rows, self.cuts)
            verdicts.append(answer if positive == leaf.holds else answer.opposite())
        return rows, together(verdicts, every=part.every if isinstance(part, Pile) else True)

    def _stopped(self, part: Stopped) -> tuple[Rows, Verdict]:
        rows, _had = self._judged(part.had)
        assert isinstance(part.lacks.rule, Measured) and part.lacks.rule.window is not None
        window = part.lacks.rule.window
        since = instant(self.cuts, lambda as_of: window.start(as_of) or as_of)
        return rows, Verdict(func.max(rows.at) < since, False)


def _measured(part: Leaf | Pile | Stopped) -> list[Measured]:
    return [leaf.rule for leaf in measured_leaves(part) if isinstance(leaf.rule, Measured)]


def _nowhere(found: Select[Any] | CompoundSelect[Any], person: ColumnElement[Any]) -> ColumnElement[bool]:
    """The person is not among those found: an anti-join, which no missing value can upset."""
    inside = found.subquery()
    return not_(exists().where(inside.c[0] == person).correlate(person.table))


def _ids(survivors: FromClause) -> Select[Any]:
    # Without this, a list of survivors inside a statement over the survivors would be taken for the same row.
    return select(survivors.c.id).correlate(None)


def measures_money(rule: Rule) -> bool:
    """Whether amounts are added up somewhere in the rule without exactly one currency."""
    return any(
        isinstance(node, Measured) and MEASURES[node.source][node.measure].money
        and len(node.where.get("currency") or ()) != 1
        for node in rule.walk()
    )
