"""How is a comparison chosen, said and read back?

Owns the parts and words of one operator with its value, for every kind of value a rule compares: numbers, cents, texts,
dates, flags. The promise: what was typed and cannot be read stays as it was typed, and the rule language then refuses
it at its place.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from core.errors import Invalid
from segments.language.operators import OPERATORS
from web.builder.parts import Choice, Fields, Part, Picker, Text, joined, shown, texts_of
from web.wording import formatting
from web.wording.amounts import read_cents, read_decimal, written_cents

Kind = Literal["number", "cents", "share", "text", "date", "instant", "flag"]
NO_VALUE = ("is_set", "is_not_set")
MANY = ("in", "not_in")

_NUMBERS = (("at_least", "at least"), ("at_most", "at most"), ("equals", "exactly"), ("more_than", "more than"),
            ("less_than", "less than"), ("between", "between"))
_DATES = (("within_days", "within the last … days"), ("before", "before"), ("after", "on or after"),
          ("is_set", "is known"), ("is_not_set", "is not known"))
CHOICES: dict[Kind, tuple[tuple[str, str], ...]] = {
    "number": _NUMBERS,
    "cents": _NUMBERS,
    "share": _NUMBERS,
    "text": (("in", "is one of"), ("not_in", "is none of"), ("is", "is"), ("is_not", "is not"),
             ("contains", "contains"), ("starts_with", "starts with"), ("is_set", "is known"),
             ("is_not_set", "is not known")),
    "date": _DATES,
    "instant": _DATES,
    "flag": (("is", "is"), ("is_set", "is known"), ("is_not_set", "is not known")),
}
"""Kind -> the operators its chip offers, with their words."""
_NAMES = {operator: words for options in CHOICES.values() for operator, words in options}


def operator_of(rule: dict[str, Any]) -> str:
    """The operator a condition holds; the empty text when it has none yet."""
    return next((key for key in rule if key in OPERATORS), "")


def test_parts(rule: dict[str, Any], kind: Kind, *, known: bool = False, source: str = "", word: str = "",
               unit: str = "") -> tuple[Part, ...]:
    """The parts of an operator with its value. `known` offers "is known" for numbers too."""
    operator = operator_of(rule)
    value = rule.get(operator)
    options = list(CHOICES[kind])
    if known and kind in ("number", "cents", "share"):
        options += [("is_set", "is known"), ("is_not_set", "is not known")]
    if operator and operator not in dict(options):
        options.append((operator, _NAMES.get(operator, operator.replace("_", " "))))
    first = Choice("op", "Compared how", options, operator)
    return (first, *_value_parts(operator, value, kind, source, word, unit))


def _value_parts(operator: str, value: Any, kind: Kind, source: str, word: str, unit: str) -> tuple[Part, ...]:
    if operator in NO_VALUE or not operator:
        return ()
    if operator in MANY:
        return (Picker("value", "Values", source, word, texts_of(value)),)
    if kind == "flag":
        return (Choice("value", "Value", (("yes", "yes"), ("no", "no")), shown(value)),)
    if operator in ("before", "after"):
        return (Text("value", "Day", shown(value)[:10], type="date"),)
    if operator == "within_days":
        return (Text("value", "Days", shown(value), unit="days", inputmode="numeric"),)
    if kind == "text":
        return (Text("value", "Text", shown(value)),)
    mode = "decimal" if kind in ("cents", "share") else "numeric"
    if operator == "between":
        ends = value if isinstance(value, list | tuple) and len(value) == 2 else ("", "")
        low, high = (_number_text(end, kind) for end in ends)
        return (Text("value", "From", low, unit, inputmode=mode), Text("value2", "To", high, unit, inputmode=mode))
    label = {"cents": "Amount", "share": "Percent"}.get(kind, "Number")
    return (Text("value", label, _number_text(value, kind), unit, inputmode=mode),)


def _number_text(value: Any, kind: Kind) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return shown(value)
    if kind == "share":
        return f"{(Decimal(str(value)) * 100).normalize():f}"
    return written_cents(value) if kind == "cents" and isinstance(value, int) else shown(value)


def read_test(rule: dict[str, Any], kind: Kind, fields: Fields) -> dict[str, Any]:
    """The operator and its value as the form has them now, as a piece of the condition's JSON."""
    before = operator_of(rule)
    if not fields.holds("op"):
        return {before: rule[before]} if before else {}
    operator = fields.one("op")
    if operator not in OPERATORS:
        return {before: rule[before]} if before else {}
    if operator in NO_VALUE:
        return {operator: True}
    old = rule.get(operator)
    if operator in MANY:
        if not fields.holds("value") and before in MANY:
            return {operator: rule[before]}
        return {operator: fields.many("value")}
    typed = fields.one("value")
    if operator == "between":
        ends = old if isinstance(old, list | tuple) and len(old) == 2 else (None, None)
        second = fields.one("value2", typed)
        return {operator: [_read(typed, kind, operator, ends[0]), _read(second, kind, operator, ends[1])]}
    return {operator: _read(typed, kind, operator, old)}


def _read(text: str, kind: Kind, operator: str, old: Any) -> Any:
    """The value a text stands for; the text itself when it cannot be read, the old value when nothing was typed."""
    if old is not None and text == _as_shown(old, kind, operator):
        return old
    if kind == "flag":
        return text != "no"
    if kind == "text" or operator in ("before", "after"):
        return text
    try:
        if operator == "within_days" or kind != "cents":
            number = read_decimal(text)
            if kind == "share":
                number /= 100
            return int(number) if number == number.to_integral_value() else float(number)
        return read_cents(text)
    except Invalid:
        return text


def _as_shown(value: Any, kind: Kind, operator: str) -> str:
    if operator in ("before", "after"):
        return shown(value)[:10]
    return (_number_text(value, kind) if operator != "within_days" else shown(value)).strip()


def number_words(operator: str, value: Any, write: Any) -> str:
    """A comparison of numbers in the order people say it: "at most 3", "€1,500 or more" is up to the caller."""
    if operator == "between" and isinstance(value, list | tuple) and len(value) == 2:
        return f"{write(value[0])} to {write(value[1])}"
    words = dict(_NUMBERS).get(operator, operator.replace("_", " "))
    return f"{words} {write(value)}"


def plain_number(value: Any) -> str:
    """A number as it is said; what cannot be read as it was typed."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return shown(value) or "…"
    return formatting.number(value, decimals=0 if isinstance(value, int) else 2)


def plain_money(value: Any, currency: str = "EUR") -> str:
    """An amount as it is said."""
    is_cents = isinstance(value, int) and not isinstance(value, bool)
    return _money(value, currency) if is_cents else shown(value) or "…"


def _money(cents: int, currency: str) -> str:
    try:
        return formatting.money(cents, currency=currency)
    except (ValueError, KeyError, LookupError):  # whatever a draft calls a currency
        return f"{formatting.number(cents / 100, decimals=2)} {currency[:10]}"


def plain_share(value: Any) -> str:
    """A share as it is said: "12.5 %"."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return shown(value) or "…"
    percent = (Decimal(str(value)) * 100).normalize()
    return f"{percent:f} %"


def date_words(operator: str, value: Any, *, today: date) -> str:
    """A comparison of dates: "within the last 90 days", "before 1 Mar"."""
    if operator == "within_days":
        return f"within the last {plain_number(value)} days"
    if operator in NO_VALUE:
        return dict(_DATES)[operator]
    return f"{dict(_DATES).get(operator, operator)} {day_words(value, today=today)}"


def day_words(value: Any, *, today: date) -> str:
    """A day of a draft as it is said; what is no day stays as typed."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(at, datetime):
            at = at.astimezone(UTC).date() if at.tzinfo else at.date()
        return formatting.day(at, today=today) if isinstance(at, date) else "…"
    except (ValueError, OverflowError):
        return shown(value) or "…"


def text_words(operator: str, value: Any, labels: dict[str, str] | None = None) -> str:
    """A comparison of texts: "is one of DE or AT"."""
    if operator in NO_VALUE:
        return "is known" if operator == "is_set" else "is not known"
    names = [(labels or {}).get(text, text) for text in texts_of(value)]
    said: Sequence[str] = names or ["…"]
    if operator in MANY:
        negative = operator == "not_in"
        if len(said) == 1:
            return f"is {'not ' if negative else ''}{said[0]}"
        return f"is {'none of ' if negative else ''}{joined(said, 'or' if not negative else 'and')}"
    if isinstance(value, bool):
        return f"is {'not ' if operator == 'is_not' else ''}{'yes' if value else 'no'}"
    return f"{dict(CHOICES['text']).get(operator, operator)} {said[0]}"


def value_problem(rule: dict[str, Any], kind: Kind) -> str | None:
    """What is plainly wrong with a value, in our words; None leaves the rest to the rule language."""
    operator = operator_of(rule)
    value = rule.get(operator)
    if operator in MANY and not texts_of(value):
        return "Choose at least one value."
    if operator in NO_VALUE or operator in MANY or not operator or kind == "flag":
        return None
    if operator == "between":
        ends = value if isinstance(value, list) and len(value) == 2 else ["", ""]
        wrong = next((end for end in ends if not _is_number(end)), None)
        if wrong is not None:
            return _say_number(wrong)
        return "The lower number is above the upper one. Swap them?" if ends[0] > ends[1] else None
    if operator in ("before", "after"):
        return None if value else "Choose a day."
    if operator == "within_days" or kind in ("number", "cents", "share"):
        return None if _is_number(value) else _say_number(value)
    return None if value else "Write a text."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _say_number(value: Any) -> str:
    typed = shown(value)
    if not typed:
        return "Write a number, for example 3 or 1,500."
    return f"“{typed[:30]}” is no number. Write it as 1500 or 1,500.50."
