"""Whom do we speak to when several people live under one roof?

Owns households as units: one draw for all of them (arm and hold-out), and one person of each in the journey at a time,
its best customer where several could enter at once. The promise: what the re-entry rule says of a person, it says of
the household; who stays out is kept with the reason. Whoever has no household stands for themselves.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, func, select, type_coerce

from core.arrays import in_ids, in_texts
from core.bulk import chunks
from customers.models import Customer, Order
from journeys.exits.mates import HOUSEHOLD
from journeys.graphs.plans import Plan
from journeys.models import Enrolment

__all__ = ["HOUSEHOLD", "best_first", "others_of_homes", "passages_of_mates", "unit_of", "units_of"]
_AT_ONCE = 5_000


def unit_of(external_id: str, household: str | None) -> str:
    """What is drawn for: the household where there is one, else the person."""
    return f"household:{household}" if household else external_id


def units_of(external_ids: Sequence[str], households: Sequence[str | None]) -> list[str]:
    """The units of many people; two of one household have the same."""
    return [unit_of(external, household) for external, household in zip(external_ids, households, strict=True)]


def best_first(connection: Connection, customer_ids: Sequence[int]) -> list[int]:
    """The same people, each household's best customer before the others of the household."""
    others = others_of_homes(connection, customer_ids)
    return [*(each for each in customer_ids if each not in others), *(each for each in customer_ids if each in others)]


def others_of_homes(connection: Connection, customer_ids: Sequence[int]) -> set[int]:
    """Those of these people who live with a better customer among them: who has spent more over all orders, or as much
    and has the lower id."""
    shared: dict[int, str] = {}
    for part in chunks(customer_ids, _AT_ONCE):
        shared |= {row[0]: row[1] or "" for row in connection.execute(
            select(Customer.id, Customer.household).where(in_ids(Customer.id, part), Customer.household != ""))}
    homes: dict[str, list[int]] = {}
    for customer, home in shared.items():
        homes.setdefault(home, []).append(customer)
    several = [customer for people in homes.values() if len(people) > 1 for customer in people]
    spent: dict[int, int] = {}
    for part in chunks(several, _AT_ONCE):
        spent |= {row[0]: int(row[1]) for row in connection.execute(
            select(Order.customer_id, func.sum(func.coalesce(Order.total_cents, 0)))
            .where(in_ids(Order.customer_id, part), Order.cancelled.is_(False)).group_by(Order.customer_id))}
    others: set[int] = set()
    for people in homes.values():
        best = min(people, key=lambda customer: (-spent.get(customer, 0), customer))
        others |= set(people) - {best}
    return others


def passages_of_mates(
    connection: Connection, plan: Plan, customer_ids: Sequence[int]
) -> tuple[dict[int, str], dict[str, list[Row[*tuple[Any, ...]]]]]:
    """Customer -> household, and household -> the passages through this journey of everybody who lives there."""
    homes = {row[0]: row[1] or "" for row in connection.execute(
        select(Customer.id, Customer.household).where(in_ids(Customer.id, customer_ids), Customer.household != ""))}
    found: dict[str, list[Row[*tuple[Any, ...]]]] = {}
    if homes:
        for row in connection.execute(
                select(Customer.household, Enrolment.customer_id, Enrolment.key, Enrolment.cause, Enrolment.entry,
                       Enrolment.state, type_coerce(Enrolment.entered_at, BigInteger).label("entered_us"),
                       type_coerce(Enrolment.left_at, BigInteger).label("left_us"))
                .join(Customer, Customer.id == Enrolment.customer_id)
                .where(in_texts(Customer.household, sorted(set(homes.values()))),
                       Enrolment.journey_id == plan.journey_id, Enrolment.state != "excluded")):
            found.setdefault(row[0] or "", []).append(row)
    return homes, found
