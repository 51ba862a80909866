"""Which sentence, with which chips, is one line of the rule, and what is wrong with it?

Owns the choice of the words per kind of condition, the conditions that can be added, and the one problem shown under a
line: in our words where we know them, else as the rule language says it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from core.errors import Invalid
from segments.fields import MEASURES
from segments.rules import parse_rule
from web.builder import measured, person
from web.builder.draft import Line
from web.builder.parts import Chip, Fields, Sentence, shown

NEW: dict[str, tuple[str, dict[str, Any]]] = {
    "bought": ("Bought something", {"orders": "count", "window": {"last_days": 365}, "at_least": 1}),
    "not_bought": ("Did not buy", {"orders": "count", "window": {"last_days": 90}, "equals": 0}),
    "spent": ("Spent an amount", {"orders": "revenue", "at_least": 100_000}),
    "orders": ("Number of orders", {"orders": "count", "at_most": 3}),
    "last_order": ("Last order", {"orders": "last_at", "within_days": 90}),
    "open": ("Orders not yet delivered", {"orders": "open", "equals": 0}),
    "contact": ("Contacts and complaints", {"contacts": "count", "window": {"last_days": 30}, "at_least": 1}),
    "message": ("Messages from us", {"messages": "sent", "window": {"last_days": 30}, "at_least": 1}),
    "coupon": ("Coupons", {"coupons": "redeemed", "at_least": 1}),
    "customer": ("A fact about the person", {"customer": "country", "in": []}),
    "consent": ("Consent", {"consent": "email", "is": "granted"}),
    "prefers": ("Preferred channel", {"preferred_channel": ["letter"]}),
    "segment": ("Another segment", {"segment": ""}),
    "sample": ("A random sample", {"sample": {"percent": 10, "salt": "sample"}}),
}
"""What can be added -> its words and the condition it begins as."""


@dataclass(frozen=True)
class Around:
    """What lines need to know besides themselves: saved segments (key to name), own columns (name to type), today."""

    today: date
    segments: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    own_key: str = ""


def source_of(rule: dict[str, Any]) -> str:
    """Which kind of condition this is; the empty text for an unknown one."""
    known = (*MEASURES, "customer", "consent", "preferred_channel", "segment", "sample")
    return next((name for name in known if name in rule), "")


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
    if source in MEASURES:
        sentence = measured.sentence(source, rule, today=around.today)
    elif source == "customer":
        sentence = person.customer(rule, today=around.today, attributes=around.attributes)
    elif source == "consent":
        sentence = person.consent(rule)
    elif source == "preferred_channel":
        sentence = person.prefers(rule)
    elif source == "segment":
        return person.segment(rule, negated=line.negated, segments=around.segments, own_key=around.own_key)
    elif source == "sample":
        return person.sample(rule, negated=line.negated)
    else:
        return (f"unknown condition {shown(next(iter(rule), ''))[:60]}",)
    return ("not:", *sentence) if line.negated else sentence


def read_line(line: Line, fields: Fields, around: Around) -> None:
    """Take over what the form holds for this line."""
    rule, source = line.rule, source_of(line.rule)
    if source in MEASURES:
        line.rule = measured.read(source, rule, fields)
    elif source == "customer":
        line.rule = person.read_customer(rule, fields, around.attributes)
    elif source == "consent":
        line.rule = person.read_consent(rule, fields)
    elif source == "preferred_channel":
        line.rule = person.read_prefers(rule, fields)
    elif source == "segment":
        line.rule = person.read_segment(rule, fields)
    elif source == "sample":
        line.rule = person.read_sample(rule, fields)
