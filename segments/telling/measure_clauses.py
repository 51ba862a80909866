"""How is a condition said that counts, sums or dates what somebody did, and how its opposite?

Owns the clauses of measures over orders, contacts, messages, coupons, events and relations, and of sequences. Measures
bring their own words (segments/language/order_measures.py, segments/language/fields.py). A number that is always there
is denied by its other side: not at least 3 is fewer than 3. An answer that can be missing is denied as a whole.
"""

from typing import Any

from segments.language.conditions import Followed, Measured, Test, Where
from segments.language.fields import CONTACT_WORDINGS, MEASURES
from segments.language.operators import straight
from segments.language.wordings import Clause, Wording
from segments.telling.phrases import CONCERNS, Phrases
from segments.telling.spoken import compared, count, goods_of, joined, money, percent, rest_of, window_of

_OTHER_SIDE = {"at_least": "less_than", "less_than": "at_least", "at_most": "more_than", "more_than": "at_most"}
_POINTS = frozenset({"first_at", "last_at", "days_since_first", "days_since_last", "days_since_delivery",
                     "overdue"})
"""Measures seen from today, whose window says which orders are looked at, not when something was done."""


def measured_clause(rule: Measured, phrases: Phrases, denied: bool) -> Clause:
    """The clause of a measure, or of its opposite."""
    measure = MEASURES[rule.source][rule.measure]
    test, holds = straight(rule.test)
    if test.operator == "is_set" and not measure.missing:
        negative = holds == denied
        return Clause(phrases("nobody at all" if negative else "anybody"), negative)
    if measure.missing:
        return _perhaps(rule, test, holds == denied, phrases)
    if rule.nth is not None and rule.measure == "count":
        placed = _placed(rule, phrases, denied)
        if placed is not None:
            return placed
    wording = _wording(rule, phrases)
    when = window_of(rule.window, phrases)
    test, opposite = _turned(rule.test, denied, whole=wording.none != "")
    about = (rule.source, rule.measure, rule.where, rule.nth)
    if wording.none and _is_none(test, opposite):
        short = phrases("opposite", when) if when else ""
        never = wording.never and not when and rule.nth is None
        return Clause(_said(rule, wording, wording.never if never else wording.none, "", phrases), True, about, short)
    amount = _amount(rule, test, wording, phrases)
    if opposite:
        amount = phrases("opposite", amount)
    ever = rule.window is None and rule.nth is None and not _goods(rule, phrases)
    total = phrases("in all") if ever and measure.name in ("revenue", "net_revenue") else None
    once = not opposite and test == Test("at_least", 1)
    return Clause(_said(rule, wording, wording.said, amount, phrases, total), opposite,
                  about if wording.none and once else None)


def _said(
    rule: Measured, wording: Wording, pattern: str, amount: str, phrases: Phrases, when: str | None = None
) -> str:
    goods = _goods(rule, phrases)
    rest = [_rest(rule, phrases)]
    if rule.nth is not None:
        rest.append(phrases.place(rule.nth, beside=True))
    return joined(pattern, {
        "{amount}": amount, "{what}": goods and wording.goods.format(goods), "{where}": " ".join(filter(None, rest)),
        "{when}": window_of(rule.window, phrases) if when is None else when, "{event}": rule.measure})


def _goods(rule: Measured, phrases: Phrases) -> str:
    """What was bought; a property of an event that happens to be called category names no goods."""
    return goods_of(rule.where, phrases) if rule.source == "orders" else ""


def _amount(rule: Measured, test: Test, wording: Wording, phrases: Phrases) -> str:
    kind = MEASURES[rule.source][rule.measure].kind
    if kind == "cents":
        return money(test, phrases, (rule.where.get("currency") or (None,))[0])
    if kind == "share" or wording.percent:
        return percent(test, phrases)
    return compared(test, phrases) if kind == "instant" else count(test, wording, phrases)


def _perhaps(rule: Measured, test: Test, negative: bool, phrases: Phrases) -> Clause:
    """An answer that can be missing."""
    wording = _wording(rule, phrases)
    when = window_of(rule.window, phrases)
    if rule.measure in _POINTS and when:
        when = phrases("only", when)
    if test.operator != "is_set":
        amount = _amount(rule, test, wording, phrases)
        pattern = wording.none if negative else wording.said
        return Clause(_said(rule, wording, pattern, amount, phrases, when), negative)
    if wording.known:
        pattern = wording.unknown if negative else wording.known
        return Clause(_said(rule, wording, pattern, "", phrases, when), negative)
    some = Test("less_than" if negative else "at_least", 1)
    return measured_clause(Measured(rule.source, "count", some, rule.where, rule.window, rule.nth), phrases, False)


def _placed(rule: Measured, phrases: Phrases, denied: bool) -> Clause | None:
    """Whether there is such an order in that place; None when more is asked than that."""
    test, opposite = _turned(rule.test, denied, whole=True)
    assert rule.nth is not None
    if opposite or (test != Test("at_least", 1) and not _is_none(test, opposite)):
        return None
    negative = test != Test("at_least", 1)
    wording = _wording(rule, phrases)
    if goods_of(rule.where, phrases):
        return Clause(_said(rule, wording, wording.none if negative else wording.said, "", phrases), negative)
    return Clause(joined(phrases.words["no placed" if negative else "placed"], {
        "{order}": phrases.place(rule.nth), "{where}": _rest(rule, phrases),
        "{when}": window_of(rule.window, phrases)}), negative)


def _rest(rule: Measured, phrases: Phrases) -> str:
    if rule.source == "events":
        return " ".join(phrases("where.property", word, phrases.listed(list(values), "or"))
                        for word, values in rule.where.words)
    if rule.source == "relations":
        return " ".join(phrases("where.relation" if word == "kind" else f"where.{word}",
                                phrases.listed(list(values), "or")) for word, values in rule.where.words)
    unsaid = {"direction"} if _direction(rule.where) else set()
    if len(rule.where.get("currency") or ()) == 1 and MEASURES[rule.source][rule.measure].kind == "cents":
        unsaid.add("currency")  # the amount says it
    return rest_of(rule.where, phrases, unsaid=frozenset(unsaid))


def _wording(rule: Measured, phrases: Phrases) -> Wording:
    measure = MEASURES[rule.source][rule.measure]
    if rule.source == "contacts" and _direction(rule.where):
        return CONTACT_WORDINGS[_direction(rule.where)][phrases.language]
    goods = _goods(rule, phrases) != ""
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


def followed_clause(rule: Followed, phrases: Phrases, denied: bool) -> Clause:
    """The clause of a sequence, or of its opposite."""
    first = [_purchase(rule.bought, "purchase", phrases), window_of(rule.window, phrases)]
    second = "no other" if rule.never else "other"
    after = _purchase(rule.then, second, phrases) if rule.then != Where() else phrases(f"{second}.any")
    name = ("no " if denied else "") + ("left" if rule.never else "followed")
    days = "" if rule.within_days != 1 else ".1"
    within = phrases(f"{'for' if rule.never else 'within'}_days{days}", phrases.number(rule.within_days))
    return Clause(phrases(name, " ".join(filter(None, first)), after, within), denied)


def _purchase(where: Where, name: str, phrases: Phrases) -> str:
    goods = goods_of(where, phrases)
    return " ".join(filter(None, [phrases(name), goods and phrases("purchase.of", goods), rest_of(where, phrases)]))
