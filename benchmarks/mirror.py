"""What does it cost to build the column mirror, to bring it up to now, and to read it meanwhile?

Fills a SQLite row store with an invented shop (once; it is kept, and each run changes a copy), then builds the mirror,
refreshes it after changes to 10,000 order lines, to as many orders (their customers' histories are summed up again) and
to half a million lines (fewer with --quick), and once while another process asks the lapsed-furniture question without
a pause; and tries out windows in the builder (benchmarks/live.py). Baselines: building anew, and a plain copy of the
file, which no refresh can undercut.
"""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import text

from benchmarks.invented import shop
from benchmarks.live import live_count
from benchmarks.memory import forget_peak, peak_mb
from benchmarks.questions import AS_OF, LAPSED
from benchmarks.rows import filled
from core.database import open_database
from core.mirror import Mirror
from core.settings import read_settings
from segments.engines.mirrored import open_mirror
from segments.engines.questions import Questions
from segments.language.rules import parse_rule


def run(quick: bool, home: Path) -> dict[str, Any]:
    """Measure and return the row of `make bench`, in seconds; `ours` is a refresh after 10,000 changed rows (5,000)."""
    customers, small, large = (5_000, 5_000, 10_000) if quick else (1_000_000, 10_000, 500_000)
    source = shop(home, customers)
    folder = Path(tempfile.mkdtemp(prefix="mirror-", dir=home))
    try:
        shutil.copyfile(filled(source), folder / "winback.db")
        database = open_database(f"sqlite:///{folder / 'winback.db'}")
        mirror = open_mirror(folder, database)
        forget_peak()
        built = _timed(lambda: mirror.refresh(now=AS_OF))
        peaks = {"first_build": peak_mb()}
        forget_peak()
        refreshed = [_changed(mirror, small, number) for number in range(1, 4)]
        peaks["refresh"] = peak_mb()
        orders = _changed(mirror, small, 5, table="orders", column="total_cents")
        live = live_count(folder, database)
        idle, beside = _read_beside(mirror, folder, lambda: _changed(mirror, small, 9))
        many = _changed(mirror, large, 4)
        ordered = _timed(lambda: mirror.refresh(now=AS_OF, how="sorted"))
        anew = _timed(lambda: mirror.refresh(now=AS_OF, how="anew"))
        manifest = mirror.manifest()
        assert manifest is not None
        file = mirror.folder / manifest.file
        copied = _timed(lambda: shutil.copyfile(file, file.with_suffix(".copy")))
        mirror.close()
        database.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ours = median(refreshed)
    ratios = {"built_anew": round(anew / ours, 2), "file_copy": round(ours / copied, 2)}
    targets: dict[str, float] = {} if quick else {"built_anew": 5}
    return {
        "name": "mirror", "unit": "seconds", "ours": round(ours, 3),
        "baselines": {"built_anew": round(anew, 3), "file_copy": round(copied, 4)}, "ratios": ratios,
        "targets": targets, "met": all(ratios[name] >= goal for name, goal in targets.items()),
        "peak_mb": peaks["refresh"], "peaks_mb": peaks,
        "size": f"{manifest.rows['order_lines']} lines, {manifest.size_bytes // 1_000_000} MB, {small} changed rows",
        "seconds": {"first_build": round(built, 3), f"refresh_{small}_orders": round(orders, 3),
                    f"refresh_{large}": round(many, 3), "sort": round(ordered, 3)},
        "live_ms": live, "reader_ms": {"alone": idle, "beside_a_refresh": beside},
    }


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _changed(
    mirror: Mirror, rows: int, number: int, *, table: str = "order_lines", column: str = "returned_quantity_milli"
) -> float:
    """How long a refresh takes after so many rows, spread over the whole table, have changed."""
    with mirror.database.writing() as session:
        newest = session.scalar(text(f"SELECT max(id) FROM {table}")) or 0
        session.execute(text(f"UPDATE {table} SET {column} = :number WHERE id % :step = 0"),
                        {"number": number, "step": max(newest // rows, 1)})
    return _timed(lambda: mirror.refresh(now=AS_OF + timedelta(minutes=number)))


def _read_beside(mirror: Mirror, folder: Path, work: Callable[[], object]) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds of a question in another process, with the mirror at rest and while `work` is done."""
    with _reader(mirror, folder) as ask:
        return ask(lambda: time.sleep(2)), ask(work)


@contextlib.contextmanager
def _reader(mirror: Mirror, folder: Path) -> Iterator[Callable[[Callable[[], object]], dict[str, float]]]:
    spawn = get_context("spawn")
    mine, theirs = spawn.Pipe()
    stop = spawn.Event()
    process = spawn.Process(target=_ask_for_ever, args=(str(mirror.database.engine.url), str(folder), theirs, stop))
    process.start()
    theirs.close()  # so that a reader that dies is an end of file here, not a wait for ever
    mine.recv()

    def ask(work: Callable[[], object]) -> dict[str, float]:
        mine.send("begin")
        work()
        mine.send("end")
        times: list[float] = mine.recv()
        return {"median": round(median(times), 1), "longest": round(max(times), 1), "asked": len(times)}

    try:
        yield ask
    finally:
        stop.set()
        process.join(30)


def _ask_for_ever(url: str, folder: str, pipe: Any, stop: Event) -> None:
    settings = read_settings({"WINBACK_HOME": folder, "WINBACK_DATABASE_URL": url, "WINBACK_SECRET_KEY": "x" * 16})
    asker, rule = Questions(open_database(url), settings, engine="mirror"), parse_rule(LAPSED)
    asker.count(rule, as_of=AS_OF, fresh=False)
    pipe.send("ready")
    times: list[float] | None = None
    while not stop.is_set():
        if pipe.poll(0 if times is not None else 0.05):
            if pipe.recv() == "end":
                pipe.send(times)
                times = None
                continue
            times = []
        if times is not None:
            times.append(_timed(lambda: asker.count(rule, as_of=AS_OF, fresh=False)) * 1000)
    asker.close()
