"""Is this a rule, and if not, where is it wrong?

Owns reading the rule language: JSON in, a checked tree of segments/language/conditions.py out. The promise: nothing is
guessed and nothing unknown is skipped; every error names its place in the rule (`all[1].orders.window`) and the way
out.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from core.errors import Invalid
from segments.language.conditions import (
    All,
    Any_,
    ConsentIs,
    CustomerIs,
    Followed,
    InSegment,
    Measured,
    Near,
    Not,
    Prefers,
    Rule,
    Sampled,
    Scored,
    Where,
)
from segments.language.fields import (
    ATTRIBUTES,
    CHANNELS,
    CONSENT_STATES,
    CUSTOMER_FIELDS,
    MEASURES,
    SEQUENCE_KEYS,
    WHERE,
    field_of,
)
from segments.language.operators import OPERATORS
from segments.language.told_measures import SCORE_LABELS
from segments.language.values import (
    MAX_DAYS,
    read_cents,
    read_key,
    read_nth,
    read_number,
    read_property,
    read_test,
    read_text,
    read_texts,
    read_whole,
    read_window,
    read_within,
)

__all__ = ["MAX_CONDITIONS", "MAX_DEPTH", "Rule", "check_size", "parse_rule"]

MAX_DEPTH = 200
MAX_CONDITIONS = 500
FARTHEST_KM = 20_100
"""Somewhat more than half around the world: everybody who has coordinates."""
_SCORE = re.compile(r"[a-z][a-z0-9_]{0,59}")


def parse_rule(value: object) -> Rule:
    """Read a rule from decoded JSON. Raises Invalid with the place of the first mistake."""
    rule = _rule(value, "", 1)
    check_size(rule)
    return rule


def check_size(rule: Rule) -> None:
    """Raise Invalid when a rule (nested segments put in) is deeper or longer than we run."""
    if rule.depth() > MAX_DEPTH:
        raise Invalid(f"rules may be nested {MAX_DEPTH} levels deep at most", place="rule")
    conditions = sum(1 for node in rule.walk() if not node.children())
    if conditions > MAX_CONDITIONS:
        raise Invalid(f"a rule may hold {MAX_CONDITIONS} conditions at most, this one has {conditions}", place="rule")


def _rule(value: object, place: str, depth: int) -> Rule:
    if depth > MAX_DEPTH:
        raise Invalid(f"rules may be nested {MAX_DEPTH} levels deep at most", place=place or "rule")
    if not isinstance(value, Mapping):
        raise Invalid(f"a rule is an object such as {{\"customer\": \"country\", \"is\": \"DE\"}}, not {_shown(value)}",
                      place=place or "rule")
    if not value:
        raise Invalid('the rule is empty. Everybody is {"all": []}', place=place or "rule")
    kind = _kind(value, place)
    return _READERS[kind](value, kind, place, depth)


def _kind(value: Mapping[Any, Any], place: str) -> str:
    found = [str(key) for key in value if key in _READERS]
    if not found:
        unknown = next(iter(value))
        raise Invalid(f"unknown condition {_shown(unknown)}{_hint(unknown, _READERS)}",
                      place=place or "rule")
    if len(found) > 1:
        raise Invalid(f"one condition at a time: {' and '.join(found)} stand in the same object. "
                      'Put them into {"all": [...]}', place=place or "rule")
    return found[0]


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 60 else f"{text[:57]}..."


def _hint(word: object, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(str(word), names, 1)
    return f'. Did you mean "{close[0]}"?' if close else f". Known: {', '.join(names)}"


def _only(value: Mapping[Any, Any], allowed: Iterable[str], place: str) -> None:
    names = list(allowed)
    for key in value:
        if key not in names:
            raise Invalid(f"unknown key {_shown(key)}{_hint(key, names)}", place=place)


def _group(value: Mapping[Any, Any], kind: str, place: str, depth: int) -> Rule:
    _only(value, [kind], place or "rule")
    rules = value[kind]
    if not isinstance(rules, list):
        raise Invalid(f"needs a list of rules, not {_shown(rules)}", place=_below(place, kind))
    read = []
    for number, item in enumerate(rules):  # no generator: it would be one more level of the call stack
        read.append(_rule(item, f"{_below(place, kind)}[{number}]", depth + 1))
    return All(tuple(read)) if kind == "all" else Any_(tuple(read))


def _not(value: Mapping[Any, Any], kind: str, place: str, depth: int) -> Rule:
    _only(value, [kind], place or "rule")
    return Not(_rule(value[kind], _below(place, kind), depth + 1))


def _customer(value: Mapping[Any, Any], kind: str, place: str, _depth: int) -> Rule:
    here = _below(place, kind)
    name = value[kind]
    if not isinstance(name, str) or not (name in CUSTOMER_FIELDS or name.startswith(ATTRIBUTES)):
        known = [*CUSTOMER_FIELDS, f"{ATTRIBUTES}<key>"]
        raise Invalid(f"unknown field {_shown(name)}{_hint(name, known)}", place=here)
    if name.startswith(ATTRIBUTES):
        read_key(name.removeprefix(ATTRIBUTES), here)
    _only(value, [kind, *OPERATORS], here)
    return CustomerIs(name, read_test(value, field_of(name).kind, name, here))


def _measured(value: Mapping[Any, Any], kind: str, place: str, _depth: int) -> Rule:
    here = _below(place, kind)
    name, known = value[kind], MEASURES[kind]
    if not isinstance(name, str) or name not in known:
        raise Invalid(f"unknown measure {_shown(name)}{_hint(name, known)}", place=here)
    further = {"orders": ["nth", "window"], "relations": []}.get(kind, ["window"])
    _only(value, [kind, "where", *further, *OPERATORS], here)
    where = _where(value["where"], kind, f"{here}.where") if "where" in value else Where()
    if known[name].needs_where and not where.names() - {"currency"}:
        raise Invalid(f"{name} is a part of something: say of what, for example "
                      '"where": {"category": ["furniture"]}', place=f"{here}.where")
    window = read_window(value["window"], f"{here}.window") if "window" in value else None
    nth = read_nth(value["nth"], f"{here}.nth") if "nth" in value else None
    if nth is not None and not known[name].single:
        raise Invalid(f"{name} needs several orders, nth leaves one. Take one of the two away", place=f"{here}.nth")
    return Measured(kind, name, read_test(value, known[name].kind, name, here), where, window, nth)


def _followed(value: Mapping[Any, Any], kind: str, place: str, _depth: int) -> Rule:
    here = _below(place, kind)
    _only(value, SEQUENCE_KEYS, here)
    found = [key for key in ("then", "then_not") if key in value]
    if len(found) != 1:
        raise Invalid('needs either "then" or "then_not": what was bought afterwards, or was not', place=here)
    if "within_days" not in value:
        raise Invalid('within how many days? Add for example "within_days": 60', place=here)
    bought, then = (_where(value[key], "orders", _below(place, key)) for key in (kind, found[0]))
    days = read_whole(value["within_days"], _below(place, "within_days"), 1, MAX_DAYS, "days")
    window = read_window(value["window"], _below(place, "window")) if "window" in value else None
    return Followed(bought, then, days, found[0] == "then_not", window)


def _where(value: object, source: str, place: str) -> Where:
    if not isinstance(value, Mapping):
        raise Invalid(f"needs an object such as {{\"{WHERE[source][0]}\": [...]}}, not {_shown(value)}", place=place)
    _only(value, WHERE[source], place)
    words = {key: read_texts(item, f"{place}.{key}") for key, item in value.items() if key != "min_unit_price"}
    price = read_cents(value["min_unit_price"], f"{place}.min_unit_price") if "min_unit_price" in value else None
    return Where(tuple(sorted(words.items())), price)


def _happened(value: Mapping[Any, Any], kind: str, place: str, _depth: int) -> Rule:
    here = _below(place, kind)
    name = read_text(value[kind], here)
    if not name.strip() or len(name) > 100:
        raise Invalid("the name of an event has 1 to 100 characters", place=here)
    _only(value, [kind, "where", "window", *OPERATORS], here)
    given = value.get("where", {})
    if not isinstance(given, Mapping):
        raise Invalid(f'needs an object such as {{"page": ["/sale"]}}, not {_shown(given)}', place=f"{here}.where")
    words = {read_property(key, f"{here}.where"): read_texts(item, f"{here}.where.{key}")
             for key, item in given.items()}
    window = read_window(value["window"], f"{here}.window") if "window" in value else None
    test = read_test(value, "number", f"the number of events {name}", here)
    return Measured(kind, name, test, Where(tuple(sorted(words.items()))), window)


def _scored(value: Mapping[Any, Any], kind: str, place: str, _depth: int) -> Rule:
    here = _below(place, kind)
    name = value[kind]
    if not isinstance(name, str) or not _SCORE.fullmatch(name):
        raise Invalid(f"{_shown(name)} is no name of a score. Known: {', '.join(SCORE_LABELS)}, and the shop's own",
                      place=here)
    _only(value, [kind, *OPERATORS], here)
    return Scored(name, read_test(value, "number", f"the score {name}", here))


def _near(value: Mapping[Any, Any], kind: str, place: str, _depth: int) -> Rule:
    here = _below(place, kind)
    _only(value, [kind], here)
    given = value[kind]
    shown = '{"latitude": 52.5, "longitude": 13.4, "km": 50} or {"store": "any", "km": 25}'
    if not isinstance(given, Mapping) or "km" not in given:
        raise Invalid(f"needs {shown}", place=here)
    wanted = ["store", "km"] if "store" in given else ["latitude", "longitude", "km"]
    _only(given, wanted, here)
    if any(word not in given for word in wanted):
        raise Invalid(f"needs {shown}", place=here)
    km = read_within(given["km"], f"{here}.km", 0, FARTHEST_KM, "kilometres")
    if km == 0:
        raise Invalid("a distance is more than 0 kilometres", place=f"{here}.km")
    if "store" in given:
        return Near(km, store=read_text(given["store"], f"{here}.store"))
    return Near(km, read_within(given["latitude"], f"{here}.latitude", -90, 90, "degrees"),
                read_within(given["longitude"], f"{here}.longitude", -180, 180, "degrees"))


def _consent(value: Mapping[Any, Any], kind: str, place: str, _depth: int) -> Rule:
    here = _below(place, kind)
    channel = _choice(value[kind], CHANNELS, "channel", here)
    allowed = ("is", "is_not", "in", "not_in", "is_set", "is_not_set")
    _only(value, [kind, *allowed], here)
    test = read_test(value, "text", "consent", here)
    for state in test.value if isinstance(test.value, tuple) else (test.value,):
        if isinstance(state, str):
            _choice(state, CONSENT_STATES, "state", f"{here}.{test.operator}")
    return ConsentIs(channel, test)


def _choice(value: object, known: Iterable[str], noun: str, place: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise Invalid(f"unknown {noun} {_shown(value)}{_hint(value, known)}", place=place)
    return value


def _prefers(value: Mapping[Any, Any], kind: str, place: str, _depth: int) -> Rule:
    here = _below(place, kind)
    _only(value, [kind], here)
    return Prefers(tuple(_choice(item, CHANNELS, "channel", here) for item in read_texts(value[kind], here)))


def _segment(value: Mapping[Any, Any], kind: str, place: str, _depth: int) -> Rule:
    here = _below(place, kind)
    _only(value, [kind], here)
    return InSegment(read_text(value[kind], here))


def _sample(value: Mapping[Any, Any], kind: str, place: str, _depth: int) -> Rule:
    here = _below(place, kind)
    _only(value, [kind], here)
    given = value[kind]
    if not isinstance(given, Mapping) or "percent" not in given or "salt" not in given:
        raise Invalid('needs {"percent": 10, "salt": "spring"}', place=here)
    _only(given, ["percent", "salt"], here)
    percent = read_number(given["percent"], f"{here}.percent")
    if not 0 <= percent <= 100:
        raise Invalid(f"a percentage lies between 0 and 100, not {percent}", place=f"{here}.percent")
    return Sampled(percent, read_text(given["salt"], f"{here}.salt"))


Reader = Callable[[Mapping[Any, Any], str, str, int], Rule]
_READERS: dict[str, Reader] = {
    "all": _group, "any": _group, "not": _not, "customer": _customer, "orders": _measured, "contacts": _measured,
    "messages": _measured, "coupons": _measured, "bought": _followed, "consent": _consent,
    "preferred_channel": _prefers, "segment": _segment, "sample": _sample, "events": _happened, "relations": _measured,
    "score": _scored, "near": _near,
}
