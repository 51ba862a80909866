"""What does the mail say without its looks?

Derives the plain text of a compiled HTML mail: paragraphs, lists, the words of pictures, and links with addresses.
Hidden preview text, styles and the copies for one mail program are left out. Placeholders of Liquid pass through.
"""

from __future__ import annotations

import re
from typing import Any

import lxml.html

_BLOCKS = frozenset(
    ("address", "article", "blockquote", "body", "center", "div", "dd", "dl", "dt", "fieldset", "footer", "header",
     "h1", "h2", "h3", "h4", "h5", "h6", "main", "ol", "p", "pre", "section", "table", "tbody", "tr", "ul")
)  # fmt: skip
_SKIPPED = frozenset(("head", "style", "script", "title", "noscript", "template"))
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)


def plain_text(html: str) -> str:
    """Return the text of an HTML mail, with each link as `words: address`; ends with one line break."""
    pieces: list[str] = []
    body = lxml.html.fromstring(html)
    _walk(body, pieces)
    lines = [re.sub(r"[ \t\r\f\v\u00a0]+", " ", line).strip() for line in "".join(pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _walk(element: Any, pieces: list[str]) -> None:
    tag = element.tag
    if not isinstance(tag, str) or tag in _SKIPPED or _HIDDEN.search(element.get("style") or ""):
        return
    before, after = _around(tag, element)
    pieces.append(before)
    start = len(pieces)
    pieces.append(re.sub(r"\s+", " ", element.text or ""))
    for child in element:
        _walk(child, pieces)
        pieces.append(re.sub(r"\s+", " ", child.tail or ""))
    if tag == "a":
        words = re.sub(r"\s+", " ", "".join(pieces[start:])).strip()
        pieces[start:] = [_link(words, element.get("href") or "")]
    pieces.append(after)


def _around(tag: str, element: Any) -> tuple[str, str]:
    """Return what stands before and after an element in plain text."""
    if tag == "br":
        return "\n", ""
    if tag == "hr":
        return "\n\n----\n\n", ""
    if tag == "li":
        return "\n- ", ""
    if tag == "img":
        return element.get("alt") or "", ""
    if tag in {"td", "th"}:
        return " ", " "
    if tag in _BLOCKS:
        return "\n\n", "\n\n"
    return "", ""


def _link(words: str, address: str) -> str:
    """Return `words: address`, or the one of them that says it all."""
    shown = re.sub(r"^(mailto|tel):", "", address)
    if not shown or shown.startswith("#") or words in {address, shown}:
        return words or shown
    return f"{words}: {shown}" if words else shown
