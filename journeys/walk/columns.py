"""How are some people picked out of a chunk that stands in columns, and brought together who stand alike?

Mostly a whole chunk stands at one step; then nothing is copied or counted out person by person.
"""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def picked(column: list[T], places: Sequence[int]) -> list[T]:
    """The values at these places, which rise and are all different; at all of them the column itself, not a copy."""
    return column if len(places) == len(column) else [column[place] for place in places]


def grouped(versions: list[int], steps: list[str], places: list[int]) -> dict[tuple[int, str], list[int]]:
    """(version's id, step) -> the places, of these, of those who stand there."""
    here = list(zip(picked(versions, places), picked(steps, places), strict=True))
    if here.count(here[0]) == len(here):
        return {here[0]: places}
    groups: dict[tuple[int, str], list[int]] = {}
    for place, at in zip(places, here, strict=True):
        groups.setdefault(at, []).append(place)
    return groups
