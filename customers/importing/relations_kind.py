"""How does a file of partners, suppliers, press and employees become relations?

Owns the `relations` columns. An organisation is known by its number or, without one, by its name, and comes into being
when a line names it. A relation without a number of its own is known by person, kind and organisation. An unknown
customer number creates a bare customer; relations of forgotten people are not stored.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow.compute as pc
from sqlalchemy import Connection, select

from core.arrays import in_texts
from core.bulk import bulk_insert, bulk_update, reserve_ids
from core.types import Base
from customers.importing.cells import rows_where, text, word
from customers.importing.customer_numbers import ids_for, reject_forgotten
from customers.importing.kinds import Batch, Field, Kind, Run, in_chunks
from customers.importing.moments import instant
from customers.importing.upserting import upsert_rows

CHUNK = 5000
TABLE = Base.metadata.tables["relations"]
ORGANISATIONS = Base.metadata.tables["organisations"]


def _backwards(batch: Batch) -> dict[int, str]:
    if "since" not in batch.columns or "until" not in batch.columns:
        return {}
    wrong = pc.greater_equal(batch.columns["since"], batch.columns["until"])
    return dict.fromkeys(rows_where(wrong), "until: It ends before it begins.")


def _load(run: Run, batches: Iterator[Batch]) -> None:
    for chunk in in_chunks(batches, CHUNK):
        with run.transaction() as connection:
            batch = reject_forgotten(connection, run, chunk)
            if not len(batch):
                continue
            cells = batch.lists()
            owners = ids_for(connection, run, cells["customer_id"])
            firms = _organisations(connection, run, cells)
            empty = [None] * len(batch)
            numbers = _numbers(cells)
            columns: dict[str, Sequence[Any]] = {
                "external_id": _keys(cells, numbers, cells.get("relation_id") or empty), "kind": cells["kind"],
                "customer_id": [owners[number] for number in cells["customer_id"]],
                **{ours: cells[theirs] for theirs, ours in (("role", "role"), ("since", "since_at"),
                                                            ("until", "until_at")) if theirs in cells}}
            if "organisation_id" in cells or "organisation" in cells:
                columns["organisation_id"] = [firms.get(number) if number else None for number in numbers]
            upsert_rows(connection, run, TABLE, "external_id", columns, defaults={})


def _numbers(cells: Mapping[str, list[Any]]) -> list[str | None]:
    """The organisation's number in each line, or its name without one."""
    count = len(cells["customer_id"])
    own, named = cells.get("organisation_id") or [None] * count, cells.get("organisation") or [None] * count
    return [number or name for number, name in zip(own, named, strict=True)]


def _organisations(connection: Connection, run: Run, cells: Mapping[str, list[Any]]) -> dict[str, int]:
    """Number -> id of every organisation named here; new ones are made, a new name replaces the old one."""
    named = cells.get("organisation") or [None] * len(cells["customer_id"])
    names: dict[str, str | None] = {}
    for number, name in zip(_numbers(cells), named, strict=True):
        if number:
            names[number] = name or names.get(number)
    known = {row.external_id: row for row in connection.execute(
        select(ORGANISATIONS).where(in_texts(ORGANISATIONS.c.external_id, list(names))))}
    ids = {number: int(row.id) for number, row in known.items()}
    if run.dry_run:
        return ids | {number: 0 for number in names if number not in ids}
    new = [number for number in names if number not in ids]
    fresh = reserve_ids(connection, ORGANISATIONS, len(new))
    bulk_insert(connection, ORGANISATIONS, {
        "id": fresh, "external_id": new, "name": [names[number] or number for number in new]})
    renamed = [number for number, row in known.items() if names[number] and names[number] != row.name]
    bulk_update(connection, ORGANISATIONS, "id", {
        "id": [ids[number] for number in renamed], "name": [names[number] for number in renamed]})
    return ids | dict(zip(new, fresh, strict=True))


def _keys(cells: Mapping[str, list[Any]], numbers: list[str | None], own: Sequence[str | None]) -> list[str]:
    """Each relation's own number, or one made of person, kind and organisation."""
    keys = []
    for row, number in enumerate(own):
        said = json.dumps([cells["customer_id"][row], cells["kind"][row], numbers[row]])
        keys.append(number or "~" + hashlib.sha256(said.encode()).hexdigest()[:40])
    return keys


RELATIONS = Kind(
    name="relations",
    fields=(
        Field("relation_id", text(200)),
        Field("customer_id", text(200), required=True, filled=True),
        Field("kind", word(40), required=True, filled=True),
        Field("organisation_id", text(200)), Field("organisation", text(200)), Field("role", text(100)),
        Field("since", instant), Field("until", instant),
    ),
    load=_load, check=_backwards,
)
