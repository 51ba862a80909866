"""Which typeface prints this text?

Owns the two ways a letter gets its signs: the core fonts every PDF reader brings (fast, cp1252 only) and the vendored
Arimo, whose used signs are embedded in the file. Arimo has the widths of Helvetica, so a letter breaks its lines alike
in both. The promise: a sign is printed as it was written, or named as unprintable; it is never replaced.
"""

import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpdf import FPDF

CORE, EMBEDDED = "helvetica", "arimo"
FONTS = Path(__file__).parent.parent / "fonts" / "arimo"
_FILES = {"": FONTS / "Arimo_400Regular.ttf", "B": FONTS / "Arimo_700Bold.ttf"}
# fpdf2 sets text from left to right, sign by sign: right-to-left scripts and loose accents would come out wrong.
_RIGHT_TO_LEFT = frozenset(("R", "AL", "AN"))


def composed(text: str) -> str:
    """Return the text with each letter and its accent as one sign, and without signs that nobody sees."""
    return "".join(sign for sign in unicodedata.normalize("NFC", text) if unicodedata.category(sign) != "Cf")


def typeface_for(text: str) -> str:
    """Return CORE when every sign of the text is in cp1252, else EMBEDDED."""
    return CORE if all(_in_core(sign) for sign in set(text)) else EMBEDDED


def unprintable_signs(text: str) -> list[str]:
    """Return the signs of a text that neither typeface prints, sorted."""
    return sorted(sign for sign in set(text) if not _in_core(sign) and not _in_embedded(sign))


def embed(pdf: "FPDF", text: str) -> None:
    """Make EMBEDDED known to a document that will print this text, regular and bold."""
    signs = sorted({ord(sign) for sign in text} | {ord(" ")})
    for style, path in _FILES.items():
        pdf.add_font(EMBEDDED, style, path, unicode_range=signs)


def _in_core(sign: str) -> bool:
    return " " <= sign <= "~" or sign in _core_signs()


def _in_embedded(sign: str) -> bool:
    return ord(sign) in _embedded_signs()


@lru_cache(maxsize=1)
def _core_signs() -> frozenset[str]:
    """cp1252 above ASCII; the soft hyphen never comes this far."""
    return frozenset(bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0x100)) - {"", "\xad"}


@lru_cache(maxsize=1)
def _embedded_signs() -> frozenset[int]:
    """What both weights have and a plain left-to-right setting gets right."""
    from fpdf import FPDF  # slow to load, and only who prints needs it
    from fpdf.fonts import TTFFont

    pdf = FPDF()
    for style, path in _FILES.items():
        pdf.add_font(EMBEDDED, style, path)
    regular, bold = (pdf.fonts[EMBEDDED + style] for style in _FILES)
    assert isinstance(regular, TTFFont) and isinstance(bold, TTFFont)
    return frozenset(
        point for point in regular.cmap.keys() & bold.cmap.keys()
        if point >= 0x20 and not 0x7F <= point <= 0x9F
        and unicodedata.bidirectional(chr(point)) not in _RIGHT_TO_LEFT
        and unicodedata.category(chr(point))[0] not in "MC"
    )
