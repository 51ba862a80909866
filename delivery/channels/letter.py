"""What lies in the envelope?

Draws one letter as a PDF, exact to the millimetre: DIN 5008 form B on A4, address inside the window, fold and punch
marks, the code in print and as a QR code. What cannot be printed (a sign the font lacks, an address or a text too long)
is reported, never replaced silently. The same letter at the same `now` gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from urllib.parse import quote

import segno
from babel.dates import format_date

from delivery.channels.postal import PostalAddress, address_errors, address_lines, one_line
from delivery.channels.typeface import EMBEDDED, composed, embed, typeface_for, unprintable_signs

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
_MM_PER_POINT = 25.4 / 72


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
    errors = [*address_errors(letter.to, lines), *_unprintable(texts)]
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
        "shop's address": _shown_address(letter.code_url),
    }
    return {part: re.sub(r"[\n\r\t]", " ", text) for part, text in parts.items()}


def _unprintable(texts: Mapping[str, str]) -> list[str]:
    """Name the signs that no typeface of ours has."""
    errors = []
    for part, text in texts.items():
        if signs := unprintable_signs(text):
            shown = " ".join(sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in signs[:10])
            errors.append(f"{part}: these signs cannot be printed in a letter: {shown}. Write them in Latin letters.")
    return errors


def _shown_address(url: str) -> str:
    """The link as people type it: without scheme, code and closing slash."""
    return re.sub(r"^https?://(?:www\.)?", "", url.partition("#")[0], flags=re.IGNORECASE).rstrip("/")


class _Sheet:
    """The paper: positions in millimetres from the top left corner."""

    def __init__(self, letter: Letter, now: datetime, text: str) -> None:
        from fpdf import FPDF  # slow to load, and only who prints needs it

        self._letter, self._now = letter, now
        self._pdf = FPDF(orientation="portrait", unit="mm", format="A4")
        self._pdf.core_fonts_encoding = "cp1252"
        self._typeface = typeface_for(text)
        if self._typeface == EMBEDDED:
            embed(self._pdf, text + _OWN_SIGNS)
        self._pdf.set_creation_date(now.astimezone(UTC))
        self._pdf.set_producer("Winback")
        self._pdf.set_lang(letter.language)
        self._pdf.set_auto_page_break(False)
        self._pdf.set_margins(TEXT_LEFT_MM, 10, 210 - TEXT_RIGHT_MM)
        self._pdf.add_page()
        self._y = _SUBJECT_TOP_MM

    @property
    def pages(self) -> int:
        return int(self._pdf.page)

    def bytes(self) -> bytes:
        return bytes(self._pdf.output())

    def address(self, lines: Sequence[str]) -> list[str]:
        """Draw the return line and the address, or say which line is too long for the window."""
        for line in lines:
            if self._points_for(line, 11, 9) is None:
                return [f"the address line {line!r} is too long for the window; shorten it at the customer."]
        size = min(self._points_for(line, 11, 9) or 9 for line in lines)
        for number, line in enumerate(lines):
            self._put(TEXT_LEFT_MM, ADDRESS_TOP_MM + number * _ADDRESS_LINE_MM, line, size)
        letter = self._letter
        back = one_line(letter.return_line or " · ".join((letter.sender_name, *letter.sender_lines)))
        points = self._points_for(back, 8, 6)
        if points is None:
            return [f"the return line {back!r} is too long for the window; give a shorter one."]
        self._put(TEXT_LEFT_MM, ADDRESS_TOP_MM - 5.2, back, points)
        self._pdf.set_line_width(0.1)
        end = TEXT_LEFT_MM + self._pdf.get_string_width(back)
        self._pdf.line(TEXT_LEFT_MM, ADDRESS_TOP_MM - 1.5, end, ADDRESS_TOP_MM - 1.5)
        return []

    def marks(self) -> None:
        """Draw fold and punch marks at the left edge."""
        self._pdf.set_line_width(0.2)
        for y in FOLD_MARKS_MM:
            self._pdf.line(4, y, 8, y)
        self._pdf.line(4, PUNCH_MARK_MM, 10, PUNCH_MARK_MM)

    def sender(self) -> None:
        """Draw who writes, and the date, in the block to the right of the window."""
        self._put(125, 50, self._letter.sender_name, 11, bold=True)
        for number, line in enumerate(self._letter.sender_lines):
            self._put(125, 56 + number * 4.5, line, 9)
        locale = "de_DE" if self._letter.language[:2].lower() == "de" else "en_GB"
        self._put(125, 84, str(format_date(self._now.date(), format="long", locale=locale)), 10)

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
        for line in self._wrapped(text, bold=bold):
            self._room_for(_BODY_LINE_MM)
            self._put(TEXT_LEFT_MM, self._y, line, _BODY_POINTS, bold=bold)
            self._y += _BODY_LINE_MM

    def _wrapped(self, text: str, *, bold: bool) -> Iterator[str]:
        """Break a paragraph into lines that fit between the margins; a word wider than the page is cut."""
        self._pdf.set_font(self._typeface, "B" if bold else "", _BODY_POINTS)
        measured = self._pdf.get_string_width
        widest, space = TEXT_RIGHT_MM - TEXT_LEFT_MM, measured(" ")
        for row in text.split("\n"):
            line, width = "", 0.0
            for word in row.split(" "):
                if not word:
                    continue
                while (word_width := measured(word)) > widest:
                    cut = max(1, int(len(word) * widest / word_width) - 1)
                    if line:
                        yield line
                    yield word[:cut]
                    line, width, word = "", 0.0, word[cut:]
                if line and width + space + word_width > widest:
                    yield line
                    line, width = "", 0.0
                line, width = (f"{line} {word}", width + space + word_width) if line else (word, word_width)
            yield line

    def _code(self) -> None:
        """Draw the code large, what it is good for and, at the right, its QR code; without one the box is lower."""
        letter = self._letter
        where = _WHERE["de" if letter.language[:2].lower() == "de" else "en"]
        lines = [(letter.code, 20, True)]
        if letter.code_note:
            lines.append((letter.code_note, 11, False))
        if letter.code_url:
            lines.append((where.format(_shown_address(letter.code_url)), 10, False))
        text_mm = sum(points * _MM_PER_POINT for _, points, _ in lines) + _CODE_GAP_MM * (len(lines) - 1)
        height = _QR_MM + 2 if letter.code_url else text_mm + 2 * _CODE_PADDING_MM
        self._y += _BODY_LINE_MM * 0.4
        self._room_for(height)
        left, top = TEXT_LEFT_MM, self._y
        self._pdf.set_line_width(0.3)
        self._pdf.rect(left, top, TEXT_RIGHT_MM - left, height)
        width = TEXT_RIGHT_MM - left - 2 * _CODE_PADDING_MM
        if letter.code_url:
            self._qr(letter.code_url, TEXT_RIGHT_MM - _QR_MM - 1, top + 1, _QR_MM)
            width -= _QR_MM
        y = top + (height - text_mm) / 2
        for text, points, bold in lines:
            points = self._points_for(text, points, 6, width_mm=width, bold=bold) or 6
            x = left + _CODE_PADDING_MM
            if not letter.code_url:
                x += (width - self._pdf.get_string_width(text)) / 2
            self._put(x, y, text, points, bold=bold)
            y += points * _MM_PER_POINT + _CODE_GAP_MM
        self._y += height

    def _qr(self, url: str, left: float, top: float, side_mm: float) -> None:
        rows = [bytes(row) for row in segno.make_qr(url, error="m").matrix_iter(scale=1, border=4)]
        module = side_mm / len(rows)
        self._pdf.set_fill_color(0, 0, 0)
        for y, row in enumerate(rows):
            for dark in re.finditer(rb"\x01+", row):
                width = (dark.end() - dark.start()) * module
                self._pdf.rect(left + dark.start() * module, top + y * module, width, module, style="F")

    def _room_for(self, height_mm: float) -> None:
        if self._y + height_mm > _BOTTOM_MM:
            self._pdf.add_page()
            self._y = _SECOND_PAGE_TOP_MM
            self._put(TEXT_LEFT_MM, 15, f"{self._letter.sender_name}, {self.pages}", 9)

    def _put(self, x: float, y: float, text: str, points: int, *, bold: bool = False) -> None:
        """Put one line with its upper edge at `y`."""
        self._pdf.set_font(self._typeface, "B" if bold else "", points)
        self._pdf.text(x, y + points * _MM_PER_POINT * 0.8, text)

    def _points_for(
        self, text: str, largest: int, smallest: int, *, width_mm: float = _ADDRESS_WIDTH_MM, bold: bool = False
    ) -> int | None:
        """The largest size at which a line fits the width, or None; the size stays set."""
        for points in range(largest, smallest - 1, -1):
            self._pdf.set_font(self._typeface, "B" if bold else "", points)
            if self._pdf.get_string_width(text) <= width_mm:
                return points
        return None
