"""How do the people of one organisation answer alike, group by group?

Owns the sums over organisations that rates and amounts are compared with where organisations were drawn. The promise:
the people of an organisation within a group are one cluster of it, and only sums leave the database.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Double, Subquery, cast, func, select
from sqlalchemy.orm import Session

from core.statistics.clusters import ClusterSums
from reporting.aggregates import amounts
from reporting.audience import Frame
from reporting.groups import Clusters, Group

MEASURES = ("redeemed", "ordered", "kept", "earned")


@dataclass(frozen=True)
class ClusteredGroups:
    """By arm, by channel (held out or not) and by hold-out alone; `drawn` counts the units of each arm, each unit once:
    where some of its people have not come to the split, it is in the arm of those who have."""

    by_arm: dict[Group, Clusters]
    by_channel: dict[Group, Clusters]
    by_side: dict[bool, Clusters]
    drawn: dict[Group, int]
    units: int
    people: int


def clustered_groups(session: Session, frame: Frame, *, currency: str) -> ClusteredGroups:
    """The sums of a campaign whose organisations were drawn."""
    each = amounts(frame, currency)
    by_side = _grouped(session, each, each.c.held_out)
    drawn = select(each.c.held_out, func.max(each.c.arm).label("arm"), each.c.unit).group_by(
        each.c.held_out, each.c.unit).subquery("drawn")
    units = session.execute(
        select(drawn.c.held_out, drawn.c.arm, func.count()).group_by(drawn.c.held_out, drawn.c.arm)).all()
    all_units, people = session.execute(select(func.count(each.c.unit.distinct()), func.count())).one()
    return ClusteredGroups(
        _grouped(session, each, each.c.arm), _grouped(session, each, func.coalesce(each.c.channel, "")),
        {held: found for (held, _name), found in by_side.items()},
        {(bool(held), arm): count for held, arm, count in units}, all_units, people)


def _grouped(session: Session, each: Subquery, group: ColumnElement[Any]) -> dict[Group, Clusters]:
    totals = {name: func.sum(cast(each.c[name], Double)).label(name) for name in MEASURES}
    named = group.label("grp")
    units = select(each.c.held_out, named, cast(func.count(), Double).label("size"),
                   *totals.values()).group_by(each.c.held_out, named, each.c.unit).subquery("units")
    size = units.c.size
    columns: list[Any] = []
    for name in MEASURES:
        total = units.c[name]
        columns += [func.sum(total), func.sum(size * total), func.sum(total * total)]
    found = {}
    for held, name, count, people, squares, *sums in session.execute(
            select(units.c.held_out, units.c.grp, func.count(), func.sum(size), func.sum(size * size), *columns)
            .group_by(units.c.held_out, units.c.grp)):
        parts = [ClusterSums(count, people, sums[place], squares, sums[place + 1], sums[place + 2])
                 for place in range(0, len(sums), 3)]
        found[bool(held), str(name)] = Clusters(*parts)
    return found
