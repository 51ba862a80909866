"""What a file of order lines may hold, and what becomes of it."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.database import Database
from core.types import to_us
from customers.importing import import_file
from tests.customers.files import Desk, reasons

HEAD = "order_id,customer_id,ordered_at,sku,category,quantity,unit_price\n"


def test_rows_of_one_order_form_one_order_wherever_they_stand(desk: Desk) -> None:
    result = desk.load("orders", HEAD + "O1,C1,2026-01-02,a,sofa,1,10.00\nO2,C2,2026-01-03,b,bed,2,5.50\n"
                                        "O1,C1,2026-01-02,c,sofa,3,1.00\n")
    assert (result.read, result.imported, result.rejected, result.created) == (3, 3, 0, 2)
    assert desk.rows("SELECT external_id, total_cents FROM orders ORDER BY external_id") == [("O1", 1300), ("O2", 1100)]
    assert desk.rows("SELECT count(*) FROM order_lines WHERE sku IN ('a', 'c') AND order_id ="
                     " (SELECT id FROM orders WHERE external_id = 'O1')") == [(2,)]


def test_lines_carry_the_orders_customer_time_and_cancellation(desk: Desk) -> None:
    desk.load("orders", "order_id,customer_id,ordered_at,status,unit_price,currency\n"
                        "O1,C1,2026-01-02T10:00Z,Voided,1,CHF\n")
    at = to_us(datetime(2026, 1, 2, 10, tzinfo=UTC))
    assert desk.rows("SELECT l.customer_id = o.customer_id, l.ordered_at, l.cancelled, l.currency FROM order_lines l"
                     " JOIN orders o ON o.id = l.order_id") == [(True, at, True, "CHF")]


def test_equal_rows_are_separate_lines(desk: Desk) -> None:
    desk.load("orders", HEAD + "O1,C1,2026-01-02,a,sofa,1,10\n" * 3)
    assert desk.rows("SELECT count(*), sum(total_cents) FROM order_lines") == [(3, 3000)]


def test_one_order_number_in_two_shops_is_two_orders(desk: Desk) -> None:
    desk.load("orders", "shop,order_id,customer_id,ordered_at,unit_price\nx,O1,C1,2026-01-02,1\ny,O1,C2,2026-01-02,2\n")
    assert desk.rows("SELECT shop, total_cents FROM orders ORDER BY shop") == [("x", 100), ("y", 200)]


def test_a_reimport_replaces_the_orders_lines_and_keeps_what_the_file_lacks(desk: Desk) -> None:
    desk.load("orders", "order_id,customer_id,ordered_at,status,unit_price,currency\nO1,C1,2026-01-02,cancelled,1,CHF\n"
                        "O1,C1,2026-01-02,cancelled,2,CHF\n")
    result = desk.load("orders", HEAD + "O1,C1,2026-01-05,z,sofa,1,7\n")
    assert (result.created, result.updated) == (0, 1)
    assert desk.rows("SELECT sku, total_cents, cancelled, currency FROM order_lines") == [("z", 700, True, "CHF")]
    assert desk.rows("SELECT total_cents, status, cancelled, currency, ordered_at FROM orders") == [
        (700, "cancelled", True, "CHF", to_us(datetime(2026, 1, 5, tzinfo=UTC)))]


def test_a_bad_line_rejects_its_whole_order_and_every_bad_line_is_listed(desk: Desk) -> None:
    result = desk.load("orders", HEAD + "O1,C1,2026-01-02,a,sofa,1,10\nO2,C1,2026-01-02,a,sofa,1,10\n"
                                        "O1,C1,2026-01-02,a,sofa,-1,10\nO1,C1,2026-01-02,a,sofa,1,ten\n")
    assert (result.imported, result.rejected) == (1, 3)
    found = reasons(result)
    assert found[2] == "Order O1 is rejected because of its line 4."
    assert found[4] == "quantity: '-1' is negative; a quantity is 0 or more."
    assert found[5].startswith("unit_price: 'ten' is not a number")
    assert desk.rows("SELECT external_id FROM orders") == [("O2",)]


def test_a_bad_line_of_a_later_file_leaves_the_stored_order_as_it_was(desk: Desk) -> None:
    desk.load("orders", HEAD + "O1,C1,2026-01-02,a,sofa,1,10\n")
    desk.load("orders", HEAD + "O1,C1,2026-01-02,a,sofa,1,20\nO1,C1,someday,a,sofa,1,20\n")
    assert desk.rows("SELECT total_cents FROM order_lines") == [(1000,)]


@pytest.mark.parametrize("broken", ["O1,C1,2026-01-02,a,so,fa,1,10", 'O1,"C1,2026-01-02,a,sofa,1,10', "O1,C1"])
def test_a_line_that_cannot_be_split_rejects_its_order_too(quick_desk: Desk, broken: str) -> None:
    result = quick_desk.load("orders", HEAD + f"O1,C1,2026-01-02,a,sofa,1,10\n{broken}\nO2,C1,2026-01-02,a,sofa,1,10\n")
    assert (result.read, result.imported, result.rejected) == (3, 1, 2)
    assert reasons(result)[2] == "Order O1 is rejected because of its line 3."
    assert quick_desk.rows("SELECT external_id FROM orders") == [("O2",)]


@pytest.mark.parametrize(("lines", "words"), [
    ("O1,C1,2026-01-02,,,1,1\nO1,C2,2026-01-02,,,1,1\n", "two customers, C1 and C2"),
    ("O1,C1,2026-01-02,,,1,1\nO1,C1,2026-01-03,,,1,1\n",
     "two dates, 2026-01-02 00:00:00 UTC and 2026-01-03 00:00:00 UTC"),
])
def test_an_order_with_two_customers_or_dates_is_rejected_and_named(quick_desk: Desk, lines: str, words: str) -> None:
    result = quick_desk.load("orders", HEAD + lines)
    assert result.imported == 0
    assert reasons(result) == dict.fromkeys((2, 3), f"Order O1 is rejected: its lines name {words}.")


def test_a_status_or_coupon_on_some_lines_holds_for_the_order(quick_desk: Desk) -> None:
    quick_desk.load("orders", "order_id,customer_id,ordered_at,unit_price,coupon_code\nO1,C1,2026-01-02,1,\n"
                              "O1,C1,2026-01-02,1,SAVE\n")
    assert quick_desk.rows("SELECT coupon_code FROM orders") == [("SAVE",)]


def test_an_unknown_customer_becomes_a_bare_customer_and_an_empty_one_rejects(desk: Desk) -> None:
    result = desk.load("orders", HEAD + "O1,NEW,2026-01-02,a,sofa,1,10\nO2,,2026-01-02,a,sofa,1,10\n")
    assert reasons(result) == {3: "customer_id: The cell is empty."}
    assert desk.rows("SELECT external_id, first_name, search FROM customers") == [("NEW", None, "new")]


@pytest.mark.parametrize(("status", "cancelled"), [("shipped", False), ("Cancelled", True), ("canceled", True),
                                                   ("VOIDED", True), ("weird word", False), ("", False)])
def test_any_status_is_kept_and_three_words_cancel(quick_desk: Desk, status: str, cancelled: bool) -> None:
    quick_desk.load("orders", f"order_id,customer_id,ordered_at,unit_price,status\nO1,C1,2026-01-02,1,{status}\n")
    assert quick_desk.rows("SELECT status, cancelled FROM orders") == [(status or None, cancelled)]


def test_line_total_wins_over_quantity_times_price(quick_desk: Desk) -> None:
    quick_desk.load("orders", "order_id,customer_id,ordered_at,quantity,unit_price,line_total\n"
                              "O1,C1,2026-01-02,2,10,17.5\nO2,C1,2026-01-02,2,10,\nO3,C1,2026-01-02,4,,10\n")
    assert quick_desk.rows("SELECT total_cents, unit_price_cents FROM order_lines ORDER BY id") == [
        (1750, 1000), (2000, 1000), (1000, 250)]


def test_quantity_and_price_may_be_zero_and_fractions_are_kept(quick_desk: Desk) -> None:
    quick_desk.load("orders", HEAD + "O1,C1,2026-01-02,a,sofa,0,10\nO2,C1,2026-01-02,a,sofa,1,0\n"
                                     "O3,C1,2026-01-02,a,wood,0.333,9.99\n")
    assert quick_desk.rows("SELECT quantity_milli, total_cents FROM order_lines ORDER BY id") == [
        (0, 0), (1000, 0), (333, 333)]


def test_without_columns_the_quantity_is_one_and_the_currency_the_euro(quick_desk: Desk) -> None:
    quick_desk.load("orders", "order_id,customer_id,ordered_at,unit_price\nO1,C1,2026-01-02,3\n")
    assert quick_desk.rows("SELECT quantity_milli, currency, total_cents FROM order_lines") == [(1000, "EUR", 300)]


@pytest.mark.parametrize(("column", "cell", "words"), [
    ("quantity", "-1", "is negative"), ("quantity", "", "The cell is empty"), ("quantity", "1e5", "is not a number"),
    ("quantity", "2000000000", "is too large"), ("unit_price", "-0.01", "is negative"),
    ("unit_price", "NaN", "is not a number"), ("unit_price", "inf", "is not a number"),
    ("unit_price", "1.234,56", "is not a number"), ("unit_price", "1,234", "could mean two numbers"),
    ("unit_price", "99999999999999999999", "is too large"), ("unit_price", "", "neither a unit_price nor a line_total"),
    ("currency", "EURO", "is not a currency"), ("currency", "", "The cell is empty"),
    ("ordered_via", "fax", "is not one of web, phone, letter, store"), ("tax_rate", "19", "Write 0.19 for 19 %"),
    ("returned_quantity", "3", "More came back than was bought"), ("sku", "x" * 101, "longer than 100 characters"),
    ("ordered_at", "2026/01/02", "is not a date in a known form"),
    ("ordered_at", "30.02.2026", "not a date that exists"),
    ("ordered_at", "2026-13-01", "not a date that exists"), ("ordered_at", "1.2.26", "is not a date in a known form"),
    ("order_id", "", "The cell is empty"), ("product", "a\0b", "a character of value zero"),
])
def test_a_cell_that_does_not_fit_rejects_its_line_with_the_reason(
    quick_desk: Desk, column: str, cell: str, words: str
) -> None:
    cells = {"order_id": "O1", "customer_id": "C1", "ordered_at": "2026-01-02", "quantity": "2", "unit_price": "1"}
    cells[column] = cell
    good = {**cells, "order_id": "O2", "customer_id": "C1", "ordered_at": "2026-01-02", "quantity": "2",
            "unit_price": "1"} | ({column: {"currency": "EUR"}.get(column, "")} if column not in (
                "order_id", "ordered_at", "quantity", "unit_price") else {})
    lines = [",".join(cells), ",".join(f'"{value}"' for value in cells.values()), ",".join(good.values())]
    result = quick_desk.load("orders", "\n".join(lines) + "\n")
    assert (result.read, result.imported, result.rejected) == (2, 1, 1)
    assert words in reasons(result)[2]


@pytest.mark.parametrize(("cell", "expected"), [
    ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)), ("2026-01-02 03:04", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
    ("2026-01-02T03:04:05.25", datetime(2026, 1, 2, 3, 4, 5, 250000, tzinfo=UTC)),
    ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
    ("20260102T030405Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ("02.01.2026", datetime(2026, 1, 2, tzinfo=UTC)), ("02.01.2026 03:04", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
    ("02.01.2026 03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)), ("20260102", datetime(2026, 1, 2, tzinfo=UTC)),
    ("1969-12-31T23:59:59.5", datetime(1969, 12, 31, 23, 59, 59, 500000, tzinfo=UTC)),
])
def test_the_accepted_dates_mean_one_instant(quick_desk: Desk, cell: str, expected: datetime) -> None:
    quick_desk.load("orders", f"order_id;customer_id;ordered_at;unit_price\nO1;C1;{cell};1\nO2;C1;2020-01-01;1\n")
    assert quick_desk.rows("SELECT ordered_at FROM orders WHERE external_id = 'O1'") == [(to_us(expected),)]


@pytest.mark.parametrize(("cell", "expected"), [("1,50", 150), ("0,125", 13), ("1234.5", 123450), ("7", 700),
                                                ("0.005", 1), ("12.345", 1235), (" 3.00 ", 300),
                                                ("1000000,99", 100000099)])
def test_amounts_have_a_point_or_an_unmistakable_comma(quick_desk: Desk, cell: str, expected: int) -> None:
    quick_desk.load("orders", f"order_id;customer_id;ordered_at;unit_price\nO1;C1;2026-01-01;{cell}\n")
    assert quick_desk.rows("SELECT total_cents FROM orders") == [(expected,)]


def test_a_dry_run_changes_nothing_and_counts_the_same(desk: Desk) -> None:
    content = HEAD + "O1,C1,2026-01-02,a,sofa,1,10\nO2,C2,never,a,sofa,1,10\nO3,C2,2026-01-02,a,sofa,1,10\n"
    tried = desk.load("orders", content, dry_run=True)
    assert desk.rows("SELECT count(*) FROM customers") == desk.rows("SELECT count(*) FROM orders") == [(0,)]
    assert desk.rows("SELECT count(*) FROM changes") == [(0,)]
    done = desk.load("orders", content)
    assert (tried.read, tried.imported, tried.rejected, tried.created, tried.updated, tried.first_rejects) == (
        done.read, done.imported, done.rejected, done.created, done.updated, done.first_rejects)


def test_the_rejected_file_names_line_reason_and_original(quick_desk: Desk) -> None:
    result = quick_desk.load("orders", HEAD + '"O1",C1,2026-01-02,"a\nb",sofa,1,10\nO2,C2,never,a,"so,fa",1,10\n'
                                              "O3,C2,2026-01-02,a,sofa,1,10,surplus\n")
    assert result.rejected_path is not None
    with result.rejected_path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["line", "reason", "original"]
    assert [(row[0], row[2]) for row in rows[1:]] == [("4", 'O2,C2,never,a,"so,fa",1,10'),
                                                      ("5", "O3,C2,2026-01-02,a,sofa,1,10,surplus")]
    assert rows[2][1] == "The line has 8 fields, the header has 7."


class _Killed(BaseException):
    pass


def test_an_import_killed_between_chunks_leaves_whole_orders_and_a_rerun_completes_it(desk: Desk) -> None:
    orders, lines = 400, 60
    path = desk.path(HEAD + "".join(
        f"O{order},C{order},2026-01-02,s,sofa,1,1\n" for _line in range(lines) for order in range(orders)))

    def kill(done: int, total: int) -> None:
        if done > total // 2:
            raise _Killed

    with pytest.raises(_Killed):
        desk.load("orders", path, progress=kill)
    half = desk.rows("SELECT count(*) FROM orders")[0][0]
    assert 0 < half < orders
    assert desk.rows("SELECT DISTINCT count(*) FROM order_lines GROUP BY order_id") == [(lines,)]
    result = desk.load("orders", path)
    assert (result.created, result.updated) == (orders - half, half)
    assert desk.rows("SELECT count(*), sum(total_cents) FROM orders") == [(orders, orders * lines * 100)]
    assert desk.rows("SELECT count(*) FROM order_lines") == [(orders * lines,)]


def test_orders_scattered_over_many_blocks_stay_whole(quick_desk: Desk) -> None:
    wide = "x" * 90
    lines = "".join(f"O{n % 1000},C{n % 1000},2026-01-02,s{n},{wide},1,1\n" for n in range(20_000))
    result = quick_desk.load("orders", HEAD + lines)
    assert len(lines) > 2 << 20 and (result.imported, result.created) == (20_000, 1000)
    assert quick_desk.rows("SELECT DISTINCT count(*) FROM order_lines GROUP BY order_id") == [(20,)]


def test_progress_rises_to_the_files_size(quick_desk: Desk) -> None:
    seen: list[tuple[int, int]] = []
    path = quick_desk.path(HEAD + "O1,C1,2026-01-02,a,sofa,1,10\n")
    quick_desk.load("orders", path, progress=lambda done, total: seen.append((done, total)))
    size = path.stat().st_size
    assert [done for done, _ in seen] == sorted(done for done, _ in seen) and seen[-1] == (size, size)


def test_two_imports_at_once_create_each_customer_and_order_once(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    import threading

    content = HEAD + "".join(f"O{n},C{n % 7},2026-01-02,a,sofa,1,1\n" for n in range(60))
    path = tmp_path / "orders.csv"
    path.write_text(content)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            import_file(database, "orders", path, now=now)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    desk = Desk(database, tmp_path, now)
    assert desk.rows("SELECT count(*) FROM orders") == [(60,)] and desk.rows("SELECT count(*) FROM customers") == [(7,)]
    assert desk.rows("SELECT count(*) FROM order_lines") == [(60,)]
