"""A letter lies in its window to the millimetre, or we say why not."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from delivery.channels.letter import (
    ADDRESS_TOP_MM,
    FOLD_MARKS_MM,
    PUNCH_MARK_MM,
    TEXT_LEFT_MM,
    TEXT_RIGHT_MM,
    WINDOW_HEIGHT_MM,
    WINDOW_LEFT_MM,
    WINDOW_TOP_MM,
    WINDOW_WIDTH_MM,
    Letter,
    PostalAddress,
    address_lines,
    draw_letter,
)

TO = PostalAddress(
    "Frau Jürgen Groß", "Straße des 17. Juni 5", "10115", "Berlin", "DE", company="ACME AG", addition="c/o Süd"
)
LETTER = Letter(
    sender_name="Möbelhaus Süd",
    sender_lines=("Hauptstraße 1", "80331 München"),
    to=TO,
    subject="Ihr Gutschein über 15 €",
    body="Guten Tag,\n\nwir – ganz „ehrlich“ – vermissen Sie: 15 € für Möbel.\n\nMit freundlichen Grüßen",
    code="ABCD-EFGH-JKMN-X",
    code_note="Gültig bis 6. Dezember 2026",
    code_url="https://shop.example/c/abcdefgh",
    language="de",
)


def _texts(pdf: bytes, page: int = 0) -> list[tuple[float, float, float, str]]:
    """Return (left mm, baseline mm from top, points, text) of every line on a page."""
    found: list[tuple[float, float, float, str]] = []

    def visit(text: str, _cm: object, matrix: list[float], _font: object, size: float) -> None:
        if text.strip():
            found.append((matrix[4] / 72 * 25.4, 297 - matrix[5] / 72 * 25.4, size, text.strip()))

    PdfReader(io.BytesIO(pdf)).pages[page].extract_text(visitor_text=visit)
    return found


def _width_mm(text: str, points: float, style: str = "") -> float:
    pdf = FPDF()
    pdf.core_fonts_encoding = "cp1252"
    pdf.set_font("helvetica", style, points)
    return float(pdf.get_string_width(text))


def test_the_address_lies_inside_the_window_and_alone(now: datetime) -> None:
    drawn = draw_letter(replace(LETTER, to=replace(TO, country="AT")), now=now)
    assert drawn.valid and drawn.pages == 1, drawn.errors
    texts = _texts(drawn.pdf)
    in_window = [t for t in texts if t[0] < WINDOW_LEFT_MM + WINDOW_WIDTH_MM and 40 < t[1] < 92]
    assert [t[3] for t in in_window if t[1] > ADDRESS_TOP_MM] == [
        "ACME AG", "Frau Jürgen Groß", "c/o Süd", "Straße des 17. Juni 5", "10115 Berlin", "ÖSTERREICH",
    ]  # fmt: skip
    for left, baseline, points, text in in_window:
        height = points * 25.4 / 72
        assert baseline - height >= WINDOW_TOP_MM + 5 and baseline + 0.25 * height <= WINDOW_TOP_MM + WINDOW_HEIGHT_MM
        assert left >= TEXT_LEFT_MM - 0.01
        assert left + _width_mm(text, points) <= WINDOW_LEFT_MM + WINDOW_WIDTH_MM
    assert min(t[2] for t in in_window) >= 6


def test_lines_of_the_address_follow_each_other_without_gaps(now: datetime) -> None:
    drawn = draw_letter(replace(LETTER, to=replace(TO, company="", addition=" ")), now=now)
    lines = [t for t in _texts(drawn.pdf) if t[0] < 100 and ADDRESS_TOP_MM < t[1] < 92]
    assert len(lines) == 3
    assert {round(b[1] - a[1], 1) for a, b in pairwise(lines)} == {4.5}


def test_text_keeps_the_margins_and_is_at_least_ten_points(now: datetime) -> None:
    drawn = draw_letter(replace(LETTER, body="Lorem ipsum dolor sit amet, " * 60 + "W" * 300), now=now)
    assert drawn.valid
    body = [t for t in _texts(drawn.pdf) if t[1] > 95]
    assert body and all(points >= 10 for _, _, points, _ in body)
    assert all(left >= TEXT_LEFT_MM - 0.01 and left < TEXT_RIGHT_MM for left, *_ in body)
    paragraphs = [(left, text) for left, baseline, points, text in body if points == 11 and baseline > 105]
    assert len(paragraphs) > 10
    assert all(left + _width_mm(text, 11) <= TEXT_RIGHT_MM + 0.1 for left, text in paragraphs)
    assert all(baseline <= 275 for _, baseline, _, _ in body)


def test_umlauts_euro_and_quotes_are_printed_as_written(now: datetime) -> None:
    texts = " ".join(t[3] for t in _texts(draw_letter(LETTER, now=now).pdf))
    for part in ("Ihr Gutschein über 15 €", "wir – ganz „ehrlich“ –", "ABCD-EFGH-JKMN-X", "Gültig bis", "2. März 2026"):
        assert part in texts


def test_fold_and_punch_marks_stand_where_the_machine_looks(now: datetime) -> None:
    page = PdfReader(io.BytesIO(draw_letter(LETTER, now=now).pdf)).pages[0]
    stream = page.get_contents()
    assert stream is not None
    drawn = stream.get_data().decode("latin-1")
    at_the_edge = re.findall(r"([\d.]+) ([\d.]+) m ([\d.]+) [\d.]+ l S", drawn)
    marks = sorted(297 - float(y) / 72 * 25.4 for _, y, right in at_the_edge if float(right) / 72 * 25.4 < 12)
    assert marks == pytest.approx(sorted((*FOLD_MARKS_MM, PUNCH_MARK_MM)), abs=0.05)
    assert (
        round(float(page.mediabox.width) / 72 * 25.4) == 210 and round(float(page.mediabox.height) / 72 * 25.4) == 297
    )


def test_the_same_letter_has_the_same_bytes(now: datetime) -> None:
    assert draw_letter(LETTER, now=now) == draw_letter(LETTER, now=now)
    assert draw_letter(LETTER, now=now).pdf != draw_letter(LETTER, now=now + timedelta(days=1)).pdf


def test_signs_the_font_lacks_are_named_not_replaced(now: datetime) -> None:
    drawn = draw_letter(replace(LETTER, to=replace(TO, name="Łukasz Ивaнов"), body="\U0001f600"), now=now)
    assert not drawn.valid and drawn.pdf == b""
    assert "Ł" in drawn.errors[0] and drawn.errors[0].startswith("address:") and "\U0001f600" in drawn.errors[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"street": "S" * 80}, "too long for the window"),
        ({"street": ""}, "lacks a street"),
        ({"name": "", "company": ""}, "lacks a name"),
        ({"postal_code": " ", "city": ""}, "lacks a postal code and a city"),
    ],
)
def test_an_address_that_does_not_work_is_said(change: dict[str, str], words: str, now: datetime) -> None:
    drawn = draw_letter(replace(LETTER, to=replace(TO, **change)), now=now)
    assert not drawn.valid and words in drawn.errors[0]


def test_a_long_letter_takes_two_pages_and_no_more(now: datetime) -> None:
    two = draw_letter(replace(LETTER, body="word " * 900), now=now)
    assert two.pages == 2 and "ABCD-EFGH-JKMN-X" in " ".join(t[3] for t in _texts(two.pdf, 1))
    assert "shorten it to 2" in draw_letter(replace(LETTER, body="word " * 4000), now=now).errors[0]


def test_home_is_not_named_and_abroad_stands_last_in_capitals() -> None:
    assert address_lines(replace(TO, country="Deutschland"))[-1] == "10115 Berlin"
    assert address_lines(replace(TO, country="FR"))[-1] == "FRANCE"
    assert address_lines(replace(TO, country="AT"), sender_country="AT")[-1] == "10115 Berlin"
    assert address_lines(replace(TO, name="A\r\nB\tC"))[1] == "A B C"


def test_a_letter_without_a_code_has_no_box(now: datetime) -> None:
    drawn = draw_letter(replace(LETTER, code="", code_note="", code_url=""), now=now)
    assert drawn.valid and len(drawn.pdf) < len(draw_letter(LETTER, now=now).pdf)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60), st.text(max_size=400))
def test_no_text_breaks_the_drawing(name: str, body: str) -> None:
    from tests.conftest import NOW

    drawn = draw_letter(replace(LETTER, to=replace(TO, name=name), body=body), now=NOW)
    assert drawn.valid == bool(drawn.pdf) and (drawn.valid or all(drawn.errors))
