"""Which numbers of a rule can be changed without writing the rule?

Owns the fields that stand beside a rule's sentence: its days and its thresholds, found by their place and put back
there. Pure: a rule as JSON in, fields out, and the other way round.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import Invalid

_LABELS = {
    "last_days": "in the last days", "last_months": "in the last months", "last_years": "in the last years",
    "within_days": "within days", "at_least": "at least", "at_most": "at most", "more_than": "more than",
    "less_than": "fewer than", "equals": "exactly", "km": "kilometres",
}
_LARGEST = 36_500


@dataclass(frozen=True)
class Number:
    """One number of a rule: where it stands, what it is called, and its value."""

    place: str
    label: str
    value: int


def numbers_of(rule: Mapping[str, Any]) -> list[Number]:
    """The whole numbers of a rule in the order in which it is read; amounts of money are left to the rule itself."""
    return list(_walk(rule, ""))


def with_numbers(rule: Mapping[str, Any], values: Mapping[str, int]) -> dict[str, Any]:
    """The rule with other numbers at these places. Raises Invalid for a place without one or a number out of range."""
    changed: dict[str, Any] = json.loads(json.dumps(rule))
    known = {number.place for number in numbers_of(rule)}
    for place, value in values.items():
        if place not in known:
            raise Invalid("The rule has no number at this place.", place=place)
        if not 0 <= value <= _LARGEST:
            raise Invalid(f"Use a whole number from 0 to {_LARGEST}.", place=place)
        *above, name = place.split(".")
        node: Any = changed
        for part in above:
            node = node[int(part)] if isinstance(node, list) else node[part]
        node[name] = value
    return changed


def _walk(node: Any, place: str) -> Iterator[Number]:
    if isinstance(node, list):
        for position, item in enumerate(node):
            yield from _walk(item, f"{place}{position}.")
        return
    if not isinstance(node, Mapping):
        return
    # Windows first: "in the last 30 days, at least 1".
    for name, value in sorted(node.items(), key=lambda item: item[0] != "window"):
        if name in _LABELS and isinstance(value, int) and not isinstance(value, bool):
            if not _is_money(node):
                yield Number(f"{place}{name}", _LABELS[name], value)
        else:
            yield from _walk(value, f"{place}{name}.")


def _is_money(node: Mapping[str, Any]) -> bool:
    return node.get("orders") in ("revenue", "net_revenue", "margin", "average_value")
