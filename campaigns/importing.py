"""How do campaigns of the past come in, so that reports can learn from them?

Owns the `campaigns` columns: one row per person addressed. Such a campaign has state history and never runs. The
promise: an import never touches a campaign of our own.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from core.arrays import in_ids, in_texts
from core.bulk import bulk_insert, bulk_update, reserve_ids
from core.types import Base, to_us
from customers.importing.cells import rows_where, text, word
from customers.importing.customer_numbers import ids_for
from customers.importing.kinds import Batch, Field, Kind, Run, in_chunks
from customers.importing.moments import day

CHUNK = 5000
HISTORY = "history"
CAMPAIGN_TABLE = Base.metadata.tables["campaigns"]
PEOPLE = Base.metadata.tables["past_people"]
_OF_CAMPAIGN = ("name", "kind", "starts_on", "ends_on")


def _check(batch: Batch) -> dict[int, str]:
    import pyarrow.compute as pc

    start, end = batch.columns.get("starts_on"), batch.columns.get("ends_on")
    if start is None or end is None:
        return {}
    return dict.fromkeys(rows_where(pc.less(end, start)), "ends_on: The campaign ends before it starts.")


def _load(run: Run, batches: Iterator[Batch]) -> None:
    for batch in in_chunks(batches, CHUNK):
        with run.transaction() as connection:
            _store(connection, run, batch)


def _store(connection: Connection, run: Run, batch: Batch) -> None:
    cells = batch.lists()
    stored = {row.key: row for row in connection.execute(
        select(CAMPAIGN_TABLE.c.key, CAMPAIGN_TABLE.c.id, CAMPAIGN_TABLE.c.state)
        .where(in_texts(CAMPAIGN_TABLE.c.key, sorted(set(cells["campaign_id"])))))}
    good: list[int] = []
    for row, key in enumerate(cells["campaign_id"]):
        if key in stored and stored[key].state != HISTORY:
            run.rejects.add(batch.lines[row], batch.last_lines[row],
                            f"{key!r} is a campaign of our own; history cannot be added to it.")
        else:
            good.append(row)
    last = {cells["campaign_id"][row]: row for row in good}
    # A campaign's people may fill many chunks; it is counted at the first.
    counted: set[str] = run.memory.setdefault("campaigns", set())
    fresh = [key for key in last if key not in counted]
    run.count_keys([key for key in fresh if key not in stored], [key for key in fresh if key in stored])
    counted |= set(fresh)
    owners = ids_for(connection, run, [cells["customer_id"][row] for row in good])
    if run.dry_run or not good:
        return
    ids = {key: row.id for key, row in stored.items()}
    _store_campaigns(connection, run, cells, last, ids)
    _store_people(connection, cells, good, ids, owners)


def _store_campaigns(
    connection: Connection, run: Run, cells: dict[str, list[Any]], last: dict[str, int], ids: dict[str, int]
) -> None:
    """Insert or update the campaigns of a chunk; `ids` gains the new ones."""
    given = [name for name in _OF_CAMPAIGN if name in cells]
    known = [key for key in last if key in ids]
    new = [key for key in last if key not in ids]

    def column(name: str, keys: Sequence[str]) -> list[Any]:
        return [_campaign_value(name, key, cells[name][last[key]]) for key in keys]

    if known and given:
        bulk_update(connection, CAMPAIGN_TABLE, "id", {
            "id": [ids[key] for key in known], **{name: column(name, known) for name in given},
            "updated_at": [to_us(run.now)] * len(known)})
    if not new:
        return
    ids |= dict(zip(new, reserve_ids(connection, CAMPAIGN_TABLE, len(new)), strict=True))
    fixed: dict[str, Any] = {
        "state": HISTORY, "timezone": "UTC", "goal_categories": "[]", "holdout_percent": 0.0, "currency": "EUR",
        "settings": "{}", "version": 1, "created_at": to_us(run.now), "updated_at": to_us(run.now)}
    named: dict[str, list[Any]] = {"name": new, "kind": [HISTORY] * len(new)}
    bulk_insert(connection, CAMPAIGN_TABLE, {
        "id": [ids[key] for key in new], "key": new, **named, **{name: column(name, new) for name in given},
        **{name: [value] * len(new) for name, value in fixed.items()}})


def _campaign_value(name: str, key: str, value: Any) -> Any:
    if name == "name":
        return value or key
    if name == "kind":
        return value or HISTORY
    return value.isoformat() if isinstance(value, date) else value


def _store_people(
    connection: Connection, cells: dict[str, list[Any]], rows: list[int], ids: dict[str, int], owners: dict[str, int]
) -> None:
    last = {(ids[cells["campaign_id"][row]], owners[cells["customer_id"][row]]): row for row in rows}
    stored = {(row.campaign_id, row.customer_id): row.id for row in connection.execute(
        select(PEOPLE.c.id, PEOPLE.c.campaign_id, PEOPLE.c.customer_id)
        .where(in_ids(PEOPLE.c.campaign_id, sorted({key[0] for key in last})),
               in_ids(PEOPLE.c.customer_id, sorted({key[1] for key in last}))))}
    given = [name for name in ("arm", "channel") if name in cells]
    known = [key for key in last if key in stored]
    new = [key for key in last if key not in stored]
    if known and given:
        bulk_update(connection, PEOPLE, "id", {"id": [stored[key] for key in known],
                                               **{name: [cells[name][last[key]] for key in known] for name in given}})
    if new:
        bulk_insert(connection, PEOPLE, {
            "campaign_id": [key[0] for key in new], "customer_id": [key[1] for key in new],
            **{name: [cells[name][last[key]] for key in new] for name in given}})


KIND = Kind(
    name="campaigns",
    fields=(
        Field("campaign_id", text(100), required=True, filled=True), Field("name", text(200)), Field("kind", text(40)),
        Field("starts_on", day), Field("ends_on", day), Field("customer_id", text(200), required=True, filled=True),
        Field("arm", text(60)), Field("channel", word(16)),
    ),
    load=_load,
    check=_check,
)
