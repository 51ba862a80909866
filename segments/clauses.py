"""How is one condition said, and how its opposite?

Owns the clause of every kind of condition, as what follows "customers who". Operators and measures bring their own
words (segments/operators.py, segments/fields.py); here they meet numbers, dates and the language's other phrases. The
opposite of a number is said as the other side of it: not at least 3 is fewer than 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from segments.conditions import ConsentIs, CustomerIs, InSegment, Measured, Prefers, Rule, Sampled, Test, Where
from segments.fields import ATTRIBUTES, CONTACT_WORDINGS, MEASURES, Wording, field_of
from segments.operators import OPERATORS, straight
from segments.phrases import CONCERNS, Phrases
from segments.windows import Window

GOODS = ("category", "brand", "sku")
"""Words of `where` that name what was bought; the others say how."""
_OTHER_SIDE = {"at_least": "less_than", "less_than": "at_least", "at_most": "more_than", "more_than": "at_most"}


@dataclass(frozen=True)
class Clause:
    """What follows "customers who".

    `negative` says that something is not so. `about` is what was done at least once, or not at all: a clause that
    denies for another window what the one before it said needs to say no more than `short`.
    """

    text: str
    negative: bool = False
    about: object = None
    short: str = ""
    group: bool = False


def clause_of(rule: Rule, phrases: Phrases, *, denied: bool) -> Clause:
    """The clause of a condition or, `denied`, of its opposite."""
    if isinstance(rule, Measured):
        return _measured(rule, phrases, denied)
    if isinstance(rule, CustomerIs):
        return _of_person(rule, phrases, denied)
    if isinstance(rule, ConsentIs):
        return _consent(rule, phrases, denied)
    if isinstance(rule, Prefers):
        channels = phrases.listed([phrases.channel(channel) for channel in rule.channels], "or")
        return Clause(phrases("prefers not" if denied else "prefers", channels), denied)
    if isinstance(rule, InSegment):
        return Clause(phrases("no segment" if denied else "segment", rule.key), denied)
    assert isinstance(rule, Sampled)
    return Clause(phrases("no sample" if denied else "sample", phrases.number(rule.percent), rule.salt), denied)


def _of_person(rule: CustomerIs, phrases: Phrases, denied: bool) -> Clause:
    test, holds = straight(rule.test)
    negative = holds == denied
    field = field_of(rule.field)
    own = field.said[phrases.language] if field.said else None
    if own and test.operator in ("is", "in", "before", "after", "within_days"):
        value = _compared(test, phrases) if test.operator not in ("is", "in") else _texts(test, phrases)
        return Clause(own[negative].format(value), negative)
    label = field.label if rule.field.startswith(ATTRIBUTES) else phrases.label(field.label)
    if test.operator in ("before", "after", "within_days"):
        had = phrases("date", _compared(test, phrases), label)
    elif test.operator == "is_set":
        name = "is_not_set" if negative else "is_set"
        return Clause(phrases("have", OPERATORS[name].words[phrases.language].format(label=label)), negative)
    elif test.operator in ("is", "in", "contains", "starts_with"):
        had = OPERATORS[test.operator].words[phrases.language].format(_texts(test, phrases), label=label)
    else:
        had = OPERATORS["is"].words[phrases.language].format(_compared(test, phrases), label=label)
    return Clause(phrases("have not" if negative else "have", had), negative)


def _texts(test: Test, phrases: Phrases) -> str:
    if isinstance(test.value, bool):
        return phrases("true" if test.value else "false")
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    return phrases.listed([str(value) for value in values], "or")


def _consent(rule: ConsentIs, phrases: Phrases, denied: bool) -> Clause:
    test, holds = straight(rule.test)
    negative = holds == denied
    channel, no = phrases.channel(rule.channel), "no " if negative else ""
    if test.operator == "is_set":
        return Clause(phrases(f"{no}consent known", channel), negative)
    states = test.value if isinstance(test.value, tuple) else (test.value,)
    if not states:
        return Clause(phrases(f"{no}consent empty", channel), not negative)
    if states == ("withdrawn",):
        return Clause(phrases(f"{no}withdrew", channel), negative)
    if negative:
        done = [phrases(f"not {state}") for state in states]
        said = phrases("not" if len(done) == 1 else "neither", phrases("nor").join(done))
    else:
        said = phrases.listed([phrases(str(state)) for state in states], "or")
    return Clause(phrases(f"{no}consent", channel, said), negative)


def _measured(rule: Measured, phrases: Phrases, denied: bool) -> Clause:
    measure = MEASURES[rule.source][rule.measure]
    goods, rest = _goods(rule.where, phrases), _rest(rule, phrases)
    wording = _wording(rule, phrases, bool(goods))
    if goods:
        goods = wording.goods.format(goods)
    when = _window(rule.window, phrases)

    def said(pattern: str, amount: str = "", when: str = when) -> str:
        held = {"{amount}": amount, "{what}": goods, "{where}": rest, "{when}": when}
        return " ".join(piece for piece in (held.get(word, word) for word in pattern.split(" ")) if piece)

    if measure.kind == "instant":
        return _dated(rule, wording, phrases, denied, said)
    test, opposite = _turned(rule.test, denied, whole=wording.none != "")
    about = (rule.source, rule.measure, rule.where)
    if wording.none and _is_none(test, opposite):
        short = phrases("opposite", when) if when else ""
        return Clause(said(wording.none if when or not wording.never else wording.never), True, about, short)
    currency = (rule.where.get("currency") or (None,))[0]
    amount = (_money(test, phrases, currency) if measure.kind == "cents" else _count(test, wording, phrases))
    if opposite:
        amount = phrases("opposite", amount)
    total = phrases("in all") if measure.name == "revenue" and rule.window is None and not goods else when
    once = not opposite and test == Test("at_least", 1)
    return Clause(said(wording.said, amount, total), opposite, about if wording.none and once else None)


Say = Callable[..., str]


def _dated(rule: Measured, wording: Wording, phrases: Phrases, denied: bool, said: Say) -> Clause:
    """The first or last one before, after or within; the window then says which ones are looked at."""
    test, holds = straight(rule.test)
    negative = holds == denied
    if test.operator == "is_set":
        some = Test("less_than" if negative else "at_least", 1)
        return _measured(Measured(rule.source, "count", some, rule.where, rule.window), phrases, False)
    window = _window(rule.window, phrases)
    when = phrases("only", window) if window else ""
    return Clause(said(wording.none if negative else wording.said, _compared(test, phrases), when), negative)


def _wording(rule: Measured, phrases: Phrases, goods: bool) -> Wording:
    measure = MEASURES[rule.source][rule.measure]
    if rule.source == "contacts" and _direction(rule.where):
        return CONTACT_WORDINGS[_direction(rule.where)][phrases.language]
    return (measure.bought if goods and measure.bought else measure.words)[phrases.language]


def _direction(where: Where) -> str:
    """in or out, when the rule says so or its kinds of contact leave no doubt."""
    named = where.get("direction")
    if named is not None:
        return named[0] if len(named) == 1 and named[0] in CONTACT_WORDINGS else ""
    kinds = where.get("kind")
    return "in" if kinds and set(kinds) <= set(CONCERNS["en"]) else ""


def _turned(test: Test, denied: bool, *, whole: bool) -> tuple[Test, bool]:
    """The test to say, and whether "not" has to stand before it. Numbers are never missing, so sides can be changed."""
    if denied and test.operator in _OTHER_SIDE:
        test, denied = Test(_OTHER_SIDE[test.operator], test.value), False
    if whole and test.value == 0 and (test.operator == "equals" if denied else test.operator == "more_than"):
        return Test("at_least", 1), False
    return test, denied


def _is_none(test: Test, opposite: bool) -> bool:
    """Whether only 0 passes; what is counted is whole and never below 0."""
    value: Any = test.value
    if opposite or test.operator == "between":
        return False
    passed = {"equals": value == 0, "at_most": 0 <= value < 1, "less_than": 0 < value <= 1}
    return bool(passed.get(test.operator))


def _money(test: Test, phrases: Phrases, currency: str | None) -> str:
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    amounts = [phrases.money(int(value), currency) for value in values if isinstance(value, int | float)]
    if test.operator == "at_least":
        return phrases("money.at_least", *amounts)
    return OPERATORS[test.operator].words[phrases.language].format(*amounts)


def _count(test: Test, wording: Wording, phrases: Phrases) -> str:
    value: Any = test.value
    if wording.units is None:
        if test.operator == "between":
            low, high = (phrases.number(end) for end in value)
            return phrases("times.between", low, high)
        return OPERATORS[test.operator].words[phrases.language].format(phrases.times(value))
    one, single, several = wording.units
    if one and test.operator == "at_least" and value == 1:
        return one
    noun = single if value == 1 else several
    fewer = test.operator == "less_than"
    return f"{phrases('fewer', phrases.number(value)) if fewer else _compared(test, phrases)} {noun}"


def _compared(test: Test, phrases: Phrases) -> str:
    """The operator's words with its numbers or its date."""
    if test.operator == "within_days" and test.value == 1:
        return phrases("last_days.1")
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    return OPERATORS[test.operator].words[phrases.language].format(*(_value(value, phrases) for value in values))


def _value(value: object, phrases: Phrases) -> str:
    if isinstance(value, int | float):
        return phrases.number(value)
    return phrases.moment(value) if isinstance(value, date) else str(value)


def _goods(where: Where, phrases: Phrases) -> str:
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


def _rest(rule: Measured, phrases: Phrases) -> str:
    parts = []
    for word, values in rule.where.words:
        if word in GOODS or (word == "direction" and _direction(rule.where)):
            continue
        if word == "currency" and len(values) == 1 and MEASURES[rule.source][rule.measure].kind == "cents":
            continue  # the amount says it
        name, items = word, list(values)
        if word == "kind" and set(values) <= set(CONCERNS["en"]):
            name, items = "concern", [CONCERNS[phrases.language][kind] for kind in values]
        elif word in ("channel", "via", "kind"):
            items = [phrases.way(item) for item in values]
        parts.append(phrases(f"where.{name}", phrases.listed(items, "or")))
    return " ".join(parts)


def _window(window: Window | None, phrases: Phrases) -> str:
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
