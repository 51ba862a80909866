"""How are conditions that count, add up or date things said, chosen and read back?

Owns the lines about orders, contacts, messages, coupons, events and relations: "bought furniture at least once in the
last 365 days". The words of a measure stand in measure_words.py; zero reads "did not buy".
"""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

from segments.language.fields import MEASURES
from web.builder.comparing import (
    NO_VALUE,
    Kind,
    date_words,
    number_words,
    operator_of,
    plain_money,
    plain_number,
    plain_share,
    read_test,
    test_parts,
    value_problem,
)
from web.builder.measure_words import MEASURE_WORDS, RATIOS, words_of
from web.builder.parts import Chip, Choice, Fields, Part, Picker, Sentence, shown, texts_of
from web.builder.wherein import read_nth, read_where, where_chip, where_of
from web.builder.windows import read_window, window_parts, window_problem, window_words

SOURCES = ("orders", "contacts", "messages", "coupons", "events", "relations")
_LOW = ("at_least", "more_than")
_WRITE = {"number": plain_number, "share": plain_share}


def kind_of(source: str, measure: str) -> Kind:
    """What kind of value a measure gives; a ratio is typed and shown as a percentage."""
    known = MEASURES.get(source, {}).get(measure)
    if measure in RATIOS:
        return "share"
    return known.kind if known else "number"


def sentence(source: str, rule: dict[str, Any], *, today: date, properties: Sequence[str] = (),
             currency: str = "EUR") -> Sentence:
    """The condition as words and chips; `properties` are those of the event, `currency` the orders'."""
    measure, where = shown(rule.get(source)), where_of(rule)
    named = texts_of(where.get("currency"))
    currency = named[0] if len(named) == 1 else currency
    verb, words, joint = _said(source, measure, rule, today, currency)
    test = Chip("test", words, _test_parts(source, measure, rule, currency), _test_problem(source, measure, rule))
    before, when = window_words(rule.get("window"), today=today)
    window = Chip("window", when, window_parts(rule.get("window")), window_problem(rule.get("window")))
    known = MEASURES.get(source, {}).get(measure)
    goods = where_chip(
        source, where, nth=rule.get("nth"), more=properties, event=measure if source == "events" else "",
        offers_nth=source == "orders" and (known is None or known.single), problem=_lacks(source, measure, where))
    if source == "orders" and measure == "count" and words == "did not buy":
        return ("", test, goods, before, window)[1:]
    if source == "orders" and measure == "count" and not verb:
        return ("bought", goods, test, before, window)
    if source == "events":
        names = Picker("event", "Event", "events", "name", (measure,) if measure else ())
        name = Chip("event", measure or "…", (names,), None if measure else "Choose an event.")
        return (verb, name, test, goods, before, window)
    said: tuple[str | Chip, ...] = (verb, test, joint, goods, before, window)
    return tuple(part for part in said if part)


def _lacks(source: str, measure: str, where: dict[str, Any]) -> str | None:
    known = MEASURES.get(source, {}).get(measure)
    if known is not None and known.needs_where and not set(where) - {"currency"}:
        return "A share of what? Choose a category, a brand or an article."
    return None


def _said(source: str, measure: str, rule: dict[str, Any], today: date, currency: str) -> tuple[str, str, str]:
    """The verb, the words on the test's chip, and what joins it to what is counted."""
    operator, words = operator_of(rule), words_of(source, measure)
    value, kind = rule.get(operator), kind_of(source, measure)
    none = (operator in ("equals", "at_most") and value == 0) or (operator == "less_than" and value == 1)
    if kind == "instant":
        return words.verb, date_words(operator, value, today=today), words.joint
    if operator in NO_VALUE:
        return "have", f"{'a' if operator == 'is_set' else 'no'} known answer to “{words.label}”", words.joint
    if source == "orders" and measure == "count":
        if none and rule.get("nth") is None:
            return "", "did not buy", ""
        if rule.get("where") or rule.get("nth") is not None:
            return "", _times(operator, value), ""
    if source in ("contacts", "events"):
        return ("had", "no" if none else number_words(operator, value, plain_number), "") if source == "contacts" else (
            "had the event", "never" if none else _times(operator, value), "")
    if source in ("messages", "coupons"):
        said = f"never {words.label}" if none else f"{words.label} {number_words(operator, value, plain_number)}"
        return "", said, source
    write: Any = partial(plain_money, currency=currency) if kind == "cents" else _WRITE.get(kind, plain_number)
    said = f"{write(value)} or more" if kind == "cents" and operator == "at_least" else number_words(
        operator, value, write)
    return words.verb, f"{said} {words.unit(value)}".strip(), words.joint


def _times(operator: str, value: Any) -> str:
    if operator in _LOW and value == (1 if operator == "at_least" else 0):
        return "at least once"
    times = number_words(operator, value, plain_number)
    return f"{times} time{'' if value == 1 else 's'}"


def _test_parts(source: str, measure: str, rule: dict[str, Any], currency: str) -> tuple[Part, ...]:
    kind = kind_of(source, measure)
    measures = [(name, words.label) for name, words in MEASURE_WORDS.get(source, {}).items()
                if name in MEASURES.get(source, {})]
    if source != "events" and measure not in dict(measures):
        measures.append((measure, words_of(source, measure).label))
    first = (Choice("measure", "What counts", measures, measure),) if len(measures) > 1 else ()
    known = MEASURES.get(source, {}).get(measure)
    unit = {"cents": currency, "share": "%"}.get(kind, "")
    return (*first, *test_parts(rule, kind, known=known is not None and known.missing, unit=unit))


def _test_problem(source: str, measure: str, rule: dict[str, Any]) -> str | None:
    if source != "events" and measure not in MEASURES.get(source, {}):
        return "Choose what counts."
    problem = value_problem(rule, kind_of(source, measure))
    known = MEASURES.get(source, {}).get(measure)
    if problem is None and known is not None and known.kind == "share":
        value = rule.get(operator_of(rule))
        ends = value if isinstance(value, list) else [value]
        if any(isinstance(end, int | float) and not isinstance(end, bool) and not 0 <= end <= 1 for end in ends):
            return "A share lies between 0 and 100 %."
    return problem


def read(source: str, rule: dict[str, Any], fields: Fields, *, properties: Sequence[str] = ()) -> dict[str, Any]:
    """The condition as the form has it now."""
    before = shown(rule.get(source))
    measure = _read_event(before, fields) if source == "events" else fields.one("measure", before)
    if source != "events" and measure not in MEASURES.get(source, {}):
        measure = before
    kind = kind_of(source, measure)
    read_now: dict[str, Any] = {source: measure}
    nth = read_nth(rule.get("nth"), fields) if source == "orders" else None
    if nth is not None:
        read_now["nth"] = nth
    where = read_where(source, where_of(rule), fields, more=properties)
    if where:
        read_now["where"] = where
    window = read_window(rule.get("window"), fields)
    if window is not None:
        read_now["window"] = window
    if kind != kind_of(source, before):
        start: dict[str, dict[str, Any]] = {
            "instant": {"within_days": 90}, "share": {"at_least": 1.5 if measure in RATIOS else 0.3},
            "cents": {"at_least": 10_000}}
        return {**read_now, **start.get(kind, {"at_least": 1})}
    return {**read_now, **read_test(rule, kind, fields)}


def _read_event(before: str, fields: Fields) -> str:
    """One event: the one just picked; the picker ticks several, the last one counts."""
    chosen = [name for name in fields.many("event") if name != before]
    return chosen[-1] if chosen else before
