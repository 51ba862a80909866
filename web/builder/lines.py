"""Which sentence, with which chips, is one line of the rule, and what is wrong with it?

Owns the choice of the words per kind of condition, the conditions that can be added, and the one problem shown under a
line: in our words where we know them, else as the rule language says it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from core.errors import Invalid
from segments.language.rules import parse_rule
from web.builder import measured, person, places, sequences
from web.builder.draft import Line
from web.builder.parts import Chip, Fields, Sentence, shown

NEW: dict[str, tuple[str, dict[str, Any]]] = {
    "bought": ("Bought something", {"orders": "count", "window": {"last_days": 365}, "at_least": 1}),
    "not_bought": ("Did not buy", {"orders": "count", "window": {"last_days": 90}, "equals": 0}),
    "spent": ("Spent an amount", {"orders": "revenue", "at_least": 100_000}),
    "orders": ("Number of orders", {"orders": "count", "at_most": 3}),
    "last_order": ("Last order", {"orders": "last_at", "within_days": 90}),
    "first_order": ("What the first order held", {"orders": "count", "nth": 1, "at_least": 1}),
    "sequence": ("Bought one thing, then another", {"bought": {}, "then": {}, "within_days": 60}),
    "overdue": ("Late against their own rhythm", {"orders": "overdue", "at_least": 1.5}),
    "share": ("Share of their money", {"orders": "revenue_share", "at_least": 0.5}),
    "open": ("Orders not yet delivered", {"orders": "open", "equals": 0}),
    "contact": ("Contacts and complaints", {"contacts": "count", "window": {"last_days": 30}, "at_least": 1}),
    "message": ("Messages from us", {"messages": "sent", "window": {"last_days": 30}, "at_least": 1}),
    "coupon": ("Coupons", {"coupons": "redeemed", "at_least": 1}),
    "event": ("An event, such as a full basket left behind", {"events": "", "window": {"last_days": 2},
                                                              "at_least": 1}),
    "near": ("Near a store or a place", {"near": {"store": "any", "km": 25}}),
    "relation": ("Relations: press, partner, supplier", {"relations": "count", "at_least": 1}),
    "score": ("A score, such as RFM", {"score": "rfm", "at_least": 444}),
    "customer": ("A fact about the person", {"customer": "country", "in": []}),
    "consent": ("Consent", {"consent": "email", "is": "granted"}),
    "prefers": ("Preferred channel", {"preferred_channel": ["letter"]}),
    "segment": ("Another segment", {"segment": ""}),
    "sample": ("A random sample", {"sample": {"percent": 10, "salt": "sample"}}),
}
"""What can be added -> its words and the condition it begins as."""
MENU = (
    ("What they bought", ("bought", "not_bought", "spent", "orders", "last_order", "first_order", "sequence",
                          "overdue", "share", "open")),
    ("What passed between us", ("contact", "message", "coupon", "event")),
    ("Who they are", ("customer", "near", "relation", "score", "consent", "prefers")),
)
"""The conditions of the menu under their headings; segment and sample have buttons of their own."""


def menu() -> list[tuple[str, list[tuple[str, str]]]]:
    """The menu's headings with their conditions: (kind, words)."""
    return [(title, [(kind, NEW[kind][0]) for kind in kinds]) for title, kinds in MENU]


@dataclass(frozen=True)
class Around:
    """What lines need to know besides themselves: saved segments (key to name), own columns (name to type), today.

    Rules may go on naming `archived` segments, new lines are not offered them. `currency` is the orders'. Stores
    (number to name), the properties of an event and scores (name to words) are asked for only by lines about them.
    """

    today: date
    segments: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    own_key: str = ""
    archived: frozenset[str] = frozenset()
    currency: str = "EUR"
    stores: Callable[[], Mapping[str, str]] = dict
    properties: Callable[[str], Sequence[str]] = lambda _event: ()
    scores: Callable[[], Mapping[str, str]] = lambda: places.SCORES


_KINDS = (*measured.SOURCES, "bought", "near", "score", "customer", "consent", "preferred_channel", "segment", "sample")


def source_of(rule: dict[str, Any]) -> str:
    """Which kind of condition this is; the empty text for an unknown one."""
    return next((name for name in _KINDS if name in rule), "")


def say(line: Line, around: Around) -> Sentence:
    """The line as words and chips; a wrong one always has one chip with its problem, if it has chips."""
    sentence = _said(line, around)
    if any(isinstance(part, Chip) and part.problem for part in sentence):
        return sentence
    found = _refused(line.rule)
    chips = [part for part in sentence if isinstance(part, Chip)]
    if found is None or not chips:
        return sentence
    message, place = found
    guilty = next((chip for chip in chips if chip.name in place), chips[0])
    wrong = replace(guilty, problem=message)
    return tuple(wrong if part is guilty else part for part in sentence)


def problem_of(line: Line, around: Around) -> str | None:
    """What is wrong with a line; None when it can be counted."""
    for part in say(line, around):
        if isinstance(part, Chip) and part.problem:
            return part.problem
    found = _refused(line.rule)
    return found[0] if found else None


def _refused(rule: dict[str, Any]) -> tuple[str, str] | None:
    try:
        parse_rule(rule)
    except Invalid as error:
        message = error.message[:1].upper() + error.message[1:]
        return (message if message.endswith((".", "?")) else f"{message}."), error.place or ""
    except (TypeError, ValueError, RecursionError, OverflowError):
        return "This condition cannot be read.", ""
    return None


def _said(line: Line, around: Around) -> Sentence:
    rule, source = line.rule, source_of(line.rule)
    if source == "segment":
        return person.segment(rule, negated=line.negated, segments=around.segments, own_key=around.own_key,
                              archived=around.archived)
    if source == "sample":
        return person.sample(rule, negated=line.negated)
    if source not in _SAY:
        return (f"unknown condition {shown(next(iter(rule), ''))[:60]}",)
    sentence = _SAY[source](rule, around)
    return ("not:", *sentence) if line.negated else sentence


def _properties(rule: dict[str, Any], around: Around) -> Sequence[str]:
    event = rule.get("events")
    return around.properties(event) if isinstance(event, str) and event else ()


def _say_measured(rule: dict[str, Any], around: Around) -> Sentence:
    return measured.sentence(source_of(rule), rule, today=around.today, properties=_properties(rule, around),
                             currency=around.currency)


def _read_measured(rule: dict[str, Any], fields: Fields, around: Around) -> dict[str, Any]:
    return measured.read(source_of(rule), rule, fields, properties=_properties(rule, around))


_SAY: dict[str, Callable[[dict[str, Any], Around], Sentence]] = {
    **dict.fromkeys(measured.SOURCES, _say_measured),
    "bought": lambda rule, around: sequences.sentence(rule, today=around.today),
    "near": lambda rule, around: places.near(rule, around.stores()),
    "score": lambda rule, around: places.score(rule, around.scores()),
    "customer": lambda rule, around: person.customer(rule, today=around.today, attributes=around.attributes),
    "consent": lambda rule, _around: person.consent(rule),
    "preferred_channel": lambda rule, _around: person.prefers(rule),
}
_READ: dict[str, Callable[[dict[str, Any], Fields, Around], dict[str, Any]]] = {
    **dict.fromkeys(measured.SOURCES, _read_measured),
    "bought": lambda rule, fields, _around: sequences.read(rule, fields),
    "near": lambda rule, fields, _around: places.read_near(rule, fields),
    "score": lambda rule, fields, _around: places.read_score(rule, fields),
    "customer": lambda rule, fields, around: person.read_customer(rule, fields, around.attributes),
    "consent": lambda rule, fields, _around: person.read_consent(rule, fields),
    "preferred_channel": lambda rule, fields, _around: person.read_prefers(rule, fields),
    "segment": lambda rule, fields, _around: person.read_segment(rule, fields),
    "sample": lambda rule, fields, _around: person.read_sample(rule, fields),
}


def read_line(line: Line, fields: Fields, around: Around) -> None:
    """Take over what the form holds for this line."""
    read = _READ.get(source_of(line.rule))
    if read is not None:
        line.rule = read(line.rule, fields, around)
