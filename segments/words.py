"""How does a rule read aloud, and what speaks for a person being in it?

Owns the sentence of every rule, in the marketer's words, and the short evidence shown beside a person. Languages are
tables of phrases; a new one is a new table.
"""

from datetime import date

from segments.conditions import (
    All,
    Any_,
    ConsentIs,
    CustomerIs,
    InSegment,
    Measured,
    Not,
    Prefers,
    Rule,
    Sampled,
    Test,
    Where,
)
from segments.evidence import why_in
from segments.fields import MEASURES, field_of
from segments.operators import OPERATORS
from segments.phrases import PHRASES, Phrases
from segments.windows import Window

__all__ = ["sentence", "why_in"]

def sentence(rule: Rule, *, language: str = "en") -> str:
    """The rule as one sentence. Raises KeyError for a language we do not speak."""
    phrases = PHRASES[language]
    if rule == All(()):
        return f"{phrases('everybody.')}."
    if rule == Any_(()):
        return f"{phrases('nobody.')}."
    return f"{phrases('start', _said(rule, phrases))}."


def _said(rule: Rule, phrases: Phrases) -> str:
    if isinstance(rule, All | Any_):
        if not rule.rules:
            return phrases("everybody" if isinstance(rule, All) else "nobody")
        joint = phrases("and" if isinstance(rule, All) else "or")
        parts = [f"({_said(child, phrases)})" if isinstance(child, All | Any_) and len(child.rules) > 1
                 else _said(child, phrases) for child in rule.rules]
        return f" {joint} ".join(parts)
    if isinstance(rule, Not):
        return phrases("not", _said(rule.rule, phrases))
    if isinstance(rule, CustomerIs):
        field = field_of(rule.field)
        return phrases("field", phrases.label(field.label), _tested(rule.test, phrases))
    if isinstance(rule, ConsentIs):
        return phrases("consent", phrases.channel(rule.channel), _tested(rule.test, phrases))
    if isinstance(rule, Prefers):
        return phrases("prefers", phrases.listed([phrases.channel(channel) for channel in rule.channels], "or"))
    if isinstance(rule, InSegment):
        return phrases("segment", rule.key)
    if isinstance(rule, Sampled):
        return phrases("sample", phrases.number(rule.percent), rule.salt)
    assert isinstance(rule, Measured)
    return _measured(rule, phrases)


def _measured(rule: Measured, phrases: Phrases) -> str:
    measure = MEASURES[rule.source][rule.measure]
    label = "number of orders" if (rule.source, rule.measure) == ("orders", "count") else measure.label
    currency = (rule.where.get("currency") or (None,))[0]
    parts = [phrases.label(label), _where(rule.where, phrases), _window(rule.window, phrases),
             _tested(rule.test, phrases, money=measure.kind == "cents", currency=currency)]
    return " ".join(part for part in parts if part)


def _where(where: Where, phrases: Phrases) -> str:
    parts = [phrases("in" if word == "category" else f"where.{word}", phrases.listed(list(values), "or"))
             for word, values in where.words]
    if where.min_unit_price_cents is not None:
        currency = (where.get("currency") or (None,))[0]
        parts.append(phrases("priced", phrases.money(where.min_unit_price_cents, currency)))
    return " ".join(parts)


def _window(window: Window | None, phrases: Phrases) -> str:
    if window is None:
        return ""
    if window.kind == "between_days_ago":
        return phrases("between_days_ago", *map(phrases.number, window.days_ago))
    if window.kind != "dates":
        return phrases(f"{window.kind}.whole" if window.whole else window.kind, phrases.number(window.count))
    bounds = [phrases.moment(at) for at in (window.from_at, window.until_at) if at is not None]
    both = len(bounds) == 2
    return phrases("from_until" if both else "from" if window.from_at else "until", *bounds)


def _tested(test: Test, phrases: Phrases, *, money: bool = False, currency: str | None = None) -> str:
    words = OPERATORS[test.operator].words[phrases.language]
    value = test.value
    if test.operator in ("is_set", "is_not_set"):
        return words
    if test.operator == "between" and isinstance(value, tuple):
        return words.format(*(_value(end, phrases, money, currency) for end in value))
    if isinstance(value, tuple):
        return words.format(phrases.listed([str(item) for item in value], "or"))
    return words.format(_value(value, phrases, money, currency))


def _value(value: object, phrases: Phrases, money: bool, currency: str | None) -> str:
    if isinstance(value, bool):
        return phrases("true" if value else "false")
    if isinstance(value, int | float):
        return phrases.money(int(value), currency) if money else phrases.number(value)
    return phrases.moment(value) if isinstance(value, date) else str(value)
