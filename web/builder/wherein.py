"""Which orders, contacts, messages, coupons, events or relations count: how is that said, chosen and read back?

Owns the chip of `where`, its pickers and its price, and the choice of one order by its place in a person's history.
"""

from collections.abc import Sequence
from typing import Any

from core.errors import Invalid
from segments.language.fields import WHERE
from web.builder.comparing import plain_money
from web.builder.measure_words import NOTHING, WHERE_WORDS
from web.builder.parts import Chip, Choice, Fields, Part, Picker, Text, joined, shown, texts_of
from web.wording.amounts import read_cents, read_whole, written_cents

_GOODS = ("category", "brand", "sku")
_PLAIN = (*_GOODS, "kind", "campaign", "offer")
_PLACES = {1: "the first order", 2: "the second order", 3: "the third order", -1: "the last order",
           -2: "the order before the last"}


def where_of(rule: dict[str, Any], key: str = "where") -> dict[str, Any]:
    """The `where` of a draft, whatever stands there."""
    found = rule.get(key)
    return found if isinstance(found, dict) else {}


def words_for(source: str, where: dict[str, Any], more: Sequence[str] = ()) -> tuple[str, ...]:
    """The words a `where` can hold: those of the rule language, those of the data (`more`), those it holds."""
    known = [*WHERE.get(source, ()), *more]
    return tuple(dict.fromkeys([*known, *(str(key) for key in where if source == "events")]))


def where_chip(source: str, where: dict[str, Any], *, name: str = "where", nth: Any = None, offers_nth: bool = False,
               event: str = "", more: Sequence[str] = (), problem: str | None = None) -> Chip:
    """The chip of a `where`. `name` is its key and the prefix of its fields; `event` whose properties they are."""
    parts = [_part(name, source, word, where, event) for word in words_for(source, where, more)]
    said = _said(source, where, more)
    if offers_nth or nth is not None:
        parts += nth_parts(nth)
    if nth is not None:
        said = f"{said}, only {nth_words(nth)}"
    return Chip(name, said, tuple(parts), _problem(where, nth) or problem)


def _part(name: str, source: str, word: str, where: dict[str, Any], event: str) -> Part:
    if word == "min_unit_price":
        price = where.get(word)
        whole = isinstance(price, int) and not isinstance(price, bool)
        return Text(f"{name}.{word}", WHERE_WORDS[word], written_cents(price) if whole else shown(price),
                    inputmode="decimal")
    return Picker(f"{name}.{word}", WHERE_WORDS.get(word, word), source, word, texts_of(where.get(word)), event)


def _said(source: str, where: dict[str, Any], more: Sequence[str]) -> str:
    said = []
    for word in words_for(source, where, more):
        values = texts_of(where.get(word))
        if word == "min_unit_price" or not values:
            continue
        label = WHERE_WORDS.get(word, word)
        said.append(joined(values) if word in _PLAIN else f"{label[0].lower()}{label[1:]} {joined(values)}")
    price = where.get("min_unit_price")
    if price is not None:
        said.append(f"from {plain_money(price)} apiece")
    return ", ".join(said) or NOTHING.get(source, "anything")


def nth_parts(nth: Any) -> list[Part]:
    """The choice of one order: none, one of the usual places, or another one by number."""
    usual = nth in _PLACES and not isinstance(nth, bool)
    chosen = "" if nth is None else str(nth) if usual else "other"
    options = [("", "all orders"), *((str(place), words) for place, words in _PLACES.items()),
               ("other", "another one, by its number")]
    parts: list[Part] = [Choice("nth", "Which orders are looked at", options, chosen)]
    if chosen == "other":
        parts.append(Text("nth.k", "Number of the order", shown(nth), inputmode="numeric",
                          hint="4 is the fourth, −3 the third from the end."))
    return parts


def nth_words(nth: Any) -> str:
    """One order as it is said."""
    if isinstance(nth, bool) or not isinstance(nth, int) or nth == 0:
        return f"order number {shown(nth)[:20] or '…'}"
    return _PLACES.get(nth) or (f"order number {nth}" if nth > 0 else f"order number {-nth} from the end")


def _problem(where: dict[str, Any], nth: Any) -> str | None:
    price = where.get("min_unit_price")
    if isinstance(price, str):
        return f"“{price[:30]}” is no amount. Write it as 1500 or 1,500.50."
    if nth is not None and (isinstance(nth, bool) or not isinstance(nth, int) or nth == 0):
        return "Write which order: 4 for the fourth, −3 for the third from the end."
    return None


def read_where(source: str, where: dict[str, Any], fields: Fields, *, name: str = "where",
               more: Sequence[str] = ()) -> dict[str, Any]:
    """The `where` as the form has it now; what its form did not hold stays."""
    kept = dict(where)
    for word in words_for(source, where, more):
        field = f"{name}.{word}"
        if not fields.holds(field):
            continue
        value: Any = _price(fields.one(field)) if word == "min_unit_price" else fields.many(field)
        if value in ("", []):
            kept.pop(word, None)
        elif not (isinstance(kept.get(word), str) and value == [kept[word]]):  # one text may stand without its list
            kept[word] = value
    return kept


def read_nth(nth: Any, fields: Fields) -> Any:
    """The place of the one order as the form has it now; None: all orders."""
    if not fields.holds("nth"):
        return nth
    chosen = fields.one("nth")
    if chosen != "other":
        return int(chosen) if chosen.removeprefix("-").isascii() and chosen.removeprefix("-").isdigit() else None
    typed = fields.one("nth.k", "4")
    try:
        return read_whole(typed)
    except Invalid:
        return typed


def _price(text: str) -> Any:
    try:
        return read_cents(text) if text else ""
    except Invalid:
        return text
