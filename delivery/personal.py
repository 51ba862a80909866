"""What does this one person read?

Fills a compiled content with one person's values: the e-mail (subject, HTML, text), the letter and the call script.
Only the variables of `templating.VARIABLES` pass, as plain text in one line each; they are escaped in HTML, never
parsed as Liquid, and cannot break a header. Parsed templates are kept per revision: filling is all that is left to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from babel.dates import format_date
from liquid.exceptions import LiquidError
from liquid.undefined import Undefined

from core.errors import Invalid
from delivery.content import CompiledContent
from delivery.filling import Filling
from delivery.templating import VARIABLES, liquid_error, parsed

SUBJECT_LIMIT = 250
"""Characters of a filled subject; what is longer is cut."""

_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_WORDS = {
    "de": {"customer": "Kundin, lieber Kunde", "dear": "Guten Tag", "nameless": "Guten Tag"},
    "en": {"customer": "customer", "dear": "Dear", "nameless": "Dear customer"},
}


class FillError(Invalid):
    """This person's mail grew beyond a limit; the message says which part and which limit. The person is set aside."""


@dataclass(frozen=True, slots=True)
class FilledEmail:
    """One person's e-mail: a subject of one line, HTML and plain text.

    `html_pieces` is the HTML in pieces, of which the fixed ones are the same objects for every person of a revision.
    """

    subject: str
    html_pieces: tuple[str, ...]
    text: str

    @property
    def html(self) -> str:
        """The whole HTML."""
        return "".join(self.html_pieces)


class _NoName(Undefined):
    """A missing first name: false in conditions, `default` replaces it, and printed it reads "customer"."""

    __slots__ = ("word",)

    def __init__(self, word: str) -> None:
        super().__init__("customer.first_name")
        self.word = word

    def __str__(self) -> str:
        return self.word


_NO_NAME = {language: _NoName(words["customer"]) for language, words in _WORDS.items()}
_ROOMS = frozenset(name.partition(".")[0] for name in VARIABLES if "." in name)
_FREE_ROOMS = frozenset(name.removesuffix(".*") for name in VARIABLES if name.endswith(".*"))


def fill(compiled: CompiledContent, person: Mapping[str, object]) -> FilledEmail:
    """Fill an e-mail. `person` maps the names of `templating.VARIABLES`, nested at the dots; what is missing is empty.

    Values are text, numbers, bools or None; `code_valid_until` may be a date and is written out in the customer's
    language. Raises FillError when a limit is passed, Invalid when the content is not a valid e-mail.
    """
    subject, html, text = _email_templates(compiled)
    values = personal_values(person, language=compiled.language)
    return FilledEmail(
        _one_line("".join(_pieces(subject, values, "subject")))[:SUBJECT_LIMIT],
        tuple(_pieces(html, values, "mjml")),
        _BLANK_LINES.sub("\n\n", "".join(_pieces(text, values, "mjml"))),
    )


def fill_letter(compiled: CompiledContent, person: Mapping[str, object]) -> str:
    """Fill the letter: plain paragraphs, parted by blank lines. Raises as `fill`."""
    return _fill_plain(compiled, "letter", person)


def fill_call_script(compiled: CompiledContent, person: Mapping[str, object]) -> str:
    """Fill the script for the call desk. Raises as `fill`."""
    return _fill_plain(compiled, "call_script", person)


def personal_values(person: Mapping[str, object], *, language: str = "en") -> dict[str, object]:
    """Return what templates may see of a person: known names only, plain values, each in one line."""
    spoken = language
    customer = person.get("customer")
    if isinstance(customer, Mapping) and isinstance(own := customer.get("language"), str) and own:
        spoken = own
    words_of = "de" if spoken[:2].lower() == "de" else "en"
    values: dict[str, object] = {}
    for name, value in person.items():
        if name in _ROOMS:
            values[name] = _room(name, value, words_of) if isinstance(value, Mapping) else {}
        elif name in VARIABLES:
            values[name] = _plain(value, words_of)
    room = values.setdefault("customer", {})
    if isinstance(room, dict):
        if not room.get("first_name"):
            room["first_name"] = _NO_NAME[words_of]
        if not values.get("greeting"):
            values["greeting"] = greeting(room, language=words_of)
    return values


def greeting(customer: Mapping[str, object], *, language: str = "en") -> str:
    """Return how a letter begins: "Dear Ms Miller", "Dear Anna", or without a name "Dear customer"."""
    words = _WORDS["de" if language[:2].lower() == "de" else "en"]
    salutation, first, last = (customer.get(key) for key in ("salutation", "first_name", "last_name"))
    if salutation and last:
        return f"{words['dear']} {salutation} {last}"
    if first and not isinstance(first, Undefined):
        return f"{words['dear']} {first} {last}" if last else f"{words['dear']} {first}"
    return words["nameless"]


def _room(name: str, given: Mapping[str, object], language: str) -> dict[str, object]:
    free = name in _FREE_ROOMS
    room: dict[str, object] = {}
    for key, value in given.items():
        dotted = f"{name}.{key}"
        if isinstance(value, Mapping):
            if dotted in _FREE_ROOMS:
                room[key] = {str(inner): _plain(each, language) for inner, each in value.items()}
        elif free or dotted in VARIABLES:
            room[key] = _plain(value, language)
    return room


def _plain(value: object, language: str) -> object:
    """Return a value a template may see: one line of text, a number, true, false or nothing (as is empty text)."""
    kind = type(value)
    if kind is str:
        text: str = value  # type: ignore[assignment]
        return text if text.isprintable() and text and not text.isspace() else _one_line(text) or None
    if value is None or kind is bool or kind is int or kind is float:
        return value
    if isinstance(value, str):
        return _one_line(str(value)) or None
    if isinstance(value, date):
        return _written_out(value.date() if isinstance(value, datetime) else value, language)
    raise Invalid(f"a template takes text, numbers and dates, not {kind.__name__}; pass the value as text.")


@lru_cache(maxsize=4096)
def _written_out(day: date, language: str) -> str:
    return str(format_date(day, format="long", locale="de_DE" if language == "de" else "en_GB"))


def _one_line(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text).strip()


def _pieces(template: Filling, values: dict[str, object], part: str) -> list[str]:
    try:
        return template.pieces(values)
    except LiquidError as error:
        raise FillError(liquid_error(part, error, source="").message, place=part) from error


def _fill_plain(compiled: CompiledContent, part: str, person: Mapping[str, object]) -> str:
    values = personal_values(person, language=compiled.language)
    filled = "".join(_pieces(_plain_template(compiled, part), values, part))
    return _BLANK_LINES.sub("\n\n", filled.replace("\r\n", "\n")).strip()


@lru_cache(maxsize=128)
def _email_templates(compiled: CompiledContent) -> tuple[Filling, Filling, Filling]:
    if not compiled.valid or not compiled.html:
        raise Invalid("this content is no e-mail that may be sent; mend it and compile it again.")
    return (
        Filling(parsed(compiled.subject, html=False), html=False),
        Filling(parsed(compiled.html, html=True), html=True),
        Filling(parsed(compiled.text, html=False), html=False),
    )


@lru_cache(maxsize=128)
def _plain_template(compiled: CompiledContent, part: str) -> Filling:
    source = compiled.letter if part == "letter" else compiled.call_script
    if not compiled.valid or not source:
        raise Invalid(f"this content has no {part.replace('_', ' ')}; write one.")
    return Filling(parsed(source, html=False), html=False)
