"""How are distances and scores said, chosen and read back?

Owns the lines "live within 25 km of any store" and "whose RFM is at least 444".
"""

from collections.abc import Mapping
from typing import Any

from core.errors import Invalid
from web.builder.comparing import number_words, operator_of, plain_number, read_test, test_parts, value_problem
from web.builder.parts import Chip, Choice, Fields, Part, Sentence, Text, shown
from web.wording.amounts import read_decimal

SCORES = {
    "rfm": "RFM, three digits from 111 to 555", "recency": "recency, 1 to 5", "frequency": "frequency, 1 to 5",
    "monetary": "spending, 1 to 5", "clv_12m": "value expected in 12 months",
    "p_alive": "chance of still being a buyer",
    "churn_risk": "risk of leaving",
}
"""Score -> its words in the list."""
_SHORT = {"rfm": "RFM score", "recency": "recency score", "frequency": "frequency score", "monetary": "spending score",
          "clv_12m": "expected value", "p_alive": "chance of still buying", "churn_risk": "risk of leaving"}


def score(rule: dict[str, Any], names: Mapping[str, str] = SCORES) -> Sentence:
    """"whose RFM score is at least 444"."""
    name, operator = shown(rule.get("score")), operator_of(rule)
    value = rule.get(operator)
    if operator in ("is_set", "is_not_set"):
        said = "known" if operator == "is_set" else "not known"
    else:
        said = number_words(operator, value, _plain)
    options = list(names.items()) if name in names else [*names.items(), (name, name)]
    return ("whose", Chip("score", _SHORT.get(name, name) or "…", (Choice("score", "Which score", options, name),)),
            "is", Chip("test", said, test_parts(rule, "number", known=True), value_problem(rule, "number")))


def _plain(value: Any) -> str:
    """A score as it is written: no thousands, no rounding."""
    return shown(value) or "…"


def read_score(rule: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """The condition as the form has it now."""
    return {"score": fields.one("score", shown(rule.get("score"))), **read_test(rule, "number", fields)}


def near(rule: dict[str, Any], stores: Mapping[str, str]) -> Sentence:
    """"live within 25 km of any store"; `stores` are the known ones, number to name."""
    given = _given(rule)
    km, kind = given.get("km"), _kind(given)
    far = isinstance(km, int | float) and not isinstance(km, bool) and km > 0
    return ("live within",
            Chip("km", f"{plain_number(km)} km", (
                Text("km", "As the crow flies, at most", shown(km), "km", inputmode="decimal"),),
                None if far else "Write a distance in kilometres, for example 25."),
            "of", Chip("place", _place_words(given, kind, stores), _place_parts(given, kind, stores),
                       _place_problem(given, kind, stores)))


def _given(rule: dict[str, Any]) -> dict[str, Any]:
    found = rule.get("near")
    return found if isinstance(found, dict) else {}


def _kind(given: dict[str, Any]) -> str:
    if "latitude" in given or "longitude" in given:
        return "point"
    return "any" if given.get("store", "any") == "any" else "store"


def _place_words(given: dict[str, Any], kind: str, stores: Mapping[str, str]) -> str:
    if kind == "any":
        return "any store"
    if kind == "store":
        number = shown(given.get("store"))
        return f"store {stores.get(number, number) or '…'}"
    return f"{shown(given.get('latitude')) or '…'}, {shown(given.get('longitude')) or '…'}"


def _place_parts(given: dict[str, Any], kind: str, stores: Mapping[str, str]) -> tuple[Part, ...]:
    kinds = (("any", "any of our stores"), ("store", "one store"), ("point", "a point on the map"))
    first = Choice("place", "Of what", kinds, kind)
    if kind == "any":
        return (first,)
    if kind == "store":
        number = shown(given.get("store"))
        options = [(key, name or key) for key, name in stores.items()]
        if number not in stores:
            options.insert(0, (number, number or "choose one"))
        return (first, Choice("store", "Store", options, number))
    return (first, Text("latitude", "Latitude", shown(given.get("latitude")), "° north", inputmode="decimal"),
            Text("longitude", "Longitude", shown(given.get("longitude")), "° east", inputmode="decimal"))


def _place_problem(given: dict[str, Any], kind: str, stores: Mapping[str, str]) -> str | None:
    if kind == "store" and shown(given.get("store")) not in stores:
        number = shown(given.get("store"))
        return f"There is no store “{number[:60]}”. Choose another one." if number else "Choose a store."
    for name, limit in (("latitude", 90), ("longitude", 180)) if kind == "point" else ():
        value = given.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > limit:
            return f"The {name} is a number from −{limit} to {limit}, for example {'52.5' if limit == 90 else '13.4'}."
    return None


def read_near(rule: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """The condition as the form has it now."""
    given = _given(rule)
    kind = fields.one("place", _kind(given))
    km = _number(fields, "km", given.get("km"))
    if kind == "any":
        return {"near": {"store": "any", "km": km}}
    if kind == "store":
        before = shown(given.get("store"))
        return {"near": {"store": fields.one("store", "" if before == "any" else before), "km": km}}
    return {"near": {**{name: _number(fields, name, given.get(name, "")) for name in ("latitude", "longitude")},
                     "km": km}}


def _number(fields: Fields, name: str, before: Any) -> Any:
    if not fields.holds(name):
        return before
    typed = fields.one(name)
    if typed == shown(before):
        return before
    try:
        number = read_decimal(typed)
    except Invalid:
        return typed
    return int(number) if number == number.to_integral_value() else float(number)
