"""A letter lies in its window to the millimetre, or we say why not."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
import segno
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
    code_link,
    draw_letter,
)
from delivery.channels.postal import PostalAddress

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
    drawn = draw_letter(replace(LETTER, to=replace(TO, country="AT", postal_code="1010", city="Wien")), now=now)
    assert drawn.valid and drawn.pages == 1, drawn.errors
    texts = _texts(drawn.pdf)
    in_window = [t for t in texts if t[0] < WINDOW_LEFT_MM + WINDOW_WIDTH_MM and 40 < t[1] < 92]
    assert [t[3] for t in in_window if t[1] > ADDRESS_TOP_MM] == [
        "ACME AG", "Frau Jürgen Groß", "c/o Süd", "Straße des 17. Juni 5", "1010 WIEN", "ÖSTERREICH",
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
    drawn = draw_letter(replace(LETTER, to=replace(TO, name="王小明"), body="\U0001f600"), now=now)
    assert not drawn.valid and drawn.pdf == b""
    assert "王" in drawn.errors[0] and drawn.errors[0].startswith("address:") and "\U0001f600" in drawn.errors[1]


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


def test_a_letter_without_a_code_has_no_box(now: datetime) -> None:
    drawn = draw_letter(replace(LETTER, code="", code_note="", code_url=""), now=now)
    assert drawn.valid and len(drawn.pdf) < len(draw_letter(LETTER, now=now).pdf)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60), st.text(max_size=400))
def test_no_text_breaks_the_drawing(name: str, body: str) -> None:
    from tests.conftest import NOW

    drawn = draw_letter(replace(LETTER, to=replace(TO, name=name), body=body), now=NOW)
    assert drawn.valid == bool(drawn.pdf) and (drawn.valid or all(drawn.errors))


NAMES = ("Meltem Yıldız", "Łukasz Świątek", "Čapek Žižka", "Ştefan Ţiriac", "Ăn Nguyễn Thị", "Иван Петров", "Νίκος")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_beyond_western_europe_is_printed_as_written(name: str, now: datetime) -> None:
    drawn = draw_letter(replace(LETTER, to=replace(TO, name=name)), now=now)
    assert drawn.valid, drawn.errors
    assert name in [t[3] for t in _texts(drawn.pdf)]
    assert drawn == draw_letter(replace(LETTER, to=replace(TO, name=name)), now=now)


def _fonts(pdf: bytes) -> dict[str, bool]:
    """Return font name -> whether the file brings it along."""
    found = {}
    for font in PdfReader(io.BytesIO(pdf)).pages[0]["/Resources"]["/Font"].values():
        inner = font.get_object()
        if "/DescendantFonts" in inner:
            inner = inner["/DescendantFonts"][0].get_object()
        found[str(inner["/BaseFont"])] = "/FontDescriptor" in inner and "/FontFile2" in inner["/FontDescriptor"]
    return found


def test_a_western_letter_uses_the_core_fonts_and_any_other_brings_its_signs_along(now: datetime) -> None:
    assert _fonts(draw_letter(LETTER, now=now).pdf) == {"/Helvetica": False, "/Helvetica-Bold": False}
    pdf = draw_letter(replace(LETTER, to=replace(TO, name="Łukasz")), now=now).pdf
    assert _fonts(pdf) == {"/MPDFAA+Arimo": True, "/MPDFAA+ArimoBold": True}
    assert len(pdf) < 40_000


def test_an_accent_written_as_a_sign_of_its_own_is_the_same_letter(now: datetime) -> None:
    apart = replace(LETTER, to=replace(TO, name="Frau Ju\u0308rgen\u200b Groß"))
    assert draw_letter(apart, now=now) == draw_letter(LETTER, now=now)


@pytest.mark.parametrize("name", ["שלום כהן", "محمد", "x\u0323\u0301"])
def test_what_would_be_set_in_the_wrong_order_or_place_is_refused(name: str, now: datetime) -> None:
    drawn = draw_letter(replace(LETTER, to=replace(TO, name=name)), now=now)
    assert not drawn.valid and drawn.errors[0].startswith("address: these signs cannot be printed")


def test_the_line_under_the_return_address_is_as_long_as_it(now: datetime) -> None:
    stream = PdfReader(io.BytesIO(draw_letter(LETTER, now=now).pdf)).pages[0].get_contents()
    assert stream is not None
    lines = re.findall(r"([\d.]+) ([\d.]+) m ([\d.]+) [\d.]+ l S", stream.get_data().decode("latin-1"))
    [(left, right)] = [(float(x), float(end)) for x, y, end in lines if WINDOW_TOP_MM < 297 - float(y) / 72 * 25.4 < 90]
    back = "Möbelhaus Süd · Hauptstraße 1 · 80331 München"
    assert (right - left) / 72 * 25.4 == pytest.approx(_width_mm(back, 8), abs=0.1)


def test_the_qr_code_holds_the_shop_with_the_code_as_a_fragment(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    coded: list[str] = []
    make_qr = segno.make_qr
    monkeypatch.setattr(segno, "make_qr", lambda text, **how: (coded.append(text), make_qr(text, **how))[1])
    link = code_link("https://shop.example/einloesen", "ABCDEFGHJKMNX")
    drawn = draw_letter(replace(LETTER, code_url=link), now=now)
    assert coded == ["https://shop.example/einloesen#code=ABCDEFGHJKMNX"]
    assert "Einzulösen auf shop.example/einloesen" in [t[3] for t in _texts(drawn.pdf)]


def test_a_code_never_stands_where_a_server_would_log_it() -> None:
    assert code_link("https://shop.example", "A&B/C#D") == "https://shop.example#code=A%26B%2FC%23D"
    assert code_link("https://shop.example/#/voucher", "ABC") == "https://shop.example/#/voucher"
    assert code_link("", "ABC") == "" == code_link("https://shop.example", "")


def test_without_a_qr_code_the_code_stands_in_the_middle_of_a_lower_box(now: datetime) -> None:
    def box_mm(letter: Letter) -> tuple[float, float]:
        pdf = draw_letter(letter, now=now).pdf
        stream = PdfReader(io.BytesIO(pdf)).pages[0].get_contents()
        assert stream is not None
        [height] = re.findall(r"[\d.]+ [\d.]+ [\d.]+ -?([\d.]+) re S", stream.get_data().decode("latin-1"))
        [left] = [t[0] for t in _texts(pdf) if t[3] == LETTER.code]
        return float(height) / 72 * 25.4, left

    (with_qr, left_with), (without, left_without) = box_mm(LETTER), box_mm(replace(LETTER, code_url=""))
    assert with_qr > without and left_with == pytest.approx(TEXT_LEFT_MM + 6, abs=0.1)
    middle = left_without + _width_mm(LETTER.code, 20, "B") / 2
    assert middle == pytest.approx((TEXT_LEFT_MM + TEXT_RIGHT_MM) / 2, abs=0.2)
