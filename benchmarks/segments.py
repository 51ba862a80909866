"""How long does counting a segment take, beside the best SQL we can write by hand for the same mirror?

Asks the eight questions of benchmarks/questions.py of the mirror, warm, ours and by hand in turn. One of them decides:
lapsed furniture buyers (bought in the past year, not in the last quarter, at most three orders, 1,500 EUR or more,
consent, country), against hand-written DuckDB SQL in several shapes (the quickest counts), pandas, and PostgreSQL with
the same statement and with EXISTS by hand. All must find the same number. The other engines are asked all eight, too
(benchmarks/stores.py). Beside it stands how long writing members takes (benchmarks/members.py).
"""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
from sqlalchemy import Connection, text

from benchmarks.invented import shop
from benchmarks.members import TARGET as MEMBERS_TARGET
from benchmarks.members import members_written
from benchmarks.memory import peak_mb
from benchmarks.questions import (
    AS_OF,
    COUNTRY_SQL,
    LAPSED,
    LAPSED_BY_HAND,
    LAST_WORD_SQL,
    NOW,
    QUARTER,
    QUARTER_SQL,
    QUESTIONS,
    YEAR,
    YEAR_SQL,
    Question,
)
from benchmarks.stores import asked_once, beside, on_rows, running_shop
from segments.engines.duckdb import render
from segments.engines.members import prepare
from segments.language.rules import parse_rule

TEN_TIMES = 14.0
"""Ten times the data may take so many times as long."""
_POSTGRES = f"""SELECT count(*) FROM customers c WHERE forgotten_at IS NULL
    AND EXISTS (SELECT 1 FROM addresses a WHERE a.customer_id = c.id AND channel = 'letter' AND country = 'DE')
    AND EXISTS (SELECT 1 FROM ({LAST_WORD_SQL}) n WHERE n.customer_id = c.id)
    AND EXISTS (SELECT 1 FROM ({YEAR_SQL}) y WHERE y.customer_id = c.id)
    AND NOT EXISTS (SELECT 1 FROM ({QUARTER_SQL}) q WHERE q.customer_id = c.id)
    AND (SELECT count(*) <= 3 AND sum(total_cents) >= 150000 FROM orders o
         WHERE o.customer_id = c.id AND NOT cancelled AND ordered_at < {NOW})"""


def run(quick: bool, home: Path) -> dict[str, Any]:
    """Measure and return the row of `make bench`, in milliseconds."""
    customers = 50_000 if quick else 1_000_000
    rounds = 15 if quick else 9
    path = shop(home, customers)
    missing: dict[str, str] = {}
    with duckdb.connect(":memory:") as connection, contextlib.ExitStack() as open_things:
        connection.execute(f"ATTACH '{path}' AS generation (READ_ONLY)")
        connection.execute("USE generation")
        asks: dict[str, Callable[[], int]] = {"ours": _ours(connection, LAPSED)}
        for name, statement in LAPSED_BY_HAND.items():
            asks[f"by hand: {name}"] = lambda statement=statement: _one(connection, statement)  # type: ignore[misc]
        asks["pandas"] = _pandas(connection)
        postgres = None
        try:
            postgres = open_things.enter_context(running_shop(connection))
            asks |= _postgres(postgres)
        except ImportError:
            missing["postgresql"] = "the tests that start a PostgreSQL are not installed"
        times, found = _measured(asks, rounds)
        eight = {question.name: _asked(connection, question, 5 if quick else 7) for question in QUESTIONS}
        people = {name: figures["people"] for name, figures in eight.items()}
        engines = asked_once(open_things.enter_context(beside(connection, path, postgres)), people)
    if len(set(found.values())) != 1:
        raise RuntimeError(f"the engines disagree: {found}")
    row = _row(times, missing, customers, found["ours"], quick=quick)
    if not quick:
        row["growth"] = round(_alone(_peak_and_time, str(path))[1] / _alone(_peak_and_time, str(shop(home, customers
                                                                            // 10)))[1], 2)
        row["targets"]["growth"] = TEN_TIMES
        row["ratios"]["growth"] = row["growth"]
        row["met"] = row["met"] and row["growth"] <= TEN_TIMES
    members = members_written(quick)
    for store, written in members.items():
        row["ratios"][f"members_{store}"] = ratio = None if written is None else written["ratio"]
        if not quick:  # the promise is for half a million: of fewer people the commits of the chunks weigh more
            row["targets"][f"members_{store}"] = MEMBERS_TARGET
            row["met"] = row["met"] and ratio is not None and ratio <= MEMBERS_TARGET
    row["members_ms"] = members
    return row | {"peak_mb": _alone(_peak_and_time, str(path))[0], "questions": eight, "engines_ms": engines}


def _row(
    rounds: dict[str, list[float]], missing: dict[str, str], customers: int, members: int, *, quick: bool
) -> dict[str, Any]:
    times = {name: median(values) for name, values in rounds.items()}
    ours = times["ours"]
    hand = min(value for name, value in times.items() if name.startswith("by hand"))
    # Pair by pair, against each shape by hand: the shape we lose most to is the one that counts.
    pairs = max(median(mine / other for mine, other in zip(rounds["ours"], values, strict=True))
                for name, values in rounds.items() if name.startswith("by hand"))
    on_postgres = min((value for name, value in times.items() if name.startswith("postgresql")), default=None)
    baselines = {"hand_written_duckdb": hand, "pandas": times["pandas"], "postgresql": on_postgres}
    ratios = {"hand_written_duckdb": round(pairs, 3), "pandas": round(times["pandas"] / ours, 2),
              "postgresql": None if on_postgres is None else round(on_postgres / ours, 2)}
    # How much faster than pandas and PostgreSQL is a promise for a million people; small sizes show fixed costs.
    targets = {"hand_written_duckdb": 1.15} | ({} if quick else {"pandas": 10, "postgresql": 6})
    met = not missing and all(
        (ratio := ratios[name]) is not None and (ratio <= goal if name == "hand_written_duckdb" else ratio >= goal)
        for name, goal in targets.items())
    return {
        "name": "segments", "unit": "ms", "ours": round(ours, 2),
        "baselines": {name: None if value is None else round(value, 2) for name, value in baselines.items()},
        "ratios": ratios, "targets": targets, "met": met,
        "size": f"{customers} customers, {customers * 10} orders, {customers * 25} lines; {members} found",
        "all_ms": {name: round(value, 2) for name, value in times.items()},
        **({"missing": missing} if missing else {}),
    }


def _asked(connection: duckdb.DuckDBPyConnection, question: Question, rounds: int) -> dict[str, Any]:
    """One question, ours and by hand in turn: milliseconds, and ours over the quickest by hand, pair by pair."""
    asks = {"ours": _ours(connection, question.rule)} | {
        name: (lambda statement=statement: _one(connection, statement)) for name, statement in question.by_hand.items()}
    times, found = _measured(asks, rounds)
    if len(set(found.values())) != 1:
        raise RuntimeError(f"{question.name}: the statements disagree: {found}")
    best = min(question.by_hand, key=lambda name: median(times[name]))
    ratio = median(mine / hand for mine, hand in zip(times["ours"], times[best], strict=True))
    return {"ours_ms": round(median(times["ours"]), 2), "by_hand_ms": round(median(times[best]), 2), "by_hand": best,
            "ratio": round(ratio, 3), "people": found["ours"]}


def _peak_and_time(path: str) -> tuple[int, float]:
    """What a process that asks our statement alone needs at most (MB), and how long it takes (ms)."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"ATTACH '{path}' AS generation (READ_ONLY)")
        connection.execute("USE generation")
        times, _found = _measured({"ours": _ours(connection, LAPSED)}, 7)
    return peak_mb(), median(times["ours"])


def _alone(measure: Callable[[str], tuple[int, float]], path: str) -> tuple[int, float]:
    """The measurement in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, path).result()


def _measured(asks: dict[str, Callable[[], int]], rounds: int) -> tuple[
    dict[str, list[float]], dict[str, int]
]:
    """Milliseconds of interleaved rounds, after one round to warm up, and what each found."""
    found = {name: ask() for name, ask in asks.items()}
    times: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(rounds):
        # Slow baselines are asked less often; forwards and backwards, so that no neighbour is always the same.
        for name in list(asks)[:: 1 if number % 2 else -1]:
            if name.startswith(("pandas", "postgresql")) and number >= 3:
                continue
            started = time.perf_counter()
            asks[name]()
            times[name].append((time.perf_counter() - started) * 1000)
    return times, found


def _one(connection: duckdb.DuckDBPyConnection, statement: str, values: list[Any] | None = None) -> int:
    row = connection.execute(statement, values or []).fetchone()
    assert row is not None
    return int(row[0])


def _ours(connection: duckdb.DuckDBPyConnection, rule: dict[str, Any]) -> Callable[[], int]:
    prepared = prepare(parse_rule(rule), summed=True)
    rendered = render(prepared.counting)
    return lambda: _one(connection, rendered.text, rendered.values(prepared.cuts.values(AS_OF)))


def _pandas(connection: duckdb.DuckDBPyConnection) -> Callable[[], int]:
    lines = connection.execute("SELECT customer_id, ordered_at, category FROM order_lines WHERE NOT cancelled").df()
    orders = connection.execute("SELECT customer_id, ordered_at, total_cents FROM orders WHERE NOT cancelled").df()
    lines["category"] = lines["category"].astype("category")
    country = connection.execute(COUNTRY_SQL).df()["customer_id"]
    consents = connection.execute('SELECT customer_id, "at", state FROM consents WHERE channel = \'email\'').df()

    def ask() -> int:
        furniture = lines[lines["category"] == "furniture"]
        past = furniture["ordered_at"] < NOW
        year = furniture[past & (furniture["ordered_at"] >= YEAR)]["customer_id"].unique()
        quarter = furniture[past & (furniture["ordered_at"] >= QUARTER)]["customer_id"].unique()
        newest = consents[consents["at"] <= NOW].sort_values("at").drop_duplicates("customer_id", keep="last")
        mine = orders[(orders["ordered_at"] < NOW) & orders["customer_id"].isin(year)
                      & ~orders["customer_id"].isin(quarter) & orders["customer_id"].isin(country)
                      & orders["customer_id"].isin(newest[newest["state"] == "granted"]["customer_id"])]
        per_person = mine.groupby("customer_id")["total_cents"].agg(["size", "sum"])
        return int(((per_person["size"] <= 3) & (per_person["sum"] >= 150_000)).sum())

    return ask


def _postgres(connection: Connection) -> dict[str, Callable[[], int]]:
    return {"postgresql: our statement": lambda: on_rows(connection, LAPSED),
            "postgresql: EXISTS by hand": lambda: int(connection.execute(text(_POSTGRES)).scalar_one())}
