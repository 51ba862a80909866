"""What do journeys cost when nobody is due, when somebody has to leave at once, and while shops redeem?

Measures five things for benchmarks/journeys.py: one round of all the journeys' duties with millions of people waiting,
on both stores; the time from a program's report of an order, a redemption or a withdrawn consent to the person being
out, with the web server and the leading worker as processes of their own, at rest and amid a large journey; on
PostgreSQL the redemptions' slowest hundredth while a journey walks beside them, and alone before; and how long one
worker takes there, and two at once.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import func, select

from benchmarks.crowd import KEY, NOW, let_in, look_over, put_in, settle_in
from benchmarks.fresh import Fresh, files, server
from benchmarks.redemptions import ask, served
from core.database import Database, open_database
from core.settings import read_settings
from coupons.codes.issuing import issue
from coupons.models import Code
from coupons.offers.offers import save_offer
from delivery.models import Message
from journeys.models import Enrolment
from journeys.walk import duties, running
from segments.engines.questions import Questions
from web.security.keys import issue_key

IDLE_MS, EXIT_SECONDS, P99_MS = 50, 1.0, 60
_EXITS = {"exit_when": [{"redeemed": True}, {"ordered": True}, {"unsubscribed": True}]}
_PATIENCE_SECONDS = 60
_WARM_UP = 640
"""Redemptions before the measured ones: each process has to make its connections and compile its statements."""


def beside_limit(value: float, limit: float) -> dict[str, float]:
    """A time as this machine takes it, and its limit; only ratios of one run decide anything."""
    return {"taken": round(value, 2), "limit": limit}


def waiting(folder: Path, quick: bool) -> dict[str, Any]:
    """One round in which nobody is due, in milliseconds: the runner's part, and all duties of journeys together."""
    people, times = (20_000, 10) if quick else (100_000, 100)
    found: dict[str, Any] = {"people": people * times}
    prepared = partial(_waiting_ones, people=people, times=times)
    for store in ("sqlite", "postgresql"):
        with (files(folder, prepared) if store == "sqlite" else server(prepared)) as fresh:
            found[store] = _idle(_taken(fresh, folder, store), folder)
    return found


def _taken(fresh: Fresh, folder: Path, store: str) -> str:
    """The prepared one itself: nothing is changed in it, and a copy of gigabytes takes long."""
    return f"sqlite:///{folder / 'prepared.db'}" if store == "sqlite" else fresh("idle")


def _waiting_ones(url: str, *, people: int, times: int) -> None:
    database = open_database(url)
    settle_in(database, people=people)
    day = 86_400_000_000
    put_in(database, times=times, step="pause", due_us=f":now + {day} + (place * 7919 + i) % 30 * {day}")
    database.dispose()


def _idle(url: str, folder: Path) -> dict[str, Any]:
    database = open_database(url)
    settings = read_settings({"WINBACK_HOME": str(folder / "home"), "WINBACK_SECRET_KEY": KEY})
    questions, services = Questions(database, settings, engine="rows"), running.Services(KEY)
    rounds: dict[str, Callable[[], int]] = {
        "runner_ms": lambda: running.tick(database, now=NOW, limit=5_000, services=services),
        "all_duties_ms": lambda: duties.tick(database, now=NOW, limit=5_000, services=services, questions=questions)}
    taken = {}
    for name, tick in rounds.items():
        tick()  # the first one opens connections and may find something to note
        seconds = [_seconds(tick) for _turn in range(15)]
        taken[name] = beside_limit(median(seconds) * 1000, IDLE_MS)
    database.dispose()
    return taken


def _seconds(tick: Callable[[], int]) -> float:
    begun = time.perf_counter()
    if tick():
        raise RuntimeError("somebody was due")
    return time.perf_counter() - begun


def exit_at_once(folder: Path, quick: bool) -> dict[str, Any]:
    """Seconds from the report of each event to the person being out, with a real leader; median and longest."""
    people, turns = (60, 4) if quick else (2_000, 20)
    found: dict[str, Any] = {"people": people}
    prepared = partial(_written_to, people=people)
    for store in ("sqlite", "postgresql"):
        with (files(folder, prepared) if store == "sqlite" else server(prepared)) as fresh:
            found[store] = _left(fresh(f"exits_{store}"), folder / store, turns)
    return found


def _written_to(url: str, *, people: int) -> None:
    """People who had their mail an hour ago and wait for a week."""
    now, database = datetime.now(UTC) - timedelta(hours=1), open_database(url)
    settle_in(database, people=people, now=now, kind="live", **_EXITS)
    let_in(database, now=now)
    running.tick(database, now=now, limit=people, services=running.Services(KEY))
    database.dispose()


def _left(url: str, folder: Path, turns: int) -> dict[str, Any]:
    database = open_database(url)
    with database.writing() as session:
        key = issue_key(session, "bench", scopes=["read", "write", "redemptions"], now=datetime.now(UTC))
        codes = {row.customer_id or 0: row.code for row in session.execute(select(Code.customer_id, Code.code))}
    taken: dict[str, list[float]] = {}
    with served(url, folder) as port, _worker(url, folder):
        _until(lambda: _mails_left(database) == 0)
        for turn in range(turns):
            for place, (kind, (path, body)) in enumerate(_events(turn, codes).items()):
                customer = 3 * turn + place + 1
                begun = time.perf_counter()
                _post(port, key, path, body, f"{kind}-{turn}")
                _until(partial(_is_out, database, customer), f"{kind}, person {customer}")
                taken.setdefault(kind, []).append(time.perf_counter() - begun)
    database.dispose()
    return {kind: {"median": beside_limit(median(each), EXIT_SECONDS), "longest": beside_limit(max(each), EXIT_SECONDS)}
            for kind, each in taken.items()}


def exit_amid(folder: Path, quick: bool) -> dict[str, Any]:
    """Seconds from the report of an order to the person being out, while the same worker walks a journey and sends."""
    people, turns = (10_000, 3) if quick else (200_000, 10)
    found: dict[str, Any] = {"people": people}
    prepared = partial(_about_to_walk, people=people)
    for store in ("sqlite", "postgresql"):
        with (files(folder, prepared) if store == "sqlite" else server(prepared)) as fresh:
            taken = _left_amid(fresh(f"amid_{store}"), folder / store, turns)
        found[store] = {"median": beside_limit(median(taken), EXIT_SECONDS),
                        "longest": beside_limit(max(taken), EXIT_SECONDS)}
    return found


def _about_to_walk(url: str, *, people: int) -> None:
    now, database = datetime.now(UTC) - timedelta(minutes=5), open_database(url)
    settle_in(database, people=people, now=now, kind="live", **_EXITS)
    let_in(database, now=now)
    look_over(database)
    database.dispose()


def _left_amid(url: str, folder: Path, turns: int) -> list[float]:
    database, taken = open_database(url), []
    with database.writing() as session:
        key = issue_key(session, "bench", scopes=["write"], now=datetime.now(UTC))
    with served(url, folder) as port, _worker(url, folder):
        _until(lambda: _walked(database) > 0)
        for turn in range(turns):
            path, body = _events(turn, {})["ordered"]
            begun = time.perf_counter()
            _post(port, key, path, body, f"amid-{turn}")
            _until(partial(_is_out, database, 3 * turn + 1), f"person {3 * turn + 1}")
            taken.append(time.perf_counter() - begun)
        if _mails_left(database) == 0:
            raise RuntimeError("the journey was over before the orders were")
    database.dispose()
    return taken


def _events(turn: int, codes: Mapping[int, str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """What a program reports of the next three people."""
    first, at = 3 * turn + 1, datetime.now(UTC).isoformat()
    lines = [{"sku": "SOFA-1", "category": "furniture", "quantity": 1, "unit_price_cents": 50_000}]
    return {
        "ordered": ("/api/v1/orders", {
            "id": f"o{first}", "shop": "", "customer": f"c{first}", "ordered_at": at, "currency": "EUR",
            "lines": lines}),
        "redeemed": ("/api/v1/redemptions", {
            "code": codes.get(first + 1, ""), "shop": "bench",
            "order": {"id": f"o{first + 1}", "total_cents": 50_000, "currency": "EUR", "lines": lines}}),
        "unsubscribed": ("/api/v1/consents", {"customer": f"c{first + 2}", "channel": "email", "state": "withdrawn"}),
    }


def _post(port: int, key: str, path: str, body: Mapping[str, Any], once: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, json.dumps(body), {
        "Authorization": f"Bearer {key}", "Content-Type": "application/json", "Idempotency-Key": once})
    answer = connection.getresponse()
    if answer.status >= 300:
        raise RuntimeError(f"{path}: {answer.status} {answer.read()[:300]!r}")
    connection.close()


def _mails_left(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Message).where(Message.settled_at.is_(None))) or 0


def _is_out(database: Database, customer: int) -> bool:
    with database.reading() as session:
        return session.scalar(select(Enrolment.state).where(Enrolment.customer_id == customer)) == "exited"


def _until(holds: Callable[[], bool], what: str = "it") -> None:
    for _look in range(_PATIENCE_SECONDS * 100):
        if holds():
            return
        time.sleep(0.01)
    raise RuntimeError(f"{what}: it did not come to pass within {_PATIENCE_SECONDS} seconds")


@contextmanager
def _worker(url: str, folder: Path) -> Iterator[None]:
    """The worker as it runs in production: it becomes the leader, whose bell rings every second."""
    environment = {**os.environ, "WINBACK_DATABASE_URL": url, "WINBACK_HOME": str(folder / "home"),
                   "WINBACK_SECRET_KEY": KEY}
    with _process([sys.executable, "-m", "winback", "worker"], environment):
        yield


@contextmanager
def _process(command: list[str], environment: Mapping[str, str]) -> "Iterator[subprocess.Popen[bytes]]":
    running_one = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield running_one
    finally:
        running_one.send_signal(signal.SIGTERM)
        try:
            running_one.wait(30)
        except subprocess.TimeoutExpired:
            running_one.kill()
            running_one.wait()


def beside(folder: Path, quick: bool) -> dict[str, Any]:
    """Redemptions on PostgreSQL alone, and while a journey walks: the slowest hundredth of both, in milliseconds."""
    people, requests = (60_000, 1_500) if quick else (1_000_000, 6_000)
    with server(partial(_due_now, people=people)) as fresh:
        url = fresh("redeeming")
        database = open_database(url)
        key, codes = _shop_codes(database, 2 * requests + _WARM_UP)
        look_over(database)
        with served(url, folder) as port:
            ask(port, key, codes[:_WARM_UP])
            codes = codes[_WARM_UP:]
            alone = ask(port, key, codes[:requests], 10**6)
            command = [sys.executable, "-c", f"from benchmarks.beside import walk_on; walk_on({url!r})"]
            with _process(command, os.environ) as walker:
                _until(lambda: _walked(database) > 0)
                before, begun = _walked(database), time.perf_counter()
                meanwhile = ask(port, key, codes[requests:], 2 * 10**6)
                seen = _walked(database)
                _until(lambda: _walked(database) > seen)  # a chunk is there when it is committed
                walked, elapsed = _walked(database) - before, time.perf_counter() - begun
                if walker.poll() is not None:
                    raise RuntimeError("the journey was over before the redemptions were")
        database.dispose()
    if alone.accepted + meanwhile.accepted != 2 * requests:
        raise RuntimeError("not every redemption was accepted")
    return {
        "people": people, "p99_ms": beside_limit(meanwhile.p99_ms, P99_MS),
        "p99_alone_ms": beside_limit(alone.p99_ms, P99_MS),
        "p99_of_alone": round(meanwhile.p99_ms / alone.p99_ms, 2), "per_second": round(meanwhile.per_second, 1),
        "per_second_alone": round(alone.per_second, 1), "walked_per_second": round(walked / elapsed, 1),
    }


def workers(folder: Path, quick: bool) -> dict[str, Any]:
    """Seconds for a million people on PostgreSQL, walked by one worker and by two at once, processes of their own."""
    people = 40_000 if quick else 1_000_000
    found: dict[str, Any] = {"people": people}
    with server(partial(_due_now, people=people)) as fresh:
        for count in (1, 2):
            found[f"by_{count}"] = round(_together(fresh(f"by_{count}"), count) * 1_000_000 / people, 1)
    return found


def _together(url: str, count: int) -> float:
    """Seconds from when all of them stand ready to when the last one finds nobody due."""
    spawning = get_context("spawn")
    line = spawning.Barrier(count + 1)
    processes = [spawning.Process(target=_one_of_them, args=(url, line)) for _ in range(count)]
    for process in processes:
        process.start()
    line.wait(_PATIENCE_SECONDS)
    begun = time.perf_counter()
    for process in processes:
        process.join()
    taken = time.perf_counter() - begun
    if any(process.exitcode for process in processes):
        raise RuntimeError("a worker ended with an error")
    database = open_database(url)
    with database.reading() as session:
        written, wanted = (session.scalar(select(func.count()).select_from(each)) for each in (Message, Enrolment))
    database.dispose()
    if written != wanted:
        raise RuntimeError(f"{written} messages for {wanted} people")
    return taken


def _one_of_them(url: str, line: Barrier) -> None:
    line.wait()  # it has started and knows its modules
    walk_on(url)


def _due_now(url: str, *, people: int) -> None:
    database = open_database(url)
    settle_in(database, people=people)
    put_in(database, times=1, step="split", due_us=":now")
    database.dispose()


def walk_on(url: str) -> None:
    """What the other process does: walks until nobody is due."""
    database = open_database(url)
    running.tick(database, now=NOW, limit=10**9, services=running.Services(KEY))
    database.dispose()


def _shop_codes(database: Database, count: int) -> tuple[str, list[str]]:
    now = datetime.now(UTC) - timedelta(hours=1)
    with database.writing() as session:
        offer = save_offer(session, "shop", name="Shop", kind="percent", percent=10, limit_per_customer=3, now=now)
        issued = issue(session.connection(), offer.id, customer_ids=list(range(1, count + 1)), campaign="shop",
                       origins=["shop"] * count, counts_from=[now] * count, now=now)
        key = issue_key(session, "shop", scopes=["redemptions"], now=now)
    return key, [one.code for one in issued]


def _walked(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Message)) or 0


MEASURES: Mapping[str, Callable[[Path, bool], dict[str, Any]]] = {
    "waiting": waiting, "exit": exit_at_once, "exit_amid": exit_amid, "beside": beside, "workers": workers}
