"""Is an exported report safe to open in a spreadsheet, and readable in a shell?"""

import csv
import io
from datetime import datetime, timedelta

import pytest

from core.database import Database
from reporting.exporting import CSV_COLUMNS, csv_report, csv_text, safe_cell, text_report
from reporting.reports import campaign_report
from reporting.results import CampaignReport
from tests.reporting.campaigns import Shelf


def spring(database: Database, now: datetime) -> CampaignReport:
    with database.writing() as session:
        shelf = Shelf(session, at=now, arms={"=A": 50, "B": 50})
        for arm in ("=A", "B"):
            people = shelf.people(9, arm)
            shelf.redeem(people[0])
            shelf.order(people[0], cents=12_345)
        shelf.people(2, held_out=True)
    with database.reading() as session:
        return campaign_report(session, "spring", now=now + timedelta(days=5))


@pytest.mark.parametrize("text", [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", " =1", "\u00a0\u00a0=1", "\ufeff=1", "  \t x",
    "＝1", "\u200b@x"])
def test_text_that_a_spreadsheet_might_run_is_defused_also_behind_blanks(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["10 %", "A-B", "a=b", "", " plain", "'quoted", -5, -1.5, 0])
def test_harmless_cells_stay_as_they_are(value: str | int | float) -> None:
    assert safe_cell(value) == value


def test_cells_with_quotes_commas_and_line_ends_come_back_as_they_were() -> None:
    cells = ['say "hi", now', "two\r\nlines", "semi;colon"]
    assert list(csv.reader(io.StringIO(csv_text(["a", "b", "c"], [cells]), newline="")))[1] == cells


def test_the_table_has_a_line_per_arm_the_hold_out_and_all_together(database: Database, now: datetime) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_report(spring(database, now)), newline="")))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["group"] for row in rows] == ["'=A", "B", "hold-out", "all written to"]
    assert [rows[0][name] for name in ("assigned", "redeemed", "revenue", "p_value")] == ["9", "1", "123.45", ""]
    assert {row["final"] for row in rows} == {"no"}
    assert "nan" not in ",".join(value for row in rows for value in row.values())


def test_the_text_keeps_response_and_effect_apart_and_says_when_it_is_not_final(
    database: Database, now: datetime
) -> None:
    text = text_report(spring(database, now))
    assert text.index("Split as planned") < text.index("We cannot tell yet") < text.index("Response: what people did")
    assert text.index("Response: what people did") < text.index("Effect: what came of writing to them")
    assert "These numbers are not final." in text
    assert "nan" not in text


def test_an_empty_report_can_be_written_too(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session:
        Shelf(session, at=now, days=None)
    with sqlite_database.reading() as session:
        report = campaign_report(session, "spring", now=now)
    assert "Nobody has entered this campaign yet." in text_report(report)
    assert "nan" not in csv_report(report)
