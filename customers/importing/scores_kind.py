"""How do numbers that the shop computed about people become scores?

Owns the `scores` columns. One value per person and name; the later of two lines counts. A score that comes by file is
the shop's: our own daily computing then leaves that name alone. Forgotten people get none.
"""

import re
from collections.abc import Iterator

from core.errors import Invalid
from core.types import to_us
from customers.importing.amounts import real
from customers.importing.cells import parsed
from customers.importing.cells import text as words
from customers.importing.customer_numbers import ids_for, reject_forgotten
from customers.importing.kinds import Batch, Field, Kind, Run, in_chunks
from customers.importing.moments import instant
from customers.scores.keeping import note_names, stored_scores, write_scores

CHUNK = 5000
LARGEST = 10**15
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")


def score_name(text: str) -> str:
    """A score's name: small letters, digits and underscores, at most 60. Raises Invalid."""
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise Invalid(f"{text[:60]!r} is no name of a score. Use small letters, digits and _, a letter first.")
    return name


def _load(run: Run, batches: Iterator[Batch]) -> None:
    for chunk in in_chunks(batches, CHUNK):
        with run.transaction() as connection:
            batch = reject_forgotten(connection, run, chunk)
            if not len(batch):
                continue
            cells = batch.lists()
            owners = ids_for(connection, run, cells["customer_id"])
            moments = cells.get("computed_at") or [None] * len(batch)
            last = {(number, name): (value, to_us(run.now) if at is None else at) for number, name, value, at in zip(
                cells["customer_id"], cells["name"], cells["value"], moments, strict=True)}
            rows = {(owners[number], name): held for (number, name), held in last.items()}
            known = stored_scores(connection, sorted(set(owners.values()) - {0}))
            run.count_keys([f"{number}\0{name}" for number, name in last if (owners[number], name) not in known],
                           [f"{number}\0{name}" for number, name in last if (owners[number], name) in known])
            if not run.dry_run:
                write_scores(connection, rows)
                note_names(connection, {name: at for (_owner, name), (_value, at) in rows.items()}, told=True)


SCORES = Kind(
    name="scores",
    fields=(
        Field("customer_id", words(200), required=True, filled=True),
        Field("name", parsed(score_name), required=True, filled=True),
        Field("value", real(-LARGEST, LARGEST), required=True, filled=True),
        Field("computed_at", instant),
    ),
    load=_load,
)
