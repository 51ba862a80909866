"""How much do unguessable, idempotently issued codes cost beside the plain insert of rows that are there already?

Measures `issue()` for a million customers in chunks of 20,000, on SQLite and on PostgreSQL: drawing, finding who holds
one, storing and handing back. Baseline in the same run: `bulk_insert` of the very rows that `issue` has just written
(read back, so the same columns, in the same order and chunks), into an empty database that is a copy of the same file
or template: the same indexes, constraints, triggers and durable commits. Rounds of both in turn; medians of the ratios.
"""

import resource
import shutil
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, cast

from sqlalchemy import Table, text

from benchmarks.fresh import Fresh, files, server
from core.bulk import bulk_insert, chunks
from core.database import Database, open_database
from core.types import to_us
from coupons.codes.issuing import issue
from coupons.models import Code
from coupons.offers.offers import save_offer
from customers.models import Customer
from winback.schema import name_installation, upgrade

CHUNK = 20_000
TARGET_OF_PLAIN = 1.8
NOW = datetime(2026, 3, 2, tzinfo=UTC)
PARTS = ("sqlite", "postgresql")
_CODES = cast(Table, Code.__table__)


def run(quick: bool, home: Path, part: str | None = None) -> dict[str, Any]:
    """Measure and return the row of `make bench`; a smaller ratio is better here, met when at most the target."""
    count, rounds = (50_000, 3) if quick else (1_000_000, 2)
    folder = Path(tempfile.mkdtemp(prefix="codes-", dir=home))
    seconds: dict[str, list[tuple[float, float]]] = {}
    try:
        for name in [part] if part else PARTS:
            prepare = partial(_prepare, count=count)
            with (files(folder, prepare) if name == "sqlite" else server(prepare)) as fresh:
                seconds[name] = [_round(fresh, count) for _turn in range(rounds)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ratios = {f"plain_insert_{name}": round(median(ours / plain for ours, plain in pairs), 3)
              for name, pairs in seconds.items()}
    first = next(iter(seconds))
    return {
        "name": "codes", "unit": "seconds", "ours": round(median(ours for ours, _plain in seconds[first]), 3),
        "baselines": {f"plain_insert_{name}": round(median(plain for _ours, plain in pairs), 3)
                      for name, pairs in seconds.items()},
        "ratios": ratios, "targets": dict.fromkeys(ratios, TARGET_OF_PLAIN),
        "met": all(ratio <= TARGET_OF_PLAIN for ratio in ratios.values()),
        "rounds_seconds": {name: [[round(each, 2) for each in pair] for pair in pairs]
                           for name, pairs in seconds.items()},
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "size": f"{count} codes on {' and '.join(seconds)}",
    }


def _prepare(url: str, count: int) -> None:
    """The customers and the offer, number 1."""
    database = open_database(url)
    upgrade(database)
    with database.writing() as session:
        name_installation(session, "test", now=NOW)
        ids = range(1, count + 1)
        bulk_insert(session.connection(), cast(Table, Customer.__table__), {
            "id": list(ids), "external_id": [f"c{number}" for number in ids], "attributes": ["{}"] * count,
            "imported_at": [to_us(NOW)] * count})
        save_offer(session, "bench", name="Bench", kind="percent", percent=10, valid_days=14, now=NOW)
    database.dispose()


def _round(fresh: Fresh, count: int) -> tuple[float, float]:
    """Seconds of ours and of the plain insert of what ours wrote, one database after the other."""
    ours, plain = open_database(fresh("ours")), open_database(fresh("plain"))
    try:
        return _issued(ours, count), _inserted(ours, plain, count)
    finally:
        ours.dispose()
        plain.dispose()


def _issued(database: Database, count: int) -> float:
    begun = time.perf_counter()
    for part in chunks(range(1, count + 1), CHUNK):
        with database.writing() as session:
            issue(session.connection(), 1, customer_ids=list(part), campaign="bench",
                  origins=[f"enrolment:{number}" for number in part], counts_from=[NOW] * len(part), now=NOW)
    return time.perf_counter() - begun


def _inserted(written: Database, database: Database, count: int) -> float:
    """What `written` holds, chunk by chunk; reading it is not counted."""
    names = ["id", "code", "offer_id", "customer_id", "origin", "campaign", "state", "use_limit", "used", "issued_at",
             "valid_from", "valid_until"]
    statement = text(f"SELECT {', '.join(names)} FROM codes WHERE id BETWEEN :first AND :last ORDER BY id")
    elapsed = 0.0
    for first in range(1, count + 1, CHUNK):
        with written.reading() as session:
            rows = session.execute(statement, {"first": first, "last": first + CHUNK - 1}).all()
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        begun = time.perf_counter()
        with database.writing() as session:
            bulk_insert(session.connection(), _CODES, columns)
        elapsed += time.perf_counter() - begun
    return elapsed
