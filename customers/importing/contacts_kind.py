"""How does a file of calls, letters and complaints become contacts?

Owns the `contacts` columns. Any kind of contact is kept in the shop's own word, in lower case. An unknown customer
number creates a bare customer, so that the order of imports does not matter.
"""

from collections.abc import Iterator

from core.types import Base
from customers.contacts import DIRECTIONS
from customers.importing.cells import choice, long_text, text, word
from customers.importing.customer_numbers import ids_for, reject_forgotten
from customers.importing.kinds import Batch, Field, Kind, Run, in_chunks
from customers.importing.moments import instant
from customers.importing.upserting import upsert_rows

CHUNK = 5000


def _load(run: Run, batches: Iterator[Batch]) -> None:
    for chunk in in_chunks(batches, CHUNK):
        with run.transaction() as connection:
            # What somebody wrote to the shop went with the person; an old file does not bring it back.
            batch = reject_forgotten(connection, run, chunk)
            if not len(batch):
                continue
            cells = batch.lists()
            owners = ids_for(connection, run, cells["customer_id"])
            columns = {name: values for name, values in cells.items() if name not in ("contact_id", "customer_id")}
            columns["external_id"] = cells["contact_id"]
            columns["customer_id"] = [owners[number] for number in cells["customer_id"]]
            upsert_rows(connection, run, Base.metadata.tables["contacts"], "external_id", columns, defaults={})


CONTACTS = Kind(
    name="contacts",
    fields=(
        Field("contact_id", text(200), required=True, filled=True),
        Field("customer_id", text(200), required=True, filled=True),
        Field("at", instant, required=True, filled=True),
        Field("kind", word(40), required=True, filled=True),
        Field("direction", choice(DIRECTIONS), required=True, filled=True),
        Field("channel", word(16)), Field("subject", long_text), Field("text", long_text), Field("status", word(40)),
    ),
    load=_load,
)
