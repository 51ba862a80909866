"""How is "bought this, then that" said, chosen and read back?

Owns the lines of sequences: a purchase, and another one that followed within some days, or did not.
"""

from datetime import date
from typing import Any

from core.errors import Invalid
from web.builder.comparing import plain_number
from web.builder.parts import Chip, Choice, Fields, Sentence, Text, shown
from web.builder.wherein import read_where, where_chip, where_of
from web.builder.windows import read_window, window_parts, window_problem, window_words
from web.wording.amounts import read_whole

_WAYS = (("then", "then bought"), ("then_not", "did not buy"))


def _way(rule: dict[str, Any]) -> str:
    return "then_not" if "then_not" in rule else "then"


def sentence(rule: dict[str, Any], *, today: date) -> Sentence:
    """"bought furniture in the last 365 days and then bought lighting within 60 days"."""
    way, days = _way(rule), rule.get("within_days")
    before, when = window_words(rule.get("window"), today=today)
    whole = isinstance(days, int) and not isinstance(days, bool)
    problem = None if whole else f"“{shown(days)[:30]}” is no whole number. Write for example 60."
    return (
        "bought", where_chip("orders", where_of(rule, "bought"), name="bought"), before,
        Chip("window", when, window_parts(rule.get("window")), window_problem(rule.get("window"))), "and",
        Chip("way", dict(_WAYS)[way], (Choice("way", "What followed", _WAYS, way),)),
        where_chip("orders", where_of(rule, way), name="then"), "within",
        Chip("within_days", f"{plain_number(days)} day{'' if days == 1 else 's'}", (
            Text("days", "Days between the two", shown(days), "days", inputmode="numeric"),), problem),
        "after it",
    )


def read(rule: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """The condition as the form has it now."""
    old = _way(rule)
    way = fields.one("way", old)
    days: Any = rule.get("within_days")
    if fields.holds("days"):
        typed = fields.one("days")
        try:
            days = read_whole(typed)
        except Invalid:
            days = typed
    read_now = {"bought": read_where("orders", where_of(rule, "bought"), fields, name="bought"),
                way if way in dict(_WAYS) else old: read_where("orders", where_of(rule, old), fields, name="then"),
                "within_days": days}
    window = read_window(rule.get("window"), fields)
    return read_now if window is None else {**read_now, "window": window}
