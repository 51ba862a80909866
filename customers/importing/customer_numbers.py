"""Whose line is this?

Owns turning the shop's customer numbers into our ids for whole chunks, creating bare customers for numbers nobody
told us about, and recognising people who asked to be forgotten. The promise: a forgotten person's facts stay with the
anonymous row; their number never comes back to life.
"""

from collections.abc import Collection

from sqlalchemy import Connection, select

from core.arrays import in_texts
from core.bulk import bulk_insert, reserve_ids
from core.errors import Invalid
from core.types import Base, to_us
from customers.importing.kinds import Batch, Run
from customers.models import Customer
from customers.suppression import forgotten_number


def notice_forgotten(run: Run) -> None:
    """Find out whether anybody was ever forgotten here. Raises Invalid if so and the secret key is missing."""
    with run.database.reading() as session:
        run.has_forgotten = session.execute(
            select(Customer.id).where(Customer.external_id.startswith("forgotten:")).limit(1)).first() is not None
    if run.has_forgotten and run.secret_key is None:
        raise Invalid("People here have asked to be forgotten; an import needs the secret key to recognise them.")


def known_ids(connection: Connection, run: Run, numbers: Collection[str]) -> dict[str, int]:
    """Customer number -> id for those we know; forgotten people's numbers give their anonymous row."""
    wanted = sorted(set(numbers))
    rows = connection.execute(select(Customer.external_id, Customer.id).where(in_texts(Customer.external_id, wanted)))
    found: dict[str, int] = dict(rows.all())
    if run.has_forgotten and run.secret_key is not None:
        hidden = {forgotten_number(number, secret_key=run.secret_key): number
                  for number in wanted if number not in found}
        rows = connection.execute(
            select(Customer.external_id, Customer.id).where(in_texts(Customer.external_id, list(hidden))))
        found |= {hidden[number]: customer_id for number, customer_id in rows}
    return found


def ids_for(connection: Connection, run: Run, numbers: Collection[str]) -> dict[str, int]:
    """Like `known_ids`, creating a bare customer for every unknown number. In a dry run those get id 0."""
    found = known_ids(connection, run, numbers)
    new = sorted(set(numbers) - set(found))
    if not new:
        return found
    if run.dry_run:
        return found | dict.fromkeys(new, 0)
    ids = reserve_ids(connection, TABLE, len(new))
    bulk_insert(connection, TABLE, {
        "id": ids, "external_id": new, "attributes": ["{}"] * len(new), "search": [number.casefold() for number in new],
        "imported_at": [to_us(run.now)] * len(new),
    })
    return found | dict(zip(new, ids, strict=True))


def forgotten_among(connection: Connection, run: Run, numbers: Collection[str]) -> set[str]:
    """Those of these customer numbers whose people asked to be forgotten."""
    if not run.has_forgotten or run.secret_key is None:
        return set()
    hidden = {forgotten_number(number, secret_key=run.secret_key): number for number in set(numbers)}
    found = connection.scalars(select(Customer.external_id).where(in_texts(Customer.external_id, list(hidden))))
    return {hidden[number] for number in found}


def reject_forgotten(connection: Connection, run: Run, batch: Batch) -> Batch:
    """The batch without the lines of people who asked to be forgotten; those lines are rejected."""
    numbers: list[str] = batch.columns["customer_id"].to_pylist()
    forgotten = forgotten_among(connection, run, numbers)
    if not forgotten:
        return batch
    for row, number in enumerate(numbers):
        if number in forgotten:
            run.rejects.add(batch.lines[row], batch.last_lines[row],
                            f"Customer {number} asked to be forgotten and is not imported again.")
    return batch.take([row for row, number in enumerate(numbers) if number not in forgotten])


TABLE = Base.metadata.tables["customers"]
