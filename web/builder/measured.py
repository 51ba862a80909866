"""How are conditions about orders, contacts, messages and coupons said, chosen and read back?

Owns the sentences of everything that counts or sums rows: "bought furniture at least once in the last 365 days". The
words of an operator stand where people say them; zero reads "did not buy".
"""

from datetime import date
from typing import Any

from core.errors import Invalid
from segments.fields import MEASURES, WHERE
from web.amounts import read_cents, written_cents
from web.builder.comparing import (
    Kind,
    date_words,
    number_words,
    operator_of,
    plain_money,
    plain_number,
    read_test,
    test_parts,
    value_problem,
)
from web.builder.parts import Chip, Choice, Fields, Part, Picker, Sentence, Text, joined, shown, texts_of
from web.builder.windows import read_window, window_parts, window_problem, window_words

_MEASURES = {
    "orders": (("count", "how often they ordered"), ("revenue", "how much they spent"),
               ("average_value", "average value of an order"), ("quantity", "number of items"),
               ("distinct_products", "number of different products"), ("open", "orders not yet delivered"),
               ("first_at", "first order"), ("last_at", "last order")),
    "contacts": (("count", "how often"),),
    "messages": (("sent", "were sent"), ("opened", "opened"), ("clicked", "clicked"), ("bounced", "came back")),
    "coupons": (("issued", "were given"), ("redeemed", "redeemed")),
}
WORDS = {
    "category": "Category", "brand": "Brand", "sku": "Article", "shop": "Shop", "coupon": "Coupon code on the order",
    "status": "Status", "via": "Ordered by", "currency": "Currency", "kind": "Kind", "direction": "Direction",
    "channel": "Channel", "campaign": "Campaign", "arm": "Arm", "step": "Step", "offer": "Offer",
}
"""Word of `where` -> its label."""
_GOODS = ("category", "brand", "sku")
_LOW = ("at_least", "more_than")


def _kind(source: str, measure: str) -> Kind:
    known = MEASURES[source].get(measure)
    return known.kind if known else "number"


def sentence(source: str, rule: dict[str, Any], *, today: date) -> Sentence:
    """The condition as words and chips."""
    measure = shown(rule.get(source))
    where = rule.get("where") if isinstance(rule.get("where"), dict) else {}
    assert isinstance(where, dict)
    kind = _kind(source, measure)
    verb, words, rest = _said(source, measure, rule, today)
    test = Chip("test", words, _test_parts(source, measure, rule), _test_problem(source, measure, rule, kind))
    before, when = window_words(rule.get("window"), today=today)
    window = Chip("window", when, window_parts(rule.get("window")), window_problem(rule.get("window")))
    goods = Chip("where", _where_words(source, where), _where_parts(source, where), _where_problem(where))
    said: list[str | Chip] = [verb] if verb else []
    if source == "orders" and measure == "count" and (words == "did not buy" or where):
        said = ["", test, goods] if words == "did not buy" else ["bought", goods, test]
    else:
        said += [test, *([rest] if rest else []), goods]
    return tuple(part for part in (*said, before, window) if part)


def _said(source: str, measure: str, rule: dict[str, Any], today: date) -> tuple[str, str, str]:
    """The verb, the words on the test's chip, and what joins it to what is counted."""
    operator = operator_of(rule)
    value = rule.get(operator)
    none = (operator in ("equals", "at_most") and value == 0) or (operator == "less_than" and value == 1)
    if measure in ("first_at", "last_at"):
        return ("ordered first" if measure == "first_at" else "ordered last",
                date_words(operator, value, today=today), "among")
    if measure in ("revenue", "average_value"):
        return "spent", _money_words(operator, value), "per order on" if measure == "average_value" else "on"
    number = number_words(operator, value, plain_number)
    once = value == 1 and not isinstance(value, bool)
    if source == "orders":
        if measure == "count":
            if none:
                return "", "did not buy", ""
            if rule.get("where"):
                return "", _times(operator, value), ""
            return "placed", f"{number} order{'' if once else 's'}", "of"
        noun = {"quantity": "item", "distinct_products": "different product", "open": "open order"}.get(measure, "")
        return ("have" if measure == "open" else "bought"), f"{number} {noun}{'' if once else 's'}", "of"
    if source == "contacts":
        return "had", "no" if none else number, ""
    verb = dict(_MEASURES[source]).get(measure, "")
    if source == "messages":
        return "", f"{'never ' if none else ''}{verb}{'' if none else ' ' + number}", "messages"
    return "", f"{'never ' if none else ''}{verb}{'' if none else ' ' + number}", "coupons"


def _times(operator: str, value: Any) -> str:
    if operator in _LOW and value == (1 if operator == "at_least" else 0):
        return "at least once"
    times = number_words(operator, value, plain_number)
    return f"{times} time{'' if value == 1 else 's'}"


def _money_words(operator: str, value: Any) -> str:
    if operator == "at_least":
        return f"{plain_money(value)} or more"
    return number_words(operator, value, plain_money)


def _test_parts(source: str, measure: str, rule: dict[str, Any]) -> tuple[Part, ...]:
    kind = _kind(source, measure)
    first: tuple[Part, ...] = ()
    if len(_MEASURES[source]) > 1:
        first = (Choice("measure", "What counts", _MEASURES[source], measure),)
    return (*first, *test_parts(rule, kind, unit="" if kind != "cents" else "in the orders’ currency"))


def _test_problem(source: str, measure: str, rule: dict[str, Any], kind: Kind) -> str | None:
    if measure not in MEASURES[source]:
        return "Choose what counts."
    return value_problem(rule, kind)


def _where_words(source: str, where: dict[str, Any]) -> str:
    said = []
    for word in WHERE[source]:
        values = texts_of(where.get(word))
        if not values:
            continue
        plain = word in _GOODS or word in ("kind", "campaign", "offer")
        said.append(joined(values) if plain else f"{_lower(WORDS[word])} {joined(values)}")
    price = where.get("min_unit_price")
    if price is not None:
        said.append(f"from {plain_money(price)} apiece")
    nothing = {"orders": "anything", "contacts": "contacts of any kind", "messages": "of any campaign",
               "coupons": "of any offer"}
    return ", ".join(said) or nothing[source]


def _lower(label: str) -> str:
    return label[0].lower() + label[1:]


def _where_parts(source: str, where: dict[str, Any]) -> tuple[Part, ...]:
    parts: list[Part] = [
        Picker(f"where.{word}", WORDS[word], source, word, texts_of(where.get(word)))
        for word in WHERE[source] if word != "min_unit_price"
    ]
    if "min_unit_price" in WHERE[source]:
        price = where.get("min_unit_price")
        whole = isinstance(price, int) and not isinstance(price, bool)
        parts.append(Text("where.min_unit_price", "Price of one item at least",
                          written_cents(price) if whole else shown(price), inputmode="decimal"))
    return tuple(parts)


def _where_problem(where: dict[str, Any]) -> str | None:
    price = where.get("min_unit_price")
    if isinstance(price, str):
        return f"“{price[:30]}” is no amount. Write it as 1500 or 1,500.50."
    return None


def read(source: str, rule: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """The condition as the form has it now."""
    measure = fields.one("measure", shown(rule.get(source)))
    if measure not in MEASURES[source]:
        measure = shown(rule.get(source))
    kind, before = _kind(source, measure), _kind(source, shown(rule.get(source)))
    read_now: dict[str, Any] = {source: measure}
    where = _read_where(source, rule.get("where"), fields)
    if where:
        read_now["where"] = where
    window = read_window(rule.get("window"), fields)
    if window is not None:
        read_now["window"] = window
    if kind != before and not _fits(operator_of(rule), kind):
        return {**read_now, **({"within_days": 90} if kind == "instant" else {"at_least": 1})}
    return {**read_now, **read_test(rule, kind, fields)}


def _fits(operator: str, kind: Kind) -> bool:
    dates = ("within_days", "before", "after", "is_set", "is_not_set")
    return (operator in dates) == (kind == "instant")


def _read_where(source: str, where: Any, fields: Fields) -> dict[str, Any]:
    kept = dict(where) if isinstance(where, dict) else {}
    for word in WHERE[source]:
        name = f"where.{word}"
        if not fields.holds(name):
            continue
        value: Any = _price(fields.one(name)) if word == "min_unit_price" else fields.many(name)
        if value in ("", []):
            kept.pop(word, None)
        else:
            kept[word] = value
    return kept


def _price(text: str) -> Any:
    try:
        return read_cents(text) if text else ""
    except Invalid:
        return text
