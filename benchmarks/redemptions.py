"""How many redemptions per second does the whole endpoint take, beside one bare SQL statement in pgbench?

Measures the real application on granian with 32 keep-alive connections: key, schema, idempotency, limits, ledger and
durable commits, every request a fresh code. Baseline in the same run, on the same PostgreSQL and the same tables:
pgbench with one statement that takes the code and writes the ledger row. On SQLite the limit is the same server with a
Flask route that asks no database at all: where the targets were set that took 15,291 requests a second, and the goal
was 2,000. Beside each p99 stands what multiple it is of its baseline's in the same run: the machine where 60 and 40 ms
were set as goals had 4.5 ms in pgbench and 19 ms in Flask.
"""

import json
import os
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, cast

from flask import Flask, request
from sqlalchemy import Table, make_url, select

from core.bulk import bulk_insert
from core.database import Database, open_database
from core.settings import read_settings
from core.types import to_us
from coupons.checks.invariants import drift
from coupons.codes.issuing import issue
from coupons.models import Redemption
from coupons.offers.offers import save_offer
from customers.models import Customer
from web.app import create_app
from web.security.keys import issue_key
from winback.schema import name_installation, upgrade
from winback.serving import THREADS, settle

CONNECTIONS = 32
WORKERS = 2
TARGETS = {"distinct": 0.15, "counter": 0.25, "code": 0.25}
"""Of pgbench with the same rows: codes of their own, one total limit and budget that all count on, one code for all."""
PARTS = ("sqlite", *TARGETS)
SQLITE_TARGET = 0.13
"""Of a Flask route without a database: 2,000 of 15,291."""

_PGBENCH = """\\set id random(1, {codes})
WITH taken AS (UPDATE codes SET used = used + 1 WHERE id = :id AND state = 'issued' AND used < 1000000
               RETURNING id, code, offer_id, customer_id){counted}
INSERT INTO redemptions (public_id, code_id, code_text, offer_id, customer_id, shop, order_ref, order_total_cents,
                         discount_cents, rolled_back_cents, currency, state, history, redeemed_at)
SELECT gen_random_uuid()::text, taken.id, code, offer_id, customer_id, '', gen_random_uuid()::text, 58000, 5800, 0,
       'EUR', 'redeemed', false, 0 FROM taken{also};
"""
_COUNTED = """, counted AS (
    UPDATE offers SET used = used + 1, spent_cents = spent_cents + 5800 WHERE id = 1
    AND (limit_total IS NULL OR used + 1 <= limit_total)
    AND (budget_cents IS NULL OR spent_cents + 5800 <= budget_cents) AND EXISTS (SELECT 1 FROM taken) RETURNING id)"""


@dataclass(frozen=True)
class _Run:
    per_second: float
    p50_ms: float
    p99_ms: float
    accepted: int


def app() -> Flask:
    """The application that granian serves, from the environment of the process it starts, settled as in production."""
    made = create_app(read_settings(os.environ))
    settle()
    return made


def bare() -> Flask:
    """The least that Flask can do: read a body of JSON and answer one."""
    made = Flask("bare")

    @made.post("/api/v1/redemptions")
    def answer() -> tuple[dict[str, Any], int]:
        return {"code": request.get_json()["code"]}, 201

    return made


def run(quick: bool, home: Path, part: str | None = None) -> dict[str, Any]:
    """Measure and return the row of `make bench`; ours is PostgreSQL's, SQLite's stands beside it."""
    requests = 1_500 if quick else 20_000
    rounds = 1 if quick else 3
    folder = Path(tempfile.mkdtemp(prefix="redemptions-", dir=home))
    try:
        on_sqlite, on_nothing = [], []
        for place in range(rounds if part in (None, "sqlite") else 0):
            on_sqlite.append(_measure(f"sqlite:///{folder / f'{place}.db'}", folder, requests, "distinct"))
            on_nothing.append(_without_database(folder, requests))
        runs, limits, reason = _on_postgres(
            folder, requests, rounds, [name for name in TARGETS if part in (None, name)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ratios = {f"pgbench_{name}": _ratio(runs[name], limits[name]) for name in runs}
    slower = {f"pgbench_{name}": _tail(runs[name], limits[name]) for name in runs}
    if on_sqlite:
        ratios["bare_flask"], slower["bare_flask"] = _ratio(on_sqlite, on_nothing), _tail(on_sqlite, on_nothing)
    targets = {**{f"pgbench_{name}": TARGETS[name] for name in runs}, **({"bare_flask": SQLITE_TARGET} if on_sqlite
                                                                       else {})}
    row: dict[str, Any] = {
        "name": "redemptions", "unit": "redemptions/s",
        "ours": _rounded(_speed(next((each for each in [*runs.values(), on_sqlite] if each), []))),
        "baselines": {
            **{f"pgbench_{name}": _rounded(_speed(limits[name])) for name in runs},
            **({"bare_flask": _rounded(_speed(on_nothing))} if on_nothing else {})},
        "ratios": ratios, "targets": targets,
        "met": all(ratio is not None and ratio >= targets[name] for name, ratio in ratios.items()),
        "postgresql": {name: _described(measured) for name, measured in runs.items()},
        "pgbench": {name: _described(measured) for name, measured in limits.items()},
        "sqlite": _described(on_sqlite), "bare_flask": _described(on_nothing), "p99_of_baseline": slower,
        "peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "size": f"{requests} requests, {CONNECTIONS} connections, {WORKERS} workers",
    }
    if reason is not None:
        row["missing"] = dict.fromkeys([f"pgbench_{name}" for name in runs], reason)
    return row


def _speed(runs: list[_Run]) -> float | None:
    return median(one.per_second for one in runs) if runs else None


def _tail(runs: list[_Run], bare: list[_Run]) -> float | None:
    """How many times as long the slowest hundredth takes as the baseline's."""
    if not runs or not bare:
        return None
    return round(median(ours.p99_ms / base.p99_ms for ours, base in zip(runs, bare, strict=True)), 1)


def _ratio(runs: list[_Run], bare: list[_Run]) -> float | None:
    """The median of neighbours in time: the machine is not as fast in one minute as in the next."""
    if not runs or not bare:
        return None
    return round(median(ours.per_second / base.per_second for ours, base in zip(runs, bare, strict=True)), 3)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _described(runs: list[_Run]) -> dict[str, float] | None:
    if not runs:
        return None
    return {"per_second": round(median(one.per_second for one in runs), 1),
            "p50_ms": round(median(one.p50_ms for one in runs), 2),
            "p99_ms": round(median(one.p99_ms for one in runs), 2)}


def _on_postgres(folder: Path, requests: int, rounds: int, kinds: list[str]) -> tuple[
    dict[str, list[_Run]], dict[str, list[_Run]], str | None
]:
    runs: dict[str, list[_Run]] = {name: [] for name in kinds}
    bare: dict[str, list[_Run]] = {name: [] for name in kinds}
    if not kinds:
        return runs, bare, None
    try:
        from tests.postgres import running_postgres
    except ImportError:
        return runs, bare, "the tests that start a PostgreSQL are not installed"
    reason = None if shutil.which("pgbench") else "pgbench is not installed"
    with running_postgres(durable=True) as server:
        for place in range(rounds):
            for kind in kinds:
                name = f"bench_{kind}_{place}"
                _command("psql", server, "-c", f"CREATE DATABASE {name}")
                url = make_url(server).set(database=name).render_as_string(hide_password=False)
                runs[kind].append(_measure(url, folder, requests, kind))
                if reason is None:
                    bare[kind].append(_pgbench(url, folder, requests, kind))
    return runs, bare, reason


def _command(program: str, url: str, *arguments: str) -> str:
    parts = make_url(url)
    address = ["-h", str(parts.query.get("host") or parts.host), "-U", parts.username or "postgres"]
    if parts.port:
        address += ["-p", str(parts.port)]
    name = ["-d", parts.database or ""] if program == "psql" else []
    tail = [] if program == "psql" else [parts.database or ""]
    done = subprocess.run([program, *address, *name, *arguments, *tail], check=True, capture_output=True, text=True)
    return done.stdout


def _pgbench(url: str, folder: Path, requests: int, kind: str) -> _Run:
    script = folder / "one.sql"
    on_counter = kind == "counter"
    script.write_text(_PGBENCH.format(codes=1 if kind == "code" else requests, counted=_COUNTED if on_counter else "",
                                      also=", counted" if on_counter else ""), encoding="ascii")
    _command("psql", url, "-c", "UPDATE codes SET use_limit = 1000000, state = 'issued'", "-c", "VACUUM ANALYZE")
    each = max(1, 2 * requests // CONNECTIONS)
    log = folder / f"pgbench-{kind}"
    printed = _command("pgbench", url, "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "2", "-t", str(each), "-f",
                       str(script), "-l", "--log-prefix", str(log))
    line = next(line for line in printed.splitlines() if line.startswith("tps"))
    took = []  # one log for each of pgbench's threads; microseconds stand third
    for each_log in folder.glob(f"{log.name}.*"):
        took += [int(written.split()[2]) / 1000 for written in each_log.read_text("ascii").splitlines()]
        each_log.unlink()
    took.sort()
    return _Run(float(line.split("=")[1].split()[0]), took[len(took) // 2], took[int(len(took) * 0.99)], len(took))


def _measure(url: str, folder: Path, requests: int, kind: str) -> _Run:
    database = open_database(url)
    try:
        key, codes = _prepare(database, requests + CONNECTIONS * 4, kind)
        with served(url, folder) as port:
            ask(port, key, codes[:CONNECTIONS * 4])  # workers warm up
            found = ask(port, key, codes[CONNECTIONS * 4:], CONNECTIONS * 4)
        with database.reading() as session:
            wrong = drift(session.connection())
            assert not wrong, wrong
            assert len(session.scalars(select(Redemption.id)).all()) >= found.accepted
    finally:
        database.dispose()
    if found.accepted != requests:
        raise RuntimeError(f"only {found.accepted} of {requests} redemptions were accepted")
    return found


def _without_database(folder: Path, requests: int) -> _Run:
    with served("", folder, "benchmarks.redemptions:bare") as port:
        asked = [f"NOCODE{number}" for number in range(requests + CONNECTIONS * 4)]
        ask(port, "none", asked[:CONNECTIONS * 4])
        return ask(port, "none", asked[CONNECTIONS * 4:])


_LIMITS: dict[str, dict[str, Any]] = {
    "distinct": {"limit_per_customer": 3}, "code": {"limit_per_code": 1_000_000},
    "counter": {"limit_per_customer": 3, "limit_total": 10**9, "budget_cents": 10**12},
}


def _prepare(database: Database, count: int, kind: str) -> tuple[str, list[str]]:
    """A fresh database with an offer and one code for each of `count` customers; returns a key and the codes."""
    now = datetime.now(UTC) - timedelta(hours=1)
    upgrade(database)
    with database.writing() as session:
        name_installation(session, "live", now=now)
        connection = session.connection()
        ids = list(range(1, count + 1))
        bulk_insert(connection, cast(Table, Customer.__table__), {
            "id": ids, "external_id": [f"c{number}" for number in ids], "attributes": ["{}"] * count,
            "imported_at": [to_us(now)] * count})
        offer = save_offer(session, "bench", name="Bench", kind="percent", percent=10, now=now, **_LIMITS[kind])
        issued = issue(connection, offer.id, customer_ids=ids, origins=["bench"] * count, campaign="bench",
                       counts_from=[now] * count, now=now)
        key = issue_key(session, "bench", scopes=["redemptions"], now=now)
    codes = [one.code for one in issued]
    return key, codes[:1] * count if kind == "code" else codes


@contextmanager
def served(url: str, folder: Path, factory: str = "benchmarks.redemptions:app") -> Iterator[int]:
    """The application on granian, two workers, on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {**os.environ, "WINBACK_DATABASE_URL": url, "WINBACK_HOME": str(folder / "home"),
                   "WINBACK_SECRET_KEY": "benchmark-only-secret"}
    server = subprocess.Popen(
        [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
         "--workers", str(WORKERS), "--blocking-threads", str(THREADS), "--factory",
         "--no-ws", factory],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait(port, server)
        yield port
    finally:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(15)
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)  # its workers, too, should it have died without them
        server.wait()


def _wait(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _attempt in range(2400):
        if server.poll() is not None:
            raise RuntimeError(f"granian ended with {server.returncode}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        time.sleep(0.1)
    raise RuntimeError("granian did not answer within four minutes")


def ask(port: int, key: str, codes: list[str], first: int = 0) -> _Run:
    """Send one request per code over 32 connections that are kept open.

    One thread on bare sockets with bodies made before: what asks shares the two cores with what answers.
    """
    waiting = iter([_request(key, code, number) for number, code in enumerate(codes, first)])
    took: list[float] = []
    accepted = 0
    with selectors.DefaultSelector() as ready:
        begun = time.perf_counter()
        for _number in range(min(CONNECTIONS, len(codes))):
            ready.register(_Asking(port, next(waiting)), selectors.EVENT_READ)
        while ready.get_map():
            for selected, _events in ready.select():
                asking = cast(_Asking, selected.fileobj)
                status = asking.status()
                if status is None:
                    continue
                took.append(time.perf_counter() - asking.begun)
                accepted += status == 201
                following = next(waiting, None)
                if following is None:
                    ready.unregister(asking)
                    asking.close()
                else:
                    asking.send(following)
        elapsed = time.perf_counter() - begun
    took.sort()
    return _Run(len(codes) / elapsed, took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000, accepted)


class _Asking:
    """One connection with one request under way."""

    def __init__(self, port: int, first: bytes) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(first)

    def send(self, request: bytes) -> None:
        self._read, self.begun = b"", time.perf_counter()
        self._socket.sendall(request)

    def status(self) -> int | None:
        """Of the answer, once all of it is there."""
        piece = self._socket.recv(65_536)
        if not piece:
            raise RuntimeError("granian closed a connection")
        self._read += piece
        head, complete, body = self._read.partition(b"\r\n\r\n")
        if not complete:
            return None
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                      if line.startswith(b"content-length:"))
        return int(head.split(b" ", 2)[1]) if len(body) >= length else None

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


def _request(key: str, code: str, number: int) -> bytes:
    body = json.dumps({"code": code, "shop": "bench", "order": {
        "id": f"o{number}-{code}", "total_cents": 58_000, "currency": "EUR",
        "lines": [{"sku": "SOFA-1", "category": "furniture", "quantity": 1, "unit_price_cents": 50_000},
                  {"sku": "LAMP-1", "category": "lighting", "quantity": 2, "unit_price_cents": 4_000}]}})
    return (f"POST /api/v1/redemptions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
            f"Idempotency-Key: {code}-{number}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
