"""What is drawn for: a person, a household, or an organisation?

Owns the names that the sticky draws (hold-out and arm) are made of. Whoever belongs to no household or organisation
stands for themselves. An organisation is that of the person when they entered, so that hold-out, arm and report agree.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from customers.relations import organisations_at
from journeys.entry.households import units_of
from journeys.exits.mates import HOUSEHOLD

ORGANISATION = "organisation"
ALONE = "left_alone"
"""Why somebody stays out whom the house leaves alone while their organisation is drawn as one."""


def drawn_units(
    connection: Connection, unit: str, customer_ids: Sequence[int], external_ids: Sequence[str],
    households: Sequence[str | None], since_us: Sequence[int],
) -> list[str]:
    """The unit of each person; equally long columns, `since_us` is when each entered."""
    if unit == HOUSEHOLD:
        return units_of(external_ids, households)
    if unit != ORGANISATION:
        return list(external_ids)
    firms = organisations_at(connection, dict(zip(customer_ids, since_us, strict=True)))
    return [f"organisation:{firms[customer]}" if customer in firms else external
            for customer, external in zip(customer_ids, external_ids, strict=True)]
