"""Is this MJML, and what is it safe to hand to the MJML library?

Owns the way from what a marketer wrote to well-formed MJML: Liquid set aside under placeholders, bare `&` and named
entities and unclosed `<br>` mended, tags, places and measures checked, attributes escaped (mjml 0.12 does not), file
includes refused. Every finding carries the line of the source as written. Nothing here touches a file or the network.
"""

from __future__ import annotations

import difflib
import html.entities
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Any
from xml.parsers import expat

from mjml.core.registry import components, register_core_components

from delivery.templating import ContentError

LIQUID_TOKEN = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
PLACEHOLDER = re.compile(r"wbq(\d{6})z")

_BLOCKS = frozenset(
    "mj-accordion mj-button mj-carousel mj-divider mj-image mj-navbar mj-raw mj-social mj-spacer mj-table mj-text".split()
)
CHILDREN: dict[str, frozenset[str]] = {
    "mjml": frozenset({"mj-head", "mj-body"}),
    "mj-head": frozenset(
        "mj-attributes mj-breakpoint mj-font mj-html-attributes mj-preview mj-style mj-title".split()
    ),
    "mj-html-attributes": frozenset({"mj-selector"}),
    "mj-selector": frozenset({"mj-html-attribute"}),
    "mj-body": frozenset({"mj-section", "mj-wrapper", "mj-hero", "mj-raw"}),
    "mj-wrapper": frozenset({"mj-section", "mj-hero", "mj-raw"}),
    "mj-section": frozenset({"mj-column", "mj-group", "mj-raw"}),
    "mj-group": frozenset({"mj-column", "mj-raw"}),
    "mj-column": _BLOCKS,
    "mj-hero": _BLOCKS,
    "mj-accordion": frozenset({"mj-accordion-element", "mj-raw"}),
    "mj-accordion-element": frozenset({"mj-accordion-title", "mj-accordion-text", "mj-raw"}),
    "mj-carousel": frozenset({"mj-carousel-image"}),
    "mj-navbar": frozenset({"mj-navbar-link", "mj-raw"}),
    "mj-social": frozenset({"mj-social-element", "mj-raw"}),
}
"""Which tags may stand in which. `mj-attributes` takes every tag there is."""

HOLDS_HTML = frozenset(
    "mj-text mj-button mj-table mj-raw mj-accordion-title mj-accordion-text mj-navbar-link mj-social-element "
    "mj-title mj-preview mj-style mj-html-attribute".split()
)
"""Tags whose content is HTML or text of the author's own."""

_WRAPPED_LIQUID = frozenset({"mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero"})
_NO_CONTENT = frozenset({"mj-image", "mj-divider", "mj-spacer", "mj-carousel-image", "mj-font", "mj-breakpoint"})
_EVERYWHERE = frozenset({"mj-class", "css-class", "lang", "dir", "id", "name", "path", "title", "inline", "owa"})
_REFUSED_HTML = frozenset({"script", "iframe", "object", "embed", "base", "frame", "frameset", "applet", "meta", "link"})
_VOID = re.compile(r"<(area|br|col|hr|img|input|wbr)\b((?:[^<>\"']|\"[^\"]*\"|'[^']*')*?)\s*/?>", re.IGNORECASE)
_AMPERSAND = re.compile(r"&(#\d+;|#[xX][0-9a-fA-F]+;|[A-Za-z][A-Za-z0-9]*;)?")
_XML_ENTITIES = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})
_UNITS = re.compile(r"(unit|unitWithNegative)\(([^)]*)\)(\{1,4\})?")

register_core_components()
KNOWN_TAGS = frozenset({"mjml", "mj-all", "mj-class", "mj-selector", "mj-html-attribute", *components})


@dataclass(frozen=True, slots=True)
class Protected:
    """Source with each Liquid token replaced by a placeholder of letters and digits, which MJML and premailer keep."""

    text: str
    tokens: tuple[str, ...]

    def restored(self, text: str) -> str:
        """Put the Liquid back into `text`."""
        return PLACEHOLDER.sub(lambda found: self.tokens[int(found[1])], text)


def protect(source: str) -> Protected:
    """Set every Liquid token aside. Comparisons that an editor escaped (`&lt;`) are put right in tags."""
    tokens: list[str] = []

    def aside(found: re.Match[str]) -> str:
        token = found[0]
        tokens.append(unescape(token) if token.startswith("{%") else token)
        return f"wbq{len(tokens) - 1:06d}z"

    return Protected(LIQUID_TOKEN.sub(aside, PLACEHOLDER.sub("", source)), tuple(tokens))


def mended(text: str) -> str:
    """Make near-XML well formed without adding lines: bare `&`, named entities, `<br>` and its kind."""
    return _VOID.sub(r"<\1\2/>", _AMPERSAND.sub(_mend_ampersand, text))


def _mend_ampersand(found: re.Match[str]) -> str:
    name = found[1]
    if name is None:
        return "&amp;"
    if name.startswith("#") or name in _XML_ENTITIES:
        return found[0]
    character = html.entities.html5.get(name)
    return "&amp;" + name if character is None else "".join(f"&#{ord(part)};" for part in character)


@dataclass
class _Writer:
    """Walks the source once: collects findings with their lines and writes MJML that is safe to compile."""

    protected: Protected
    data: bytes
    part: str = "mjml"
    errors: list[ContentError] = field(default_factory=list)
    warnings: list[ContentError] = field(default_factory=list)
    out: list[str] = field(default_factory=list)
    open_tags: list[tuple[str, int]] = field(default_factory=list)
    sections: list[tuple[int, int, int]] = field(default_factory=list)
    section_start: tuple[int, int] = (0, 0)
    parser: Any = None

    def __post_init__(self) -> None:
        extra, self.shifts = 0, []
        for found in re.finditer(rb"wbq(\d{6})z", self.data):
            extra += self.protected.tokens[int(found[1])].count("\n")
            self.shifts.append((found.end(), extra))

    def line(self) -> int:
        """The line of the source as written, at the parser's place: tokens set aside may have held line breaks."""
        import bisect

        at = bisect.bisect_right(self.shifts, (self.parser.CurrentByteIndex, 1 << 60))
        return int(self.parser.CurrentLineNumber) + (self.shifts[at - 1][1] if at else 0)
