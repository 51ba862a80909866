"""How long does a shop wait until its delivery is stored, beside one bare insert on the same database?

Measures the real application, each system's own signed delivery after the other in one thread: signature, look-up,
inbox row, durable commit, answer. Baseline in the same run and on the same file: the inbox row alone in a transaction
of its own. The ratio is ours to the bare insert's; absolute times stand beside it.
"""

import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from flask.testing import FlaskClient

from core.database import Database, open_database
from core.settings import Settings, read_settings
from web.app import create_app
from web.shops.connections import create_connection
from web.shops.inbox import store
from web.shops.systems import SYSTEMS
from winback.schema import name_installation, upgrade

TARGET_OF_INSERT = 6.0
"""A delivery may take so many times as long as the bare insert of its row."""
SECRET_KEY = "benchmark-secret-key-0123456789"


def run(quick: bool, home: Path) -> dict[str, Any]:
    """Measure and return the row of `make bench`: milliseconds of the median delivery."""
    each = 100 if quick else 500
    folder = Path(tempfile.mkdtemp(prefix="hooks-", dir=home))
    url = f"sqlite:///{folder / 'hooks.db'}"
    settings = read_settings({"WINBACK_HOME": str(folder), "WINBACK_DATABASE_URL": url,
                              "WINBACK_SECRET_KEY": SECRET_KEY})
    database = open_database(url)
    try:
        upgrade(database)
        with database.writing() as session:
            name_installation(session, "live", now=datetime.now(UTC))
        ours, bare = _measure(database, settings, each)
    finally:
        database.dispose()
        shutil.rmtree(folder, ignore_errors=True)
    slowest = max(median(times) for times in ours.values())
    ratio = slowest / median(bare)
    return {
        "name": "hooks", "unit": "ms until a delivery is answered", "ours": round(slowest * 1000, 2),
        "baselines": {"bare_insert": round(median(bare) * 1000, 2)}, "ratios": {"bare_insert": round(ratio, 2)},
        "targets": {"bare_insert": TARGET_OF_INSERT}, "met": ratio <= TARGET_OF_INSERT,
        "systems": {kind: {"p50_ms": round(median(times) * 1000, 2), "p99_ms": round(_p99(times) * 1000, 2)}
                    for kind, times in ours.items()},
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "size": f"{each} deliveries of each system",
    }


def _measure(database: Database, settings: Settings, each: int) -> tuple[dict[str, list[float]], list[float]]:
    """Seconds of every delivery by system, and of every bare insert; they take turns: both see the same disk."""
    client = create_app(settings, database).test_client()
    shops = {kind: _connect(database, kind) for kind in SYSTEMS}
    ours: dict[str, list[float]] = {kind: [] for kind in SYSTEMS}
    bare: list[float] = []
    start = datetime.now(UTC)
    for number in range(each + 5):
        for kind, (_row_id, public_id, secret) in shops.items():
            took = _timed(_delivery(client, kind, public_id, secret, start + timedelta(seconds=number)))
            if number >= 5:  # the first ones build caches
                ours[kind].append(took)
        row_id = shops["standard"][0]
        bare.append(_timed(_insert(database, row_id, f"bare {number}", start)))
    return ours, bare[5:]


def _connect(database: Database, kind: str) -> tuple[int, str, str]:
    with database.writing() as session:
        found, secret = create_connection(session, kind, name=kind, shop=kind, zone="UTC", currency="EUR",
                                          secret_key=SECRET_KEY, now=datetime.now(UTC))
        return found.id, found.public_id, secret


def _delivery(client: FlaskClient, kind: str, public_id: str, secret: str, at: datetime) -> Callable[[], None]:
    sample = SYSTEMS[kind].sample(secret, "BENCH", at, int(time.time()))

    def deliver() -> None:
        answer = client.post(f"/hooks/{kind}/{public_id}", data=sample.body, headers=sample.headers)
        if answer.get_json() != {"stored": True}:
            raise RuntimeError(f"{kind} was answered {answer.status_code}: {answer.get_data(as_text=True)[:200]}")

    return deliver


def _insert(database: Database, row_id: int, key: str, at: datetime) -> Callable[[], bool]:
    return lambda: database.small(lambda connection: store(
        connection, row_id, key=key, topic="order.created", headers={}, body=b"{}" * 300, now=at))


def _timed(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]
