"""What lies in the envelope?

Draws one letter as a PDF, exact to the millimetre: DIN 5008 form B on A4, address inside the window, fold and punch
marks, the code in print and as a QR code. What cannot be printed (a sign the font lacks, an address or a text too long)
is reported, never replaced silently. The same letter at the same `now` gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from urllib.parse import quote

from babel.dates import format_date

from delivery.channels.paper import MM_PER_POINT, WIDTH_MM, Paper, shown_address, unprintable
from delivery.channels.postal import PostalAddress, address_errors, address_lines, one_line
from delivery.channels.typeface import composed

WINDOW_LEFT_MM, WINDOW_TOP_MM, WINDOW_WIDTH_MM, WINDOW_HEIGHT_MM = 20.0, 45.0, 85.0, 45.0
ADDRESS_TOP_MM = 62.7
FOLD_MARKS_MM = (105.0, 210.0)
PUNCH_MARK_MM = 148.5
TEXT_LEFT_MM, TEXT_RIGHT_MM = 25.0, 190.0
PAGES_LIMIT = 2

_ADDRESS_WIDTH_MM = WINDOW_LEFT_MM + WINDOW_WIDTH_MM - TEXT_LEFT_MM - 1
_ADDRESS_LINE_MM = 4.5
_BODY_POINTS, _BODY_LINE_MM = 11, 5.0
_SUBJECT_TOP_MM = 98.5
_BOTTOM_MM = 272.0
_SECOND_PAGE_TOP_MM = 30.0
_QR_MM = 34.0
_CODE_PADDING_MM, _CODE_GAP_MM = 6.0, 2.5
_WHERE = {"de": "Einzulösen auf {}", "en": "Redeem it at {}"}
# What a letter prints beside the texts it is given: dates and page numbers, and the words before the shop's address.
_OWN_SIGNS = "0123456789., ·" + "abcdefghijklmnopqrstuvwxyzäöü" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter: who writes, to whom, what. `body` is plain paragraphs parted by blank lines.

    `code` is printed as given, in groups; `code_url` is the address behind the QR code (see `code_link`).
    """

    sender_name: str
    sender_lines: tuple[str, ...]
    to: PostalAddress
    subject: str
    body: str
    code: str = ""
    code_note: str = ""
    code_url: str = ""
    sender_country: str = "DE"
    language: str = "en"
    return_line: str = ""


@dataclass(frozen=True, slots=True)
class DrawnLetter:
    """A PDF with its number of pages, or the reasons why there is none."""

    pdf: bytes = b""
    pages: int = 0
    errors: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether there is a letter to print."""
        return not self.errors


def draw_letter(letter: Letter, *, now: datetime) -> DrawnLetter:
    """Draw a letter dated `now`. Never raises on what people write: see `errors`."""
    letter = _composed_letter(letter)
    lines = address_lines(letter.to, sender_country=letter.sender_country)
    texts = _text_by_part(letter, lines)
    errors = [*address_errors(letter.to, lines), *unprintable(texts, where="in a letter")]
    if errors:
        return DrawnLetter(errors=tuple(errors))
    sheet = _Sheet(letter, now, "".join(texts.values()))
    errors = sheet.address(lines)
    if errors:
        return DrawnLetter(errors=tuple(errors))
    sheet.marks()
    sheet.sender()
    sheet.text()
    if sheet.pages > PAGES_LIMIT:
        return DrawnLetter(errors=(f"the letter takes {sheet.pages} pages; shorten it to {PAGES_LIMIT}.",))
    return DrawnLetter(sheet.bytes(), sheet.pages)


def code_link(shop_url: str, code: str) -> str:
    """Return the address behind the QR code: the shop's, with the code as fragment `#code=...`.

    Browsers keep a fragment to themselves: it reaches neither the shop's logs nor anybody's referrer. An address that
    has a fragment already is left alone; without a shop's address or a code there is no link.
    """
    if not shop_url or not code:
        return ""
    return shop_url if "#" in shop_url else f"{shop_url}#code={quote(code, safe='')}"


def _composed_letter(letter: Letter) -> Letter:
    texts = {name: composed(getattr(letter, name))
             for name in ("sender_name", "subject", "body", "code", "code_note", "return_line")}
    to = replace(letter.to, **{field.name: composed(getattr(letter.to, field.name)) for field in fields(letter.to)})
    return replace(letter, to=to, sender_lines=tuple(composed(line) for line in letter.sender_lines), **texts)


def _text_by_part(letter: Letter, lines: Sequence[str]) -> dict[str, str]:
    """All that is printed, without line breaks and tabs."""
    parts = {
        "address": " ".join(lines),
        "sender": " ".join((letter.sender_name, *letter.sender_lines, letter.return_line)),
        "subject": letter.subject,
        "letter": letter.body,
        "code": f"{letter.code} {letter.code_note}",
        "shop's address": shown_address(letter.code_url),
    }
    return {part: re.sub(r"[\n\r\t]", " ", text) for part, text in parts.items()}


class _Sheet(Paper):
    """The paper: positions in millimetres from the top left corner."""

    def __init__(self, letter: Letter, now: datetime, text: str) -> None:
        super().__init__(text + _OWN_SIGNS, language=letter.language, now=now)
        self._letter, self._now = letter, now
        self.pdf.set_margins(TEXT_LEFT_MM, 10, WIDTH_MM - TEXT_RIGHT_MM)
        self.pdf.add_page()
        self._y = _SUBJECT_TOP_MM

    def address(self, lines: Sequence[str]) -> list[str]:
        """Draw the return line and the address, or say which line is too long for the window."""
        for line in lines:
            if self.points_for(line, 11, 9, width_mm=_ADDRESS_WIDTH_MM) is None:
                return [f"the address line {line!r} is too long for the window; shorten it at the customer."]
        size = min(self.points_for(line, 11, 9, width_mm=_ADDRESS_WIDTH_MM) or 9 for line in lines)
        for number, line in enumerate(lines):
            self.put(TEXT_LEFT_MM, ADDRESS_TOP_MM + number * _ADDRESS_LINE_MM, line, size)
        letter = self._letter
        back = one_line(letter.return_line or " · ".join((letter.sender_name, *letter.sender_lines)))
        points = self.points_for(back, 8, 6, width_mm=_ADDRESS_WIDTH_MM)
        if points is None:
            return [f"the return line {back!r} is too long for the window; give a shorter one."]
        self.put(TEXT_LEFT_MM, ADDRESS_TOP_MM - 5.2, back, points)
        self.pdf.set_line_width(0.1)
        end = TEXT_LEFT_MM + self.pdf.get_string_width(back)
        self.pdf.line(TEXT_LEFT_MM, ADDRESS_TOP_MM - 1.5, end, ADDRESS_TOP_MM - 1.5)
        return []

    def marks(self) -> None:
        """Draw fold and punch marks at the left edge."""
        self.pdf.set_line_width(0.2)
        for y in FOLD_MARKS_MM:
            self.pdf.line(4, y, 8, y)
        self.pdf.line(4, PUNCH_MARK_MM, 10, PUNCH_MARK_MM)

    def sender(self) -> None:
        """Draw who writes, and the date, in the block to the right of the window."""
        self.put(125, 50, self._letter.sender_name, 11, bold=True)
        for number, line in enumerate(self._letter.sender_lines):
            self.put(125, 56 + number * 4.5, line, 9)
        locale = "de_DE" if self._letter.language[:2].lower() == "de" else "en_GB"
        self.put(125, 84, str(format_date(self._now.date(), format="long", locale=locale)), 10)

    def text(self) -> None:
        """Draw subject, paragraphs and the code, on as many pages as they take."""
        if self._letter.subject:
            self._paragraph(self._letter.subject, bold=True)
            self._y += _BODY_LINE_MM
        for paragraph in re.split(r"\n[ \t]*\n", self._letter.body.replace("\r\n", "\n").replace("\t", " ").strip()):
            self._paragraph(paragraph)
            self._y += _BODY_LINE_MM * 0.6
        if self._letter.code:
            self._code()

    def _paragraph(self, text: str, *, bold: bool = False) -> None:
        for line in self.wrapped(text, _BODY_POINTS, width_mm=TEXT_RIGHT_MM - TEXT_LEFT_MM, bold=bold):
            self._room_for(_BODY_LINE_MM)
            self.put(TEXT_LEFT_MM, self._y, line, _BODY_POINTS, bold=bold)
            self._y += _BODY_LINE_MM

    def _code(self) -> None:
        """Draw the code large, what it is good for and, at the right, its QR code; without one the box is lower."""
        letter = self._letter
        where = _WHERE["de" if letter.language[:2].lower() == "de" else "en"]
        lines = [(letter.code, 20, True)]
        if letter.code_note:
            lines.append((letter.code_note, 11, False))
        if letter.code_url:
            lines.append((where.format(shown_address(letter.code_url)), 10, False))
        text_mm = sum(points * MM_PER_POINT for _, points, _ in lines) + _CODE_GAP_MM * (len(lines) - 1)
        height = _QR_MM + 2 if letter.code_url else text_mm + 2 * _CODE_PADDING_MM
        self._y += _BODY_LINE_MM * 0.4
        self._room_for(height)
        left, top = TEXT_LEFT_MM, self._y
        self.pdf.set_line_width(0.3)
        self.pdf.rect(left, top, TEXT_RIGHT_MM - left, height)
        width = TEXT_RIGHT_MM - left - 2 * _CODE_PADDING_MM
        if letter.code_url:
            self.qr(letter.code_url, TEXT_RIGHT_MM - _QR_MM - 1, top + 1, _QR_MM)
            width -= _QR_MM
        y = top + (height - text_mm) / 2
        for text, points, bold in lines:
            points = self.points_for(text, points, 6, width_mm=width, bold=bold) or 6
            x = left + _CODE_PADDING_MM
            if not letter.code_url:
                x += (width - self.pdf.get_string_width(text)) / 2
            self.put(x, y, text, points, bold=bold)
            y += points * MM_PER_POINT + _CODE_GAP_MM
        self._y += height

    def _room_for(self, height_mm: float) -> None:
        if self._y + height_mm > _BOTTOM_MM:
            self.pdf.add_page()
            self._y = _SECOND_PAGE_TOP_MM
            self.put(TEXT_LEFT_MM, 15, f"{self._letter.sender_name}, {self.pages}", 9)
