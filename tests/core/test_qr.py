"""A QR code is one square, whether it is seen, saved or printed."""

import pytest
import segno

from core.errors import Invalid
from core.qr import QUIET, qr_png, qr_rows, qr_svg

LINK = "https://shop.example/cart?code=7KQM-4T2X-9HBDK"


def test_rows_are_a_square_with_a_quiet_zone() -> None:
    rows = qr_rows(LINK)
    assert {len(row) for row in rows} == {len(rows)}
    inner = [row[QUIET:-QUIET] for row in rows[QUIET:-QUIET]]
    assert inner == [bytes(row) for row in segno.make_qr(LINK, error="m").matrix]
    assert not any(b"\x01" in row for row in (*rows[:QUIET], *rows[-QUIET:]))


def test_a_picture_and_a_drawing_hold_the_same_modules() -> None:
    side = len(qr_rows(LINK))
    png = qr_png(LINK, scale=4)
    assert png.startswith(b"\x89PNG") and int.from_bytes(png[16:20], "big") == 4 * side
    svg = qr_svg(LINK).decode()
    assert svg.startswith("<?xml") and "<script" not in svg and f'width="{8 * side}"' in svg


@pytest.mark.parametrize("text", ["", "x" * 3_000])
def test_what_no_square_holds_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="Shorten the link"):
        qr_rows(text)
