"""Is this MJML, and what is it safe to hand to the MJML library?

Owns the way from what a marketer wrote to well-formed MJML: Liquid set aside under placeholders, bare `&` and named
entities and unclosed `<br>` mended, tags, places and measures checked, attributes escaped (mjml 0.12 does not), file
includes refused. Every finding carries the line of the source as written. Nothing here touches a file or the network.
"""

from __future__ import annotations

import difflib
import html.entities
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape, unescape
from typing import Any
from xml.parsers import expat

from delivery.templating import ContentError

LIQUID_TOKEN = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
PLACEHOLDER = re.compile(r"wbq(\d{6})z")

_BLOCKS = frozenset(
    ("mj-accordion", "mj-button", "mj-carousel", "mj-divider", "mj-image", "mj-navbar", "mj-raw", "mj-social",
     "mj-spacer", "mj-table", "mj-text")
)  # fmt: skip
CHILDREN: dict[str, frozenset[str]] = {
    "mjml": frozenset({"mj-head", "mj-body"}),
    "mj-head": frozenset(
        ("mj-attributes", "mj-breakpoint", "mj-font", "mj-html-attributes", "mj-preview", "mj-style", "mj-title")
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
    ("mj-text", "mj-button", "mj-table", "mj-raw", "mj-accordion-title", "mj-accordion-text", "mj-navbar-link",
     "mj-social-element", "mj-title", "mj-preview", "mj-style", "mj-html-attribute")
)  # fmt: skip
"""Tags whose content is HTML or text of the author's own."""

_WRAPPED_LIQUID = frozenset({"mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero"})
_EVERYWHERE = frozenset({"mj-class", "css-class", "lang", "dir", "id", "name", "path", "title", "inline", "owa"})
_REFUSED_HTML = frozenset(
    ("script", "iframe", "object", "embed", "base", "frame", "frameset", "applet", "meta", "link")
)
_VOID = re.compile(r"<(area|br|col|hr|img|input|wbr)\b((?:[^<>\"']|\"[^\"]*\"|'[^']*')*?)\s*/?>", re.IGNORECASE)
_AMPERSAND = re.compile(r"&(#\d+;|#[xX][0-9a-fA-F]+;|[A-Za-z][A-Za-z0-9]*;)?")
_XML_ENTITIES = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})
_VOID_TAGS = frozenset(("area", "br", "col", "hr", "img", "input", "wbr"))
_MEASURE = re.compile(r"(-?(\d+|\d*\.\d+)(px|%|em|rem)?|auto|inherit)?(\s+-?(\d+|\d*\.\d+)(px|%|em|rem)?){0,3}")
_SCRIPT_LINK = re.compile(r"[\s\x00-\x1f]*(javascript|vbscript|data\s*:\s*text)\s*:?", re.IGNORECASE)


@lru_cache(maxsize=1)
def _components() -> Mapping[str, Any]:
    """Every tag with the library's class for it."""
    from mjml.core.registry import components, register_core_components  # slow to load, and only who edits needs it

    register_core_components()
    known: Mapping[str, Any] = components
    return known


@lru_cache(maxsize=1)
def _known_tags() -> frozenset[str]:
    return frozenset({"mjml", "mj-all", "mj-class", "mj-selector", "mj-html-attribute", *_components()})


def _there_are() -> str:
    return "There are: " + ", ".join(f"<{tag}>" for tag in sorted(_known_tags() - {"mj-all", "mj-class"})) + "."


@dataclass(frozen=True, slots=True)
class Protected:
    """Source with each Liquid token replaced by a placeholder of letters and digits, which MJML and premailer keep."""

    text: str
    tokens: tuple[str, ...]

    def restored(self, text: str) -> str:
        """Put the Liquid back into `text`."""
        return PLACEHOLDER.sub(lambda found: self.tokens[int(found[1])], text)


def protect(source: str) -> Protected:
    """Set every Liquid token aside."""
    tokens: list[str] = []

    def aside(found: re.Match[str]) -> str:
        tokens.append(found[0])
        return f"wbq{len(tokens) - 1:06d}z"

    return Protected(LIQUID_TOKEN.sub(aside, PLACEHOLDER.sub("", source)), tuple(tokens))


def unescaped_tags(source: str) -> str:
    """Put right what visual editors do to Liquid tags: `{% if a &lt; 2 %}`. Outputs are left alone."""
    return LIQUID_TOKEN.sub(lambda token: unescape(token[0]) if token[0].startswith("{%") else token[0], source)


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


@dataclass(frozen=True, slots=True)
class CheckedMarkup:
    """What `checked` found: MJML ready to compile, and the errors and warnings with lines of the source as written.

    `sections` are the parts standing directly in the body: (start, end) in `mjml` and the line of the source.
    """

    mjml: str
    errors: tuple[ContentError, ...]
    warnings: tuple[ContentError, ...]
    sections: tuple[tuple[int, int, int], ...]


def checked(protected: Protected, *, language: str = "en") -> CheckedMarkup:
    """Check protected MJML and rewrite it so that the MJML library keeps every escape. Never raises on bad input."""
    writer = _Writer(protected, mended(protected.text.strip("\ufeff")).encode("utf-8", "replace"), language)
    writer.run()
    return CheckedMarkup("".join(writer.out), tuple(writer.errors), tuple(writer.warnings), tuple(writer.sections))


class _Stop(Exception):
    """Ends the walk after an error that makes the rest unreadable."""


class _Writer:
    """Walks the source once: collects findings with their lines and writes MJML that is safe to compile."""

    def __init__(self, protected: Protected, data: bytes, language: str) -> None:
        self.data, self.language = data, language
        self.errors: list[ContentError] = []
        self.warnings: list[ContentError] = []
        self.out: list[str] = []
        self.written = 0
        self.open_tags: list[tuple[str, int]] = []
        self.sections: list[tuple[int, int, int]] = []
        self.section_start = 0
        self.shifts: list[tuple[int, int]] = []
        extra = 0
        for found in re.finditer(rb"wbq(\d{6})z", data):
            extra += protected.tokens[int(found[1])].count("\n")
            self.shifts.append((found.end(), extra))
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.ordered_attributes = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.CommentHandler = self.comment
        self.parser.StartDoctypeDeclHandler = self.doctype

    def run(self) -> None:
        """Parse everything; turn what the parser cannot read into one error with its line."""
        if not self.data.strip():
            self.error(None, "is empty; write the mail between <mjml> and </mjml>.", line=None)
            return
        try:
            self.parser.Parse(self.data, True)
        except _Stop:
            pass
        except expat.ExpatError as error:
            self.unreadable(error)
        else:
            if not self.sections and not self.errors:
                self.error("mj-body", "<mj-body> is empty; put at least one <mj-section> into it.", line=None)

    def line(self, byte_index: int | None = None, parser_line: int | None = None) -> int:
        """The line of the source as written: Liquid set aside may have held line breaks."""
        at = bisect_right(self.shifts, (self.parser.CurrentByteIndex if byte_index is None else byte_index, 1 << 60))
        shift = self.shifts[at - 1][1] if at else 0
        return int(self.parser.CurrentLineNumber if parser_line is None else parser_line) + shift

    def error(self, tag: str | None, message: str, *, line: int | None = 0) -> None:
        self.errors.append(ContentError("mjml", self.line() if line == 0 else line, tag, message))

    def write(self, text: str) -> None:
        self.out.append(text)
        self.written += len(text)

    def unreadable(self, error: expat.ExpatError) -> None:
        line = self.line(self.parser.ErrorByteIndex, error.lineno)
        what = expat.ErrorString(error.code)
        tag, opened = self.open_tags[-1] if self.open_tags else (None, 0)
        if what == "mismatched tag":
            self.error(tag, f"<{tag}> opened in line {opened} is not closed; write </{tag}> before this.", line=line)
        elif what == "no element found" and tag:
            self.error(tag, f"<{tag}> opened in line {opened} is never closed; write </{tag}>.", line=line)
        elif what == "duplicate attribute":
            self.error(tag, "an attribute stands twice in one tag; keep one of them.", line=line)
        else:
            message = (
                f"cannot be read here ({what}). Every tag needs its end, every attribute a value in quotes; "
                "Liquid inside a tag is possible only within such a value; write &lt; for a bare <."
            )
            self.error(tag, message, line=line)

    def doctype(self, *_: object) -> None:
        self.error(None, "a DOCTYPE is not possible here; begin with <mjml>.")
        raise _Stop

    def start(self, name: str, pairs: list[str]) -> None:
        tag = name.lower()
        attributes = dict(zip(pairs[::2], pairs[1::2], strict=True))
        line = self.line()
        self.check_place(tag)
        self.open_tags.append((tag, line))
        own = tag.startswith("mj")
        if own:
            self.check_measures(tag, attributes)
            if tag == "mjml":
                attributes.setdefault("lang", self.language)
        self.check_links(tag, attributes)
        if [open_tag for open_tag, _ in self.open_tags[:-1]] == ["mjml", "mj-body"]:
            self.section_start = self.written
        written = "".join(f' {key}="{_attribute(value, own=own, key=key)}"' for key, value in attributes.items())
        self.write(f"<{tag}{written}>")

    def end(self, name: str) -> None:
        tag, line = self.open_tags.pop()
        self.write("" if tag in _VOID_TAGS else f"</{tag}>")
        if [open_tag for open_tag, _ in self.open_tags] == ["mjml", "mj-body"]:
            self.sections.append((self.section_start, self.written, line))

    def text(self, text: str) -> None:
        if self.in_html():
            self.write(escape(text, quote=False))
            return
        parent = self.open_tags[-1][0] if self.open_tags else ""
        if not text.strip():
            self.write(text)
        elif PLACEHOLDER.sub("", text).strip():
            self.error(parent, f"text directly in <{parent}> is not shown; put it into <mj-text>.")
        elif parent in _WRAPPED_LIQUID:
            # MJML drops text between its tags, and with it the condition: it would show the section to everybody.
            at_body = parent == "mj-body"
            self.write(f"<mj-raw>{text.strip()}</mj-raw>")
            if at_body:
                self.section_start = self.written
        else:
            self.error(parent, f"Liquid has no effect directly in <{parent}>; put it around a section or into a text.")

    def comment(self, text: str) -> None:
        conditional = text.lstrip().startswith("[if") and text.rstrip().endswith("<![endif]")
        if conditional and self.in_html() and "<mj-" not in text.lower():
            self.write(f"<!--{text}-->")
        elif PLACEHOLDER.search(text):
            self.error(None, "Liquid inside a comment has no effect; take it out of the comment or delete it.")

    def in_html(self) -> bool:
        """Say whether we are inside a tag whose content is the author's own."""
        return any(tag in HOLDS_HTML or tag not in _known_tags() for tag, _ in self.open_tags)

    def check_place(self, tag: str) -> None:
        parent = self.open_tags[-1][0] if self.open_tags else None
        if PLACEHOLDER.search(tag):
            self.error(None, "Liquid cannot stand for a tag's name; write the tag out.")
        elif tag == "mj-include":
            self.error(tag, "<mj-include> reads files and is not possible here; paste the part itself.")
        elif tag.startswith("mj") and tag not in _known_tags():
            near = difflib.get_close_matches(tag, sorted(_known_tags()), n=1, cutoff=0.6)
            self.error(tag, f"there is no tag <{tag}>. " + (f"Did you mean <{near[0]}>?" if near else _there_are()))
        elif parent is None:
            if tag != "mjml":
                self.error(tag, f"begins with <{tag}>; the first tag must be <mjml>.")
                raise _Stop
        elif self.in_html():
            if tag.startswith("mj-") and parent not in {"mj-attributes"}:
                self.error(tag, f"<{tag}> cannot stand inside <{parent}>; close <{parent}> first.")
            elif tag in _REFUSED_HTML:
                self.error(tag, f"<{tag}> does not work in mail and is not possible; take it out.")
        elif parent == "mj-attributes" and tag.startswith("mj-"):
            return
        elif tag not in CHILDREN.get(parent, frozenset()):
            places = ", ".join(f"<{place}>" for place, inside in CHILDREN.items() if tag in inside) or "<mj-text>"
            self.error(tag, f"<{tag}> cannot stand directly in <{parent}>; it belongs into {places}.")

    def check_measures(self, tag: str, attributes: Mapping[str, str]) -> None:
        component = _components().get(tag)
        if component is None:
            return
        kinds = component.allowed_attrs()
        known = {*kinds, *component.default_attrs(), *_EVERYWHERE}
        for name, value in attributes.items():
            kind = kinds.get(name) or ""
            if name not in known:
                near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
                hint = f" Did you mean {near[0]}?" if near else ""
                message = f"<{tag}> has no attribute {name}; it has no effect.{hint}"
                self.warnings.append(ContentError("mjml", self.line(), tag, message))
            elif kind.startswith("unit") and not _MEASURE.fullmatch(value.strip()):
                example = "10px 25px" if "{1,4}" in kind else "20px"
                shown = PLACEHOLDER.sub("{{ .. }}", value)
                self.error(tag, f'{name}="{shown}" is not a measure; write one such as {example}.')

    def check_links(self, tag: str, attributes: Mapping[str, str]) -> None:
        for name, value in attributes.items():
            if name.lower().startswith("on"):
                self.error(tag, f"{name} holds a script, which does not work in mail; take it out.")
            elif _SCRIPT_LINK.match(value):
                self.error(tag, f"{name} of <{tag}> is not a web address; links begin with https://, mailto: or tel:.")


def _attribute(value: str, *, own: bool, key: str) -> str:
    """Escape an attribute: twice for MJML's own, because the library writes their values out unescaped."""
    if own and key not in {"mj-class", "name", "path", "inline"}:
        value = escape(value)
    return escape(value)
