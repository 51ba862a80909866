"""What hangs in the window?

Draws a poster for a code that everybody may use, on one A4 page: what it gives, the code large enough to be read across
a room, its QR code, where it is used, and the conditions in small print. What cannot be printed is reported, never
replaced silently. The same poster at the same `now` gives the same bytes.
"""

from dataclasses import dataclass
from datetime import datetime

from delivery.channels.letter import DrawnLetter
from delivery.channels.paper import HEIGHT_MM, MM_PER_POINT, WIDTH_MM, Paper, shown_address, unprintable
from delivery.channels.typeface import composed

_MARGIN_MM = 20.0
_INNER_MM = WIDTH_MM - 2 * _MARGIN_MM
_QR_MM = 92.0
_HEADLINES = (54, 48, 42, 36, 30, 26)
_TERMS_POINTS, _TERMS_LINES = 8, 14
_WORDS = {
    "en": ("With the code", "Scan it, or enter the code at {}", "Enter the code at the checkout"),
    "de": ("Mit dem Code", "Scannen oder den Code eingeben auf {}", "Den Code an der Kasse eingeben"),
}


@dataclass(frozen=True, slots=True)
class Poster:
    """One poster: `code` as it is printed, `link` behind the QR code (empty: the code itself), `place` where it hangs.

    `terms` are the offer's conditions, a sentence each, in the poster's language.
    """

    shop_name: str
    headline: str
    code: str
    link: str
    terms: tuple[str, ...]
    place: str = ""
    language: str = "en"


def draw_poster(poster: Poster, *, now: datetime) -> DrawnLetter:
    """Draw the poster. Never raises on what people write: see `errors`."""
    texts = {
        "shop's name": composed(poster.shop_name), "headline": composed(_one_line(poster.headline)),
        "code": composed(poster.code), "conditions": composed(_one_line(" ".join(poster.terms))),
        "place": composed(poster.place), "shop's address": composed(_where(poster)),
    }
    errors = unprintable(texts, where="on a poster")
    if errors:
        return DrawnLetter(errors=tuple(errors))
    before = _WORDS["de" if poster.language == "de" else "en"][0]
    paper = Paper("".join((*texts.values(), before)), language=poster.language, now=now)
    paper.pdf.add_page()
    _middle(paper, 24, texts["shop's name"], 16)
    y = _headline(paper, texts["headline"])
    _middle(paper, y + 6, before, 16)
    _middle(paper, y + 15, texts["code"], 64, bold=True, smallest=14)
    y = max(y + 42, 132.0)
    paper.qr(poster.link or poster.code, (WIDTH_MM - _QR_MM) / 2, y, _QR_MM)
    _middle(paper, y + _QR_MM + 2, texts["shop's address"], 14, smallest=7)
    _small_print(paper, texts["conditions"], texts["place"])
    return DrawnLetter(paper.bytes(), paper.pages)


def _where(poster: Poster) -> str:
    _before, at_shop, at_till = _WORDS["de" if poster.language == "de" else "en"]
    address = shown_address(poster.link).partition("?")[0].partition("/")[0]
    return at_shop.format(address) if poster.link.startswith(("http://", "https://")) and address else at_till


def _headline(paper: Paper, text: str) -> float:
    """Set the headline as large as three lines allow; returns where it ends."""
    lines, points = [text], _HEADLINES[-1]
    for size in _HEADLINES:
        lines, points = list(paper.wrapped(text, size, width_mm=_INNER_MM, bold=True)), size
        if len(lines) <= 3:
            break
    y = 42.0
    for line in lines[:4]:
        _middle(paper, y, line, points, bold=True)
        y += points * MM_PER_POINT * 1.15
    return y


def _middle(paper: Paper, y: float, text: str, points: int, *, bold: bool = False, smallest: int = 9) -> None:
    fitting = paper.points_for(text, points, smallest, width_mm=_INNER_MM, bold=bold) or smallest
    paper.put((WIDTH_MM - paper.pdf.get_string_width(text)) / 2, y, text, fitting, bold=bold)


def _small_print(paper: Paper, terms: str, place: str) -> None:
    """Set the conditions upwards from the lower edge, in smaller type when they are long."""
    points = float(_TERMS_POINTS)
    lines = list(paper.wrapped(terms, points, width_mm=_INNER_MM))
    while len(lines) > _TERMS_LINES and points > 5:
        points -= 0.5
        lines = list(paper.wrapped(terms, points, width_mm=_INNER_MM))
    step = points * MM_PER_POINT * 1.2
    top = HEIGHT_MM - 15 - step * len(lines)
    for number, line in enumerate(lines):
        paper.put(_MARGIN_MM, top + number * step, line, points)
    if place:
        paper.put(_MARGIN_MM, HEIGHT_MM - 12, place, 6)


def _one_line(text: str) -> str:
    return " ".join(text.split(" ")).replace("\n", " ").replace("\t", " ").replace("\r", " ")
