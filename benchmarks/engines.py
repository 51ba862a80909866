"""What does one question cost as the base grows, on the mirror and on Spark?

`python -m benchmarks.engines 100000 1000000 [--spark]` asks the lapsed-furniture question of benchmarks/segments.py
over invented shops of these sizes and prints a line of JSON for each: warm medians, sizes of the files, the load of the
machine (above 1 the figures say little). The shops are kept under var/bench; docs/scaling.md explains the results.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from benchmarks.invented import shop
from benchmarks.questions import AS_OF, LAPSED
from core.mirror_rows import duckdb_type
from segments.engines.duckdb import render
from segments.engines.exporting import Export, spark_address
from segments.engines.members import prepare
from segments.engines.mirrored import TABLES
from segments.language.rules import parse_rule

ROUNDS = 5


def curve(customers: int, home: Path, *, spark: bool) -> dict[str, Any]:
    """The figures of one size, in milliseconds and megabytes."""
    path = shop(home, customers)
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"ATTACH '{path}' AS generation (READ_ONLY)")
        connection.execute("USE generation")
        prepared = prepare(parse_rule(LAPSED), summed=True)
        rendered = render(prepared.counting)
        values = rendered.values(prepared.cuts.values(AS_OF))
        found, mirror_ms = _timed(lambda: connection.execute(rendered.text, values).fetchall()[0][0])
        figures = {"customers": customers, "found": found, "mirror_ms": mirror_ms,
                   "mirror_mb": path.stat().st_size >> 20, "load": round(os.getloadavg()[0], 1)}
        if not spark:
            return figures
        facts = home / f"facts-{customers}"
        figures["export_mb"] = exported(connection, facts) >> 20
    return {**figures, **_on_spark(facts, found)}


def _timed(ask: Callable[[], Any]) -> tuple[Any, float]:
    found = ask()  # warms up
    times = []
    for _round in range(ROUNDS):
        started = time.perf_counter()
        ask()
        times.append((time.perf_counter() - started) * 1000)
    return found, round(median(times), 1)


def exported(connection: duckdb.DuckDBPyConnection, facts: Path) -> int:
    """The generation as an export; the invented shops lack some tables, which are empty then. Bytes."""
    export = facts / "export-00000001"
    if not (facts / "manifest.json").exists():
        export.mkdir(parents=True, exist_ok=True)
        there = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
        rows = {}
        for table in TABLES:
            columns = ", ".join(f'CAST(NULL AS {duckdb_type(table.table.c[name])}) AS "{name}"'
                                for name in table.columns)
            query = f"SELECT * FROM {table.name}" if table.name in there else f"SELECT {columns} WHERE false"
            done = connection.execute(f"COPY ({query}) TO '{export / table.name}' (FORMAT parquet, COMPRESSION zstd, "
                                      "ROW_GROUP_SIZE 500000, FILE_SIZE_BYTES '256MB', OVERWRITE true)").fetchone()
            rows[table.name] = int(done[0]) if done else 0
        manifest = Export(export.name, AS_OF.isoformat(), "invented", rows)
        (facts / "manifest.json").write_text(json.dumps(vars(manifest)), encoding="utf-8")
    return sum(path.stat().st_size for path in export.rglob("*") if path.is_file())


def _on_spark(facts: Path, expected: int) -> dict[str, Any]:
    from segments.engines.spark import Spark  # an extra

    spark = Spark(spark_address(f"spark:local?facts={facts}&spark.driver.memory=4g", facts))
    prepared = prepare(parse_rule(LAPSED), staged=False)
    started = time.perf_counter()
    with spark.asking(seconds=600) as source:
        opened = round(time.perf_counter() - started, 1)
        found, took = _timed(lambda: source.column(prepared.counting, prepared.cuts.values(AS_OF), "lapsed")[0])
    spark.close()
    if found != expected:
        raise RuntimeError(f"the engines disagree: {found} and {expected}")
    return {"spark_ms": took, "spark_open_s": opened}


def main() -> None:
    """Print the curve, a line of JSON for each size named."""
    home = Path("var/bench").resolve()
    home.mkdir(parents=True, exist_ok=True)
    for size in sys.argv[1:]:
        if size != "--spark":
            print(json.dumps(curve(int(size), home, spark="--spark" in sys.argv)), flush=True)


if __name__ == "__main__":
    main()
