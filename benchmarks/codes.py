"""How much do unguessable, idempotently issued codes cost beside the plain insert of rows that are there already?

Measures `issue()` for a million customers in chunks of 20,000 on SQLite: looking for codes held, drawing, sorting,
storing and handing back. Baseline in the same run: `bulk_insert` of the same rows, same chunks, same order. Medians of
interleaved pairs.
"""

import resource
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, cast

from sqlalchemy import Table, delete

from core.bulk import bulk_insert, chunks
from core.codes import new_codes
from core.database import Database, open_database
from core.types import to_us
from coupons.codes.issuing import issue
from coupons.models import Code
from coupons.offers.offers import save_offer
from customers.models import Customer
from winback.schema import name_installation, upgrade

CHUNK = 20_000
TARGET_OF_PLAIN = 1.8
_CODES = cast(Table, Code.__table__)


def run(quick: bool, home: Path) -> dict[str, Any]:
    """Measure and return the row of `make bench`; a smaller ratio is better here, met when at most the target."""
    count, rounds = (50_000, 3) if quick else (1_000_000, 3)
    folder = Path(tempfile.mkdtemp(prefix="codes-", dir=home))
    try:
        database = open_database(f"sqlite:///{folder / 'codes.db'}")
        offer_id = _prepare(database, count)
        ours, plain = [], []
        for _round in range(rounds):
            ours.append(_issued(database, offer_id, count))
            plain.append(_inserted(database, offer_id, count))
        database.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ratio = median(mine / bare for mine, bare in zip(ours, plain, strict=True))
    return {
        "name": "codes", "unit": "seconds", "ours": round(median(ours), 3),
        "baselines": {"plain_insert": round(median(plain), 3)}, "ratios": {"plain_insert": round(ratio, 3)},
        "targets": {"plain_insert": TARGET_OF_PLAIN}, "met": ratio <= TARGET_OF_PLAIN,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "size": f"{count} codes on SQLite",
    }


def _prepare(database: Database, count: int) -> int:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    upgrade(database)
    with database.writing() as session:
        name_installation(session, "test", now=now)
        ids = range(1, count + 1)
        bulk_insert(session.connection(), cast(Table, Customer.__table__), {
            "id": list(ids), "external_id": [f"c{number}" for number in ids], "attributes": ["{}"] * count,
            "imported_at": [to_us(now)] * count})
        return save_offer(session, "bench", name="Bench", kind="percent", percent=10, valid_days=14, now=now).id


def _empty(database: Database) -> None:
    with database.writing() as session:
        session.execute(delete(Code))


def _issued(database: Database, offer_id: int, count: int) -> float:
    _empty(database)
    now = datetime(2026, 3, 2, tzinfo=UTC)
    begun = time.perf_counter()
    for part in chunks(range(1, count + 1), CHUNK):
        with database.writing() as session:
            issue(session.connection(), offer_id, customer_ids=list(part), campaign="bench",
                  origins=[f"enrolment:{number}" for number in part], counts_from=[now] * len(part), now=now)
    return time.perf_counter() - begun


def _inserted(database: Database, offer_id: int, count: int) -> float:
    _empty(database)
    now = to_us(datetime(2026, 3, 2, tzinfo=UTC))
    prepared = []
    for part in chunks(range(1, count + 1), CHUNK):
        rows = len(part)
        prepared.append({
            "id": list(part), "code": sorted(new_codes(rows)), "offer_id": [offer_id] * rows,
            "customer_id": list(part), "origin": [f"enrolment:{number}" for number in part],
            "campaign": ["bench"] * rows, "state": ["issued"] * rows, "use_limit": [1] * rows, "used": [0] * rows,
            "issued_at": [now] * rows, "valid_from": [now] * rows, "valid_until": [now + 14 * 86_400_000_000] * rows})
    begun = time.perf_counter()
    for columns in prepared:
        with database.writing() as session:
            bulk_insert(session.connection(), _CODES, columns)
    return time.perf_counter() - begun
