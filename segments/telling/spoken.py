"""How are the pieces of a clause said: a comparison, the goods, what else must hold, the window?

Owns the pieces that clauses are put together from (segments/telling/clauses.py, segments/telling/measure_clauses.py);
each is empty when the rule has nothing to say there.
"""

from datetime import date
from fractions import Fraction

from segments.language.conditions import Test, Where
from segments.language.operators import OPERATORS
from segments.language.windows import Window
from segments.language.wordings import Wording
from segments.telling.phrases import CONCERNS, Phrases

GOODS = ("category", "brand", "sku")
"""Words of `where` that name what was bought; the others say how."""


def compared(test: Test, phrases: Phrases) -> str:
    """The operator's words with its numbers or its date."""
    if test.operator == "within_days" and test.value == 1:
        return phrases("last_days.1")
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    return OPERATORS[test.operator].words[phrases.language].format(*(_value(value, phrases) for value in values))


def _value(value: object, phrases: Phrases) -> str:
    if isinstance(value, int | float):
        return phrases.number(value)
    return phrases.moment(value) if isinstance(value, date) else str(value)


def texts(test: Test, phrases: Phrases) -> str:
    """The words that a test allows, joined by or."""
    if isinstance(test.value, bool):
        return phrases("true" if test.value else "false")
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    return phrases.listed([str(value) for value in values], "or")


def money(test: Test, phrases: Phrases, currency: str | None) -> str:
    """€1,500 or more."""
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    amounts = [phrases.money(int(value), currency) for value in values if isinstance(value, int | float)]
    if test.operator == "at_least":
        return phrases("money.at_least", *amounts)
    return OPERATORS[test.operator].words[phrases.language].format(*amounts)


def percent(test: Test, phrases: Phrases) -> str:
    """At least 30 %."""
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    hundredfold = [Fraction(str(value)) * 100 for value in values]
    said = [phrases.number(int(value) if value.denominator == 1 else float(value)) for value in hundredfold]
    return f"{OPERATORS[test.operator].words[phrases.language].format(*said)} %"


def count(test: Test, wording: Wording, phrases: Phrases) -> str:
    """At least 3 orders; at least twice."""
    value = test.value
    if wording.units is None:
        if isinstance(value, tuple):
            low, high = (_value(end, phrases) for end in value)
            return phrases("times.between", low, high)
        assert isinstance(value, int | float)
        return OPERATORS[test.operator].words[phrases.language].format(phrases.times(value))
    one, single, several = wording.units
    if one and test.operator == "at_least" and value == 1:
        return one
    noun = single if value == 1 else several
    fewer = test.operator == "less_than"
    return f"{phrases('fewer', _value(value, phrases)) if fewer else compared(test, phrases)} {noun}"


def goods_of(where: Where, phrases: Phrases) -> str:
    """furniture or lamps of brand Oak at €9.99 or more a piece; empty when the rule names no goods."""
    parts = [phrases(f"where.{word}", phrases.listed(list(where.get(word) or ()), "or"))
             for word in GOODS[1:] if where.get(word) is not None]
    if where.min_unit_price_cents is not None:
        currency = (where.get("currency") or (None,))[0]
        parts.append(phrases("where.price", phrases.money(where.min_unit_price_cents, currency)))
    categories = where.get("category")
    if categories is None and not parts:
        return ""
    return " ".join([phrases("something") if categories is None else phrases.listed(list(categories), "or"), *parts])


def rest_of(where: Where, phrases: Phrases, *, unsaid: frozenset[str] = frozenset()) -> str:
    """In shop web by way of phone: everything but the goods and the words that are `unsaid`."""
    parts = []
    for word, values in where.words:
        if word in GOODS or word in unsaid:
            continue
        name, items = word, list(values)
        if word == "kind" and set(values) <= set(CONCERNS["en"]):
            name, items = "concern", [CONCERNS[phrases.language][kind] for kind in values]
        elif word in ("channel", "via", "kind"):
            items = [phrases.way(item) for item in values]
        parts.append(phrases(f"where.{name}", phrases.listed(items, "or")))
    return " ".join(parts)


def window_of(window: Window | None, phrases: Phrases) -> str:
    """In the last 90 days."""
    if window is None:
        return ""
    if window.kind == "between_days_ago":
        return phrases("between_days_ago", *map(phrases.number, window.days_ago))
    if window.kind != "dates":
        name = f"{window.kind}.whole" if window.whole else window.kind
        return phrases(f"{name}.1" if window.count == 1 else name, phrases.number(window.count))
    bounds = [phrases.moment(at) for at in (window.from_at, window.until_at) if at is not None]
    both = len(bounds) == 2
    return phrases("from_until" if both else "from" if window.from_at else "until", *bounds)


def joined(pattern: str, held: dict[str, str]) -> str:
    """The pattern with the names in braces replaced, and without those that have nothing to say."""
    return " ".join(piece for piece in (held.get(word, word) for word in pattern.split(" ")) if piece)
