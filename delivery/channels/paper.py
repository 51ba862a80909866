"""How is something set on paper?

Owns what letters and posters share: an A4 document whose bytes depend on nothing but what is printed, the typeface,
text in lines that fit, and QR codes. Positions are millimetres from the top left corner, type sizes are points.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from core.qr import qr_rows
from delivery.channels.typeface import EMBEDDED, embed, typeface_for, unprintable_signs

WIDTH_MM, HEIGHT_MM = 210.0, 297.0
MM_PER_POINT = 25.4 / 72


class Paper:
    """A document with its first page; `text` is everything that will be printed on it."""

    def __init__(self, text: str, *, language: str, now: datetime) -> None:
        from fpdf import FPDF  # slow to load, and only who prints needs it

        self.pdf = FPDF(orientation="portrait", unit="mm", format="A4")
        self.pdf.core_fonts_encoding = "cp1252"
        self.typeface = typeface_for(text)
        if self.typeface == EMBEDDED:
            embed(self.pdf, text)
        self.pdf.set_creation_date(now.astimezone(UTC))
        self.pdf.set_producer("Winback")
        self.pdf.set_lang(language)
        self.pdf.set_auto_page_break(False)

    @property
    def pages(self) -> int:
        """How many pages there are so far."""
        return int(self.pdf.page)

    def bytes(self) -> bytes:
        """The finished document."""
        return bytes(self.pdf.output())

    def put(self, x: float, y: float, text: str, points: float, *, bold: bool = False) -> None:
        """Put one line with its upper edge at `y`."""
        self.pdf.set_font(self.typeface, "B" if bold else "", points)
        self.pdf.text(x, y + points * MM_PER_POINT * 0.8, text)

    def points_for(self, text: str, largest: int, smallest: int, *, width_mm: float, bold: bool = False) -> int | None:
        """The largest size at which a line fits the width, or None; the size stays set."""
        for points in range(largest, smallest - 1, -1):
            self.pdf.set_font(self.typeface, "B" if bold else "", points)
            if self.pdf.get_string_width(text) <= width_mm:
                return points
        return None

    def wrapped(self, text: str, points: float, *, width_mm: float, bold: bool = False) -> Iterator[str]:
        """Break a paragraph into lines that fit; a word wider than the line is cut."""
        self.pdf.set_font(self.typeface, "B" if bold else "", points)
        measured = self.pdf.get_string_width
        space = measured(" ")
        for row in text.split("\n"):
            line, width = "", 0.0
            for word in row.split(" "):
                if not word:
                    continue
                while (word_width := measured(word)) > width_mm:
                    cut = max(1, int(len(word) * width_mm / word_width) - 1)
                    if line:
                        yield line
                    yield word[:cut]
                    line, width, word = "", 0.0, word[cut:]
                if line and width + space + word_width > width_mm:
                    yield line
                    line, width = "", 0.0
                line, width = (f"{line} {word}", width + space + word_width) if line else (word, word_width)
            yield line

    def qr(self, text: str, left: float, top: float, side_mm: float) -> None:
        """Draw a QR code with its quiet zone."""
        rows = qr_rows(text)
        module = side_mm / len(rows)
        self.pdf.set_fill_color(0, 0, 0)
        for y, row in enumerate(rows):
            for dark in re.finditer(rb"\x01+", row):
                width = (dark.end() - dark.start()) * module
                self.pdf.rect(left + dark.start() * module, top + y * module, width, module, style="F")


def unprintable(texts: dict[str, str], *, where: str) -> list[str]:
    """Name the signs that no typeface of ours has: `texts` by what they are, `where` they would be printed."""
    errors = []
    for part, text in texts.items():
        if signs := unprintable_signs(text):
            shown = " ".join(sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in signs[:10])
            errors.append(f"{part}: these signs cannot be printed {where}: {shown}. Write them in Latin letters.")
    return errors


def shown_address(url: str) -> str:
    """A link as people type it: without scheme, code and closing slash."""
    return re.sub(r"^https?://(?:www\.)?", "", url.partition("#")[0], flags=re.IGNORECASE).rstrip("/")
