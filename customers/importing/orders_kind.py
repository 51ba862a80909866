"""How does a file of order lines become orders?

Owns the `orders` columns. Rows of one (shop, order_id) form one order wherever they stand; equal rows are separate
lines; a re-import replaces the order's lines. `line_total` wins over quantity x price. Without a currency column the
currency is EUR, without a quantity column the quantity is 1. The promise: an order is stored whole or not at all.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, delete, text

from core.arrays import in_ids
from core.bulk import bulk_insert, bulk_update, reserve_ids
from core.types import Base
from customers.importing.amounts import cents, line_totals, real, thousandths
from customers.importing.cells import choice, parsed, rows_where
from customers.importing.cells import text as words
from customers.importing.currencies import DEFAULT_CURRENCY, normal_currency
from customers.importing.customer_numbers import ids_for
from customers.importing.kinds import Batch, Field, Kind, Run
from customers.importing.moments import instant
from customers.importing.order_spool import OrderSpool

CHUNK = 10_000
CANCELLED = ("cancelled", "canceled", "voided")
ORDERS_TABLE = Base.metadata.tables["orders"]
LINES = Base.metadata.tables["order_lines"]
_SPOOLED = {"quantity": "quantity_milli", "unit_price": "unit_price_cents", "line_total": "total_cents",
            "discount": "discount_cents", "unit_cost": "unit_cost_cents",
            "returned_quantity": "returned_quantity_milli"}
_OF_LINES = ("sku", "product", "category", "brand", "quantity_milli", "unit_price_cents", "total_cents",
             "discount_cents", "tax_rate", "unit_cost_cents", "delivered_at", "returned_quantity_milli", "returned_at")
_OF_ORDERS = ("ordered_at", "currency", "status", "coupon_code", "ordered_via", "payment")

# Pairs of keys as one parameter each; a statement per shop would be compiled thousands of times.
_STORED_SQLITE = text(
    "SELECT o.shop, o.external_id, o.id, o.currency, o.cancelled FROM json_each(:keys) k CROSS JOIN orders o"
    " ON o.shop = json_extract(k.value, '$[0]') AND o.external_id = json_extract(k.value, '$[1]')")
_STORED_POSTGRESQL = text(
    "SELECT o.shop, o.external_id, o.id, o.currency, o.cancelled FROM orders o JOIN"
    " unnest(CAST(:shops AS text[]), CAST(:numbers AS text[])) AS k(shop, number)"
    " ON o.shop = k.shop AND o.external_id = k.number")


def _check(batch: Batch) -> dict[int, str]:
    """What only a whole line shows: an amount is there, it fits, and no more came back than was bought."""
    faults: dict[int, str] = {}
    price, total = batch.columns.get("unit_price"), batch.columns.get("line_total")
    missing = [column for column in (price, total) if column is not None]
    nothing = pc.is_null(missing[0]) if len(missing) == 1 else pc.and_(pc.is_null(price), pc.is_null(total))
    for row in rows_where(nothing):
        faults[row] = "The line has neither a unit_price nor a line_total."
    quantity = _quantity(batch)
    if price is not None:
        for row in line_totals(quantity, price)[1]:
            faults[row] = "Quantity times unit_price is too large."
    returned = batch.columns.get("returned_quantity")
    if returned is not None:
        for row in rows_where(pc.greater(returned, quantity)):
            faults.setdefault(row, "returned_quantity: More came back than was bought.")
    return faults


def _quantity(batch: Batch) -> Any:
    given = batch.columns.get("quantity")
    return given if given is not None else pa.array(np.full(len(batch), 1000, dtype=np.int64))


def _spooled(batch: Batch) -> Any:
    """The batch as the spool keeps it: amounts worked out, the shop never null."""
    columns = {_SPOOLED.get(name, name): values for name, values in batch.columns.items()}
    quantity, price = _quantity(batch), columns.get("unit_price_cents")
    total: Any = columns.get("total_cents")
    if price is not None:
        product = line_totals(quantity, price)[0]
        total = product if total is None else pc.coalesce(total, product)
    # A price that is not given follows from the line's total; half a cent is rounded up.
    amounts = total.to_numpy(zero_copy_only=False).astype(np.int64)
    milli = quantity.to_numpy(zero_copy_only=False).astype(np.int64)
    # In floating point: totals may reach 10^14, and a price derived by division is no exact amount anyway.
    derived = pa.array(np.where(milli > 0, np.floor(amounts * (1000.0 / np.maximum(milli, 1)) + 0.5), amounts)
                       .clip(0, 2.0**62).astype(np.int64))
    columns["unit_price_cents"] = derived if price is None else pc.coalesce(price, derived)
    columns["total_cents"], columns["quantity_milli"] = total, quantity
    columns["shop"] = pc.fill_null(columns["shop"], "") if "shop" in columns else pa.array([""] * len(batch))
    return pa.table({**columns, "line": pa.array(batch.lines), "last_line": pa.array(batch.last_lines)})


def _load(run: Run, batches: Iterator[Batch]) -> None:
    with OrderSpool() as spool:
        # Reading is told as the first 40 % of the work, storing as the rest.
        report, reached = run.progress, [1]

        def reading(done: int, total: int) -> None:
            reached[0] = total
            report(done * 2 // 5, total)

        run.progress = reading
        for batch in batches:
            spool.add(_spooled(batch))
        run.progress = report
        lines, stored = spool.settle(run), 0
        for table in spool.orders(CHUNK):
            with run.transaction() as connection:
                _store(connection, run, table)
            stored += table.num_rows
            report(int(reached[0] * (0.4 + 0.6 * stored / max(lines, 1))), reached[0])


def _store(connection: Connection, run: Run, table: Any) -> None:
    """Store whole orders: new ones with their lines, known ones with their lines replaced."""
    numbers = table.column("n").to_numpy()
    starts = np.concatenate(([0], np.flatnonzero(np.diff(numbers)) + 1))
    heads = {name: table.column(name).take(pa.array(starts)).to_pylist()
             for name in ("shop", "order_id", "customer_id", *_OF_ORDERS) if name in table.column_names}
    keys = list(zip(heads["shop"], heads["order_id"], strict=True))
    stored = _stored_orders(connection, keys)
    run.count_keys(["\0".join(key) for key in keys if key not in stored],
                   ["\0".join(key) for key in keys if key in stored])
    owners = ids_for(connection, run, heads["customer_id"])
    if run.dry_run:
        return
    orders = {name: values for name, values in heads.items() if name in _OF_ORDERS}
    orders["customer_id"] = [owners[number] for number in heads["customer_id"]]
    orders["total_cents"] = np.add.reduceat(table.column("total_cents").to_numpy(), starts).tolist()
    if "status" in orders:
        orders["cancelled"] = [(status or "").casefold() in CANCELLED for status in orders["status"]]
    kept = [stored.get(key) for key in keys]
    currency = orders.get("currency") or [row[1] if row else DEFAULT_CURRENCY for row in kept]
    cancelled = orders.get("cancelled") or [bool(row[2]) if row else False for row in kept]
    ids = _write_orders(connection, keys, stored, {**orders, "currency": currency, "cancelled": cancelled})
    widths = np.diff(np.concatenate((starts, [len(numbers)])))
    repeated = {"order_id": np.repeat(ids, widths), "customer_id": np.repeat(orders["customer_id"], widths),
                "ordered_at": np.repeat(orders["ordered_at"], widths),
                "cancelled": np.repeat(np.array(cancelled, dtype=bool), widths),
                "currency": np.repeat(np.array(currency, dtype=object), widths)}
    bulk_insert(connection, LINES, {
        **repeated, **{name: table.column(name).to_pylist() for name in _OF_LINES if name in table.column_names}})


def _stored_orders(connection: Connection, keys: list[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, str, bool]]:
    if connection.dialect.name == "sqlite":
        rows = connection.execute(_STORED_SQLITE, {"keys": json.dumps(keys)})
    else:
        rows = connection.execute(_STORED_POSTGRESQL, {"shops": [key[0] for key in keys],
                                                       "numbers": [key[1] for key in keys]})
    return {(shop, number): (key, currency, bool(cancelled)) for shop, number, key, currency, cancelled in rows}


def _write_orders(
    connection: Connection, keys: list[tuple[str, str]], stored: dict[tuple[str, str], tuple[int, str, bool]],
    columns: dict[str, list[Any]],
) -> list[int]:
    """Insert or update the orders and empty the known ones; returns their ids in the order of `keys`."""
    known = [row for row, key in enumerate(keys) if key in stored]
    new = [row for row, key in enumerate(keys) if key not in stored]
    ids = dict(zip(new, reserve_ids(connection, ORDERS_TABLE, len(new)), strict=True))
    ids |= {row: stored[keys[row]][0] for row in known}
    if known:
        listed = [ids[row] for row in known]
        connection.execute(delete(LINES).where(in_ids(LINES.c.order_id, listed)))
        bulk_update(connection, ORDERS_TABLE, "id", {
            "id": listed, **{name: [values[row] for row in known] for name, values in columns.items()}})
    if new:
        bulk_insert(connection, ORDERS_TABLE, {
            "id": [ids[row] for row in new], "shop": [keys[row][0] for row in new],
            "external_id": [keys[row][1] for row in new],
            **{name: [values[row] for row in new] for name, values in columns.items()}})
    return [ids[row] for row in range(len(keys))]


ORDERS = Kind(
    name="orders",
    fields=(
        Field("order_id", words(200), required=True, filled=True),
        Field("customer_id", words(200), required=True, filled=True),
        Field("ordered_at", instant, required=True, filled=True),
        Field("status", words(40)), Field("currency", parsed(normal_currency), filled=True),
        Field("sku", words(100)), Field("product", words(300)), Field("category", words(200)),
        Field("brand", words(200)),
        Field("quantity", thousandths, filled=True), Field("unit_price", cents), Field("line_total", cents),
        Field("shop", words(100)), Field("coupon_code", words(64)),
        Field("ordered_via", choice(("web", "phone", "letter", "store"))), Field("payment", words(40)),
        Field("discount", cents), Field("tax_rate", real(0, 1, " Write 0.19 for 19 %.")), Field("unit_cost", cents),
        Field("delivered_at", instant), Field("returned_quantity", thousandths), Field("returned_at", instant),
    ),
    load=_load,
    one_of=(("unit_price", "line_total"),),
    check=_check,
    owner=("shop", "order_id"),
)
