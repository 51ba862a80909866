"""How does a link become a square that a phone reads?

Owns QR codes for every page, poster and letter: the same level of error correction, the same quiet zone, so that what
is seen on a screen is what is printed. Pure.
"""

import io

import segno

from core.errors import Invalid

QUIET = 4
"""Modules of white around the square; the standard asks for four."""
LONGEST = 2_000


def qr_rows(text: str) -> list[bytes]:
    """The square with its quiet zone, a row of bytes per line, 1 is dark. Raises Invalid for a text too long."""
    return [bytes(row) for row in _square(text).matrix_iter(scale=1, border=QUIET)]


def qr_svg(text: str) -> bytes:
    """The square as a drawing of its own, black on white, that scales to any size. Raises Invalid."""
    out = io.BytesIO()
    _square(text).save(out, kind="svg", border=QUIET, dark="#000", light="#fff", scale=8, xmldecl=True, svgns=True)
    return out.getvalue()


def qr_png(text: str, *, scale: int = 16) -> bytes:
    """The square as a picture with `scale` pixels a module. Raises Invalid."""
    out = io.BytesIO()
    _square(text).save(out, kind="png", border=QUIET, scale=scale)
    return out.getvalue()


def _square(text: str) -> segno.QRCode:
    if not 0 < len(text.encode()) <= LONGEST:
        raise Invalid(f"A QR code holds 1 to {LONGEST} bytes. Shorten the link.")
    return segno.make_qr(text, error="m")
