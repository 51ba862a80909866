"""How does a file of things that people did become events?

Owns the `events` columns. Any further column is a property, as text. An event without a number of its own is known by
what it says: person, name, time, source and properties, so the same file twice makes no event twice. An unknown
customer number creates a bare customer; what forgotten people did is not stored.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from core.errors import Invalid
from core.types import Base, to_us
from customers.importing.cells import by_distinct, parsed, rows_where, text, text_of
from customers.importing.customer_numbers import ids_for, reject_forgotten
from customers.importing.kinds import Batch, Field, Kind, Plan, Run, in_chunks
from customers.importing.moments import instant
from customers.importing.properties import LONGEST_TEXT, MOST, checked_name, read_properties, written
from customers.importing.sources import Source
from customers.importing.upserting import upsert_rows

CHUNK = 5000
TABLE = Base.metadata.tables["events"]


def _prepare(_run: Run, _source: Source, plan: Plan) -> None:
    if len(plan.extras) > MOST:
        raise Invalid(f"An event has at most {MOST} properties; this file has {len(plan.extras)} further columns.")
    for name in plan.extras:
        checked_name(name)


def _too_long(batch: Batch) -> dict[int, str]:
    """Rows whose further columns are no texts that can be kept."""
    faults: dict[int, str] = {}
    for name, values in batch.extras.items():
        try:
            words = text_of(values)
        except Invalid as error:
            raise Invalid(f"Column {name}: {error.message}.") from error
        wrong = by_distinct(words, lambda cell: len(cell) > LONGEST_TEXT or "\0" in cell, pa.bool_()).values
        for row in rows_where(wrong):
            faults[row] = f"{name}: The property holds no text of at most {LONGEST_TEXT} characters."
    return faults


def _load(run: Run, batches: Iterator[Batch]) -> None:
    for chunk in in_chunks(batches, CHUNK):
        with run.transaction() as connection:
            batch = reject_forgotten(connection, run, chunk)
            if not len(batch):
                continue
            cells = batch.lists()
            owners = ids_for(connection, run, cells["customer_id"])
            properties = _properties(batch, cells)
            columns: dict[str, list[Any]] = {
                "external_id": _keys(cells, properties), "name": cells["name"], "at": cells["at"],
                "customer_id": [owners[number] for number in cells["customer_id"]], "properties": properties,
                **({"source": cells["source"]} if "source" in cells else {})}
            upsert_rows(connection, run, TABLE, "external_id", columns, defaults={"recorded_at": to_us(run.now)})


def _properties(batch: Batch, cells: dict[str, list[Any]]) -> list[str]:
    given = cells.get("properties") or [None] * len(batch)
    if not batch.extras:
        return [one or "{}" for one in given]
    extras = {name: text_of(values).to_pylist() for name, values in batch.extras.items()}
    merged = []
    for row, one in enumerate(given):
        further = {name: values[row] for name, values in extras.items() if values[row] is not None}
        merged.append(written((json.loads(one) if one else {}) | further))
    return merged


def _keys(cells: dict[str, list[Any]], properties: list[str]) -> list[str]:
    """Each event's own number, or one made of what it says."""
    count = len(properties)
    own, sources = cells.get("event_id") or [None] * count, cells.get("source") or [None] * count
    keys = []
    for row, number in enumerate(own):
        said = [cells["customer_id"][row], cells["name"][row], cells["at"][row], sources[row],
                json.loads(properties[row])] if number is None else None
        keys.append(number if said is None else
                    "~" + hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:40])
    return keys


EVENTS = Kind(
    name="events",
    fields=(
        Field("event_id", text(200)),
        Field("customer_id", text(200), required=True, filled=True),
        Field("name", text(100), required=True, filled=True),
        Field("at", instant, required=True, filled=True),
        Field("source", text(100)), Field("properties", parsed(read_properties)),
    ),
    load=_load, takes_extras=True, check=_too_long, prepare=_prepare,
    extras_become="properties",
)
