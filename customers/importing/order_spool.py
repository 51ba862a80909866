"""How do order lines that stand anywhere in a file become whole orders, in little memory?

Owns a DuckDB of its own that spills to a temporary folder and logs nothing: checked lines go in as they are read,
whole orders come out customer by customer (a chunk then touches few index pages). The promise: an order with one bad
line, or with two customers or dates, comes out not at all and all its lines are rejected by name.
"""

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from customers.importing.columns import ANY
from customers.importing.kinds import Run

HEAD = ("customer_id", "ordered_at", "currency", "status", "coupon_code", "ordered_via", "payment")
"""Columns that belong to the whole order: its lines must agree on them where they are filled."""

_SHOWN = {"customer_id": "customers", "ordered_at": "dates", "currency": "currencies", "status": "statuses",
          "coupon_code": "coupon codes", "ordered_via": "ways of ordering", "payment": "payments"}
MEMORY = "256MB"


class OrderSpool:
    """The lines of one import on their way to being orders; a context manager that removes its folder."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="winback-import-")
        self._duck = duckdb.connect(":memory:", config={
            "memory_limit": MEMORY, "threads": 2, "temp_directory": self._folder.name})
        self._columns: list[str] = []
        self._lines = 0

    def __enter__(self) -> "OrderSpool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._duck.close()
        self._folder.cleanup()

    def add(self, table: Any) -> None:
        """Keep some checked lines: `shop`, `order_id`, `line`, `last_line` and the columns of orders."""
        self._duck.register("incoming", table)
        if not self._columns:
            self._columns = list(table.column_names)
            self._duck.execute("CREATE TABLE lines AS SELECT * FROM incoming")
        else:
            self._duck.execute("INSERT INTO lines SELECT * FROM incoming")
        self._duck.unregister("incoming")
        self._lines += table.num_rows

    def settle(self, run: Run) -> int:
        """Reject what cannot be a whole order; returns how many lines are left in good orders."""
        if not self._columns:
            return 0
        heads = [name for name in HEAD if name in self._columns]
        sums = "".join(f", min({name}) AS {name}, max({name}) AS {name}_other" for name in heads)
        self._duck.execute(f"CREATE TABLE heads AS SELECT shop, order_id, min(line) AS first_line{sums}"
                           " FROM lines GROUP BY shop, order_id")
        self._reject_with_bad_lines(run)
        self._reject_conflicts(run, heads)
        kept = ", ".join(heads)
        self._duck.execute("CREATE TABLE good AS SELECT row_number() OVER (ORDER BY customer_id, first_line) AS n,"
                           f" shop, order_id, {kept} FROM heads"
                           " WHERE (shop, order_id) NOT IN (SELECT (shop, order_id) FROM rejected)")
        self._duck.execute("DROP TABLE heads")
        return int(self._one("SELECT count(*) FROM lines JOIN good USING (shop, order_id)"))

    def _one(self, query: str) -> Any:
        [row] = self._duck.execute(query).fetchall()
        return row[0]

    def _reject_with_bad_lines(self, run: Run) -> None:
        owners: dict[tuple[str | None, str | None], int] = run.memory.get("bad_owners", {})
        named = [(shop or "", order, line) for (shop, order), line in owners.items() if order]
        bad = pa.table({"shop": pa.array([row[0] for row in named], pa.string()),
                        "order_id": pa.array([row[1] for row in named], pa.string()),
                        "line": pa.array([row[2] for row in named], pa.int64())})
        self._duck.register("bad", bad)
        self._duck.execute(
            "CREATE TABLE rejected AS SELECT h.shop, h.order_id, min(b.line) AS bad_line FROM heads h"
            f" JOIN bad b ON h.order_id = b.order_id AND (h.shop = b.shop OR b.shop = '{ANY}')"
            " GROUP BY h.shop, h.order_id")
        self._duck.unregister("bad")
        rows: Any = self._duck.execute(
            "SELECT line, last_line, order_id, bad_line FROM lines JOIN rejected USING (shop, order_id)")
        while found := rows.fetchmany(10_000):
            for line, last_line, order, bad_line in found:
                run.rejects.add(line, last_line, f"Order {order} is rejected because of its line {bad_line}.")

    def _reject_conflicts(self, run: Run, heads: list[str]) -> None:
        for name in heads:
            query = (f"SELECT l.line, l.last_line, h.order_id, h.{name}::VARCHAR, h.{name}_other::VARCHAR FROM lines l"
                     f" JOIN heads h USING (shop, order_id) WHERE h.{name} <> h.{name}_other")
            rows = self._duck.execute(query)
            while found := rows.fetchmany(10_000):
                for line, last_line, order, one, other in found:
                    if name == "ordered_at":
                        one, other = _shown(int(one)), _shown(int(other))
                    run.rejects.add(line, last_line,
                                    f"Order {order} is rejected: its lines name two {_SHOWN[name]}, {one} and {other}.")
            self._duck.execute(f"INSERT INTO rejected SELECT shop, order_id, first_line FROM heads"
                               f" WHERE {name} <> {name}_other")

    def orders(self, rows: int) -> Iterator[Any]:
        """Tables of whole orders, about `rows` lines each; `n` numbers the orders."""
        if not self._columns:
            return
        heads = {name for name in HEAD if name in self._columns}
        listed = ", ".join(f"g.{name}" if name in heads | {"shop", "order_id"} else f"l.{name}"
                           for name in self._columns)
        reader = self._duck.sql(
            f"SELECT g.n, {listed} FROM lines l JOIN good g ON l.shop = g.shop AND l.order_id = g.order_id"
            " ORDER BY g.n, l.line").to_arrow_reader(rows)
        held: Any = None
        for batch in reader:
            table = pa.Table.from_batches([batch])
            held = table if held is None else pa.concat_tables([held, table])
            if held.num_rows < rows:
                continue
            numbers = held.column("n").to_numpy()
            cut = int(np.searchsorted(numbers, numbers[-1]))
            if cut:
                yield held.slice(0, cut).combine_chunks()
                held = held.slice(cut)
        if held is not None and held.num_rows:
            yield held.combine_chunks()


def _shown(microseconds: int) -> str:
    from core.types import from_us

    return from_us(microseconds).isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")
