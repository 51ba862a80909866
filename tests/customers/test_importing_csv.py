"""Encodings, delimiters, quotes and line numbers; and what no file can be read at all."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from core.errors import Invalid, NotFound
from customers.importing.amounts import cents, thousandths
from customers.importing.csv_files import CsvSource
from tests.customers.files import Desk, reasons

HEAD = "customer_id,first_name,city\n"
KNOWN = frozenset({"a", "b", "c"})


def _records(path: Path) -> tuple[list[tuple[int, list[str]]], list[tuple[int, str]]]:
    """(line, fields) of the good records and (line, reason) of the broken ones."""
    good: list[tuple[int, list[str]]] = []
    broken: list[tuple[int, str]] = []
    for block in CsvSource(path, KNOWN).blocks():
        rows = zip(*(column.to_pylist() for column in block.table.columns), strict=True)
        good += [(int(line), list(fields)) for line, fields in zip(block.lines, rows, strict=True)]
        broken += [(item.line, item.reason) for item in block.broken]
    return good, broken


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_usual_encoding_is_read(quick_desk: Desk, encoding: str) -> None:
    result = quick_desk.load("customers", (HEAD + "C1,Jörg,Köln\n").encode(encoding))
    assert quick_desk.rows("SELECT first_name FROM customers") == [("Jörg",)]
    assert any("Windows-1252" in note for note in result.notes) == (encoding == "cp1252")


def test_a_few_undecodable_bytes_in_a_utf8_file_reject_their_lines_only(quick_desk: Desk) -> None:
    content = (HEAD + "C1,Jörg,Köln\nC2,Zoë,Ulm\nC3,").encode() + b"J\xf6rg,Ulm\n" + b"C4,Ann,Ulm\n"
    result = quick_desk.load("customers", content)
    assert (result.imported, reasons(result)) == (3, {4: "The line holds bytes that are not UTF-8."})


def test_bytes_that_windows_1252_lacks_reject_their_line(quick_desk: Desk) -> None:
    result = quick_desk.load("customers", HEAD.encode() + b"C1,J\xf6rg,K\xf6ln\nC2,\x81\x8d,Ulm\n")
    assert (result.imported, reasons(result)) == (1, {3: "The line holds bytes that are not Windows-1252."})


@pytest.mark.parametrize(("content", "words"), [
    (b"", "is empty"), (b"\n\n", "has no header line"), (b"PK\x03\x04rest", "Excel or zip"),
    ("customer_id,x\nC1,1\n".encode("utf-16-le"), "not a text file"), (b"PAR1 no parquet", "not a readable Parquet"),
    (b"name,city\nAnn,Ulm\n", "lacks the column customer_id. It has: name, city."),
    (b"customer_id,customer_id\n1,2\n", "Two columns are called 'customer_id'"),
    (b"\xff\xfec\x00u\x00\xd8\xd8", "is not valid UTF-16"),
])
def test_a_file_of_which_nothing_is_readable_is_one_clear_error(quick_desk: Desk, content: bytes, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        quick_desk.load("customers", content)
    assert words in str(caught.value)


def test_a_missing_file_is_named(quick_desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nowhere\.csv"):
        quick_desk.load("customers", tmp_path / "nowhere.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_comma_semicolon_and_tab_are_told_apart(quick_desk: Desk, delimiter: str) -> None:
    quick_desk.load("customers", f"customer_id{delimiter}city\nC1{delimiter}Ulm\n")
    assert quick_desk.rows("SELECT value, city FROM addresses") == [("", "Ulm")]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_line_ending_is_read(quick_desk: Desk, newline: str) -> None:
    result = quick_desk.load("customers", HEAD.replace("\n", newline) + f"C1,Ann,Ulm{newline}C2,Bo,Ulm")
    assert (result.read, result.imported) == (2, 2)


def test_line_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('\na,b,c\n1,2,3\n\n"x\ny","2",3\n7,8\n"9",9,9\n')
    good, broken = _records(path)
    assert [line for line, _ in good] == [3, 5, 8]
    assert broken == [(7, "The line has 2 fields, the header has 3.")]


@pytest.mark.parametrize(("text", "good", "broken"), [
    ('1,"2,3\n4,5,6\n', [3], [2]), ('1,"2,3\n4,"5",6\n7,8,9\n', [3, 4], [2]), ('1,2 "x" y,3\n4,5,6\n', [2, 3], []),
    ('1,"2"x,3\n4,5,6\n', [3], [2]), ("1,2,3,4\n4,5,6\n", [3], [2]), ('1,"a""b",3\n', [2], []),
    ('1,2,"3\n', [], [2]), ("1,2\r3,4\n4,5,6\n", [3], [2]), ('"a\n\nb",2,3\n4,5\n', [2], [5]),
])
def test_a_malformed_line_is_one_rejected_line(tmp_path: Path, text: str, good: list[int], broken: list[int]) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b,c\n" + text.encode())
    found = _records(path)
    assert ([line for line, _ in found[0]], [line for line, _ in found[1]]) == (good, broken)


_CELLS = st.text(alphabet='ab",\n\r é;', max_size=6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(_CELLS, _CELLS, _CELLS), max_size=8))
def test_what_the_csv_module_writes_is_read_back_whole(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    import csv
    import io

    buffer = io.StringIO(newline="")
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([("a", "b", "c"), *rows])
    path = tmp_path / "a.csv"
    path.write_bytes(buffer.getvalue().encode())
    good, broken = _records(path)
    assert broken == [] and [tuple(fields) for _, fields in good] == rows


def test_originals_are_the_lines_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b,c\n1,2,3\n"x\ny",2,3\n4,5,6\n')
    assert list(CsvSource(path, KNOWN).originals([(2, 2), (3, 4), (5, 5)])) == ["1,2,3", '"x\ny",2,3', "4,5,6"]


def test_their_column_names_are_mapped_to_ours(quick_desk: Desk) -> None:
    result = quick_desk.load("customers", "Kundennummer,Vorname\nC1,Ann\n",
                             mapping={"Kundennummer": "customer_id", "Vorname": "first_name"})
    assert quick_desk.rows("SELECT external_id, first_name FROM customers") == [("C1", "Ann")]
    assert result.notes == ()


def test_names_match_whatever_their_capitals_and_blanks(quick_desk: Desk) -> None:
    quick_desk.load("customers", "Customer ID,First-Name\nC1,Ann\n")
    assert quick_desk.rows("SELECT external_id, first_name FROM customers") == [("C1", "Ann")]


@pytest.mark.parametrize(("mapping", "words"), [({"Nummer": "sku"}, "has no column 'Nummer' to map"),
                                                ({"Number": "bogus"}, "'bogus' is no column of products")])
def test_a_mapping_that_fits_nothing_is_refused(quick_desk: Desk, mapping: dict[str, str], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        quick_desk.load("products", "Number,name\n1,Chair\n", mapping=mapping)
    assert words in str(caught.value)


def test_columns_that_products_do_not_know_are_listed_as_not_used(quick_desk: Desk) -> None:
    result = quick_desk.load("products", "sku,colour\nS1,red\n")
    assert result.notes == ("Columns not used: colour.",)


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int64(), pa.uint64(), pa.decimal128(20, 4)])
def test_a_number_of_a_parquet_file_means_what_it_means_when_written_out(kind: pa.DataType) -> None:
    draw = np.random.default_rng(20)
    doubles = [*(draw.random(4000) * 10.0 ** draw.integers(-4, 14, 4000)), *(draw.integers(0, 10**11, 2000) / 200),
               *(draw.integers(0, 10**14, 2000) / 100 + 0.005), 0.0, -0.0, -1.0, 1.005, 2.675, 5e-324,
               1e12, 1e12 + 1, 1e9]
    whole = [0, 1, 10**9, 10**9 + 1, 10**12, 10**12 + 1, 2**62]
    strange: dict[Any, list[Any]] = {
        pa.float64(): [math.nan, math.inf, -math.inf], pa.int64(): [-1], pa.uint64(): [2**64 - 1]}
    numbers: list[Any] = whole if pa.types.is_integer(kind) else doubles
    if pa.types.is_decimal(kind):
        numbers = [Decimal(value).quantize(Decimal("0.0001")) for value in doubles]
    array = pa.array([*numbers, *strange.get(kind, []), None], kind)
    words = [None if value is None else format(Decimal(repr(value) if isinstance(value, float) else value), "f")
             for value in array.to_pylist()]
    for convert in (cents, thousandths):
        native, written = convert(array), convert(pa.array(words, pa.string()))
        assert native.values.equals(written.values) and native.faults == written.faults


def test_parquet_keeps_its_types_and_numbers_its_rows(quick_desk: Desk, tmp_path: Path) -> None:
    from datetime import UTC, datetime
    from decimal import Decimal

    path = tmp_path / "orders.parquet"
    parquet.write_table(pa.table({
        "order_id": [1, 2, 3], "customer_id": [7.0, 8.0, None], "quantity": [1, 2, 1],
        "ordered_at": pa.array([datetime(2026, 1, 2, 3, tzinfo=UTC)] * 3, pa.timestamp("ns", "Europe/Berlin")),
        "unit_price": [3.86, float("nan"), 1.0], "discount": [Decimal("0.05"), Decimal(0), Decimal(0)],
    }), path)
    result = quick_desk.load("orders", path)
    assert quick_desk.rows("SELECT external_id, total_cents FROM orders") == [("1", 386)]
    assert quick_desk.rows("SELECT external_id FROM customers") == [("7",)]
    assert set(reasons(result)) == {2, 3} and "'NaN' is not a number" in reasons(result)[2]
    assert result.rejected_path is not None and '""order_id"": 2' in result.rejected_path.read_text("utf-8-sig")


def test_a_header_alone_is_an_empty_import(quick_desk: Desk) -> None:
    result = quick_desk.load("customers", HEAD)
    assert (result.read, result.imported, result.rejected_path) == (0, 0, None)
