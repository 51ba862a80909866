"""How does a file of consents become statements with their proof?

Owns the `consents` columns. Statements are added, never overwritten: one that is stored already (same person, channel,
instant and state) is left as it is. The promise: the rows of people who take something back are locked as a sender
locks them.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, select

from core.arrays import in_ids
from core.bulk import bulk_insert
from core.types import Base, to_us
from customers.consents import STATES, lock_customers
from customers.importing.cells import choice, long_text, text, word
from customers.importing.customer_numbers import ids_for
from customers.importing.kinds import Batch, Field, Kind, Run, in_chunks
from customers.importing.moments import instant
from customers.models import CHANNELS

CHUNK = 2000
TABLE = Base.metadata.tables["consents"]


def _load(run: Run, batches: Iterator[Batch]) -> None:
    for batch in in_chunks(batches, CHUNK):
        with run.transaction() as connection:
            _store(connection, run, batch)


def _store(connection: Connection, run: Run, batch: Batch) -> None:
    cells = batch.lists()
    owners = ids_for(connection, run, cells["customer_id"])
    ids = sorted({key for key in owners.values() if key})
    if not run.dry_run:
        lock_customers(connection, ids)
    rows = list(zip(cells["customer_id"], cells["channel"], cells["at"], cells["state"], strict=True))
    stored = {(row.customer_id, row.channel, to_us(row.at), row.state) for row in connection.execute(
        select(TABLE.c.customer_id, TABLE.c.channel, TABLE.c.at, TABLE.c.state)
        .where(in_ids(TABLE.c.customer_id, ids)))}
    first = {row: number for number, row in reversed(list(enumerate(rows)))}
    new = [number for row, number in first.items() if (owners[row[0]], *row[1:]) not in stored]
    fresh = set(new)
    run.count_keys(["\0".join(map(str, rows[number])) for number in new],
                   ["\0".join(map(str, row)) for row, number in first.items() if number not in fresh])
    if run.dry_run or not new:
        return
    new.sort()
    optional: dict[str, list[object]] = {
        name: [cells[name][number] for number in new] for name in ("basis", "source", "proof") if name in cells}
    bulk_insert(connection, TABLE, {
        "customer_id": [owners[rows[number][0]] for number in new], "channel": [rows[number][1] for number in new],
        "at": [rows[number][2] for number in new], "state": [rows[number][3] for number in new], **optional,
        "recorded_at": [to_us(run.now)] * len(new)})


CONSENTS = Kind(
    name="consents",
    fields=(
        Field("customer_id", text(200), required=True, filled=True),
        Field("channel", choice(CHANNELS), required=True, filled=True),
        Field("state", choice(STATES), required=True, filled=True),
        Field("basis", word(40)),
        Field("at", instant, required=True, filled=True),
        Field("source", text(200)), Field("proof", long_text),
    ),
    load=_load,
)
