"""Which shop do the benchmarks ask about, and how is one of ten million customers made within minutes?

Owns the invented shop: a generation of the mirror with three years of orders, ten a customer and two to three lines an
order on average, some buyers much keener. It is made in blocks that lie in order of the customers already, so that a
few million rows are sorted at a time, and never a whole table.
"""

import hashlib
from datetime import timedelta
from pathlib import Path

import duckdb

from benchmarks.questions import AS_OF, NOW
from core.mirror_rows import duckdb_type
from core.mirror_summaries import sum_up
from core.types import to_us
from segments.engines.mirrored import SUMMARIES, TABLES

BLOCK = 5_000_000
"""So many orders are made and sorted at a time, with two to three lines each."""
CATEGORIES = sorted([*(f"category {number}" for number in range(19)), "furniture"])
_SPAN_US = NOW - to_us(AS_OF - timedelta(days=1095))
_REST = {
    "customers": (", attributes, imported_at", ", '{}', 0"), "addresses": (", value, lookup", ", '', ''"),
    "consents": (", recorded_at", ", 0"), "orders": (", shop, external_id, currency", ", '', CAST(id AS TEXT), 'EUR'"),
    "order_lines": (", currency, quantity_milli, unit_price_cents", ", 'EUR', 1000, total_cents"),
}
_GIVEN = {
    "customers": "id external_id", "addresses": "customer_id channel country",
    "consents": "id customer_id channel state at",
    "orders": "id customer_id ordered_at cancelled total_cents",
    "order_lines": "order_id customer_id ordered_at cancelled category total_cents",
}


def given(table: str) -> list[str]:
    """The columns of a table that the invented shop fills."""
    return _GIVEN[table].split()


def rest_of(table: str) -> dict[str, str]:
    """Further columns that the row store insists on, and what stands in them, as SQL."""
    names, values = (text.strip(", ").split(", ") for text in _REST[table])
    return dict(zip(names, values, strict=True))


def shop(home: Path, customers: int) -> Path:
    """A generation of the mirror with an invented shop, made once and kept."""
    made = [_orders(0, 1, 1), _lines("block"), *(_rows(name, 1) for name in _GIVEN)]
    shape = [*((table.name, table.columns) for table in TABLES), *SUMMARIES, made]
    path = home / f"segments-{customers}-{hashlib.sha256(repr(shape).encode()).hexdigest()[:8]}.duckdb"
    if path.exists():
        return path
    temporary, scratch = path.with_suffix(".tmp"), path.with_suffix(".scratch")
    for left in (temporary, scratch):
        left.unlink(missing_ok=True)
    with duckdb.connect(str(temporary), config={"memory_limit": "6GB"}) as target:
        target.execute(f"ATTACH '{scratch}' AS scratch")
        _make_orders(target, customers)
        for name in _GIVEN:
            # In one statement: every further one would leave a row group half full, and holes in the file.
            target.execute(f'CREATE TABLE "{name}" AS {_columns(name, _rows(name, customers))}')
        sum_up(target, SUMMARIES)
        target.execute("DETACH scratch")
    scratch.unlink()
    temporary.replace(path)
    return path


def _columns(name: str, rows: str) -> str:
    """What `rows` give, in all columns that the mirror has of this table."""
    table = next(table for table in TABLES if table.name == name)
    filled = {column: f'"{column}"' for column in given(name)}
    columns = ", ".join(
        f"CAST({filled.get(column, 'NULL')} AS {duckdb_type(table.table.c[column])}) AS \"{column}\""
        for column in table.columns)
    return f"SELECT {columns} FROM ({rows})"


def _make_orders(target: duckdb.DuckDBPyConnection, customers: int) -> None:
    """Orders and their lines, narrow: orders lie in order of the customers, lines do so within their block."""
    orders, lines = _orders(0, 1, customers), _lines("block")
    target.execute(f"CREATE TEMP TABLE block AS {orders} LIMIT 0")
    target.execute(f"CREATE TABLE scratch.orders AS {orders} LIMIT 0")
    target.execute(f"CREATE TABLE scratch.lines AS {lines} LIMIT 0")
    for first in range(0, customers * 10, BLOCK):
        rows = min(BLOCK, customers * 10 - first)
        target.execute(f"CREATE OR REPLACE TEMP TABLE block AS {_orders(first, rows, customers)}"
                       " ORDER BY customer_id, ordered_at")
        target.execute("INSERT INTO scratch.orders FROM block")
        target.execute(f"INSERT INTO scratch.lines {_lines('block')} ORDER BY kind, customer_id, ordered_at")


def _rows(name: str, customers: int) -> str:
    """The rows of a table in the order in which the mirror keeps them."""
    if name == "order_lines":
        return " UNION ALL ".join(f"SELECT *, '{category}' AS category FROM scratch.lines WHERE kind = {kind}"
                                  for kind, category in enumerate(CATEGORIES))
    return "FROM scratch.orders" if name == "orders" else _people(name, customers)


def _chance(*numbers: str) -> str:
    # As fine as a double: of a million steps ten million customers would share their orders.
    return f"(hash({', '.join(numbers)}) / 18446744073709551616.0)"


def _orders(first: int, rows: int, customers: int) -> str:
    """A block of orders, of the customers whose turn it is; their numbers tell nothing of the customer."""
    keen = f"pow(({first} + {_chance('o', '1')} * {rows}) / {customers * 10}, 1.6)"
    return f"""SELECT 1 + o * 1000003 % {customers * 10} AS id,
        1 + least(CAST(floor({keen} * {customers}) AS BIGINT), {customers - 1}) AS customer_id,
        {NOW} - CAST({_chance('o', '2')} * {_SPAN_US} AS BIGINT) AS ordered_at,
        hash(o, 3) % 50 = 0 AS cancelled, 2 + hash(o, 4) % 60000 * (1 + hash(o, 5) % 3) AS total_cents
        FROM range({first}, {first + rows}) numbers(o)"""


def _lines(orders: str) -> str:
    """The lines of these orders; `kind` is the place of their category in CATEGORIES."""
    furniture = CATEGORIES.index("furniture")
    return f"""SELECT CAST(CASE WHEN hash(id, l, 9) % 20 = 0 THEN {furniture} ELSE hash(id, l, 10) % {furniture} END
        AS UTINYINT) AS kind, id AS order_id, customer_id, ordered_at, cancelled, total_cents // 2 AS total_cents
        FROM {orders}, range(4) lines(l) WHERE l < 1 + hash(id, 11) % 4"""


def _people(name: str, customers: int) -> str:
    """Customers, their addresses or their consents, sorted."""
    return {
        "customers": f"SELECT c AS id, 'C' || c AS external_id FROM range(1, {customers} + 1) numbers(c)",
        "addresses": f"""SELECT c AS customer_id, 'letter' AS channel,
            CASE hash(c, 6) % 4 WHEN 0 THEN 'AT' WHEN 1 THEN 'CH' ELSE 'DE' END AS country
            FROM range(1, {customers} + 1) numbers(c)""",
        "consents": f"""SELECT c AS id, 1 + (c - 1) % {customers} AS customer_id, 'email' AS channel,
            CASE WHEN c > {customers} THEN 'withdrawn' WHEN hash(c, 7) % 10 < 7 THEN 'granted' ELSE 'denied' END
            AS state, {NOW} - CAST({_chance('c', '8')} * {_SPAN_US} AS BIGINT) AS "at"
            FROM range(1, CAST({customers} * 1.2 AS BIGINT) + 1) numbers(c) ORDER BY customer_id, "at\"""",
    }[name]
