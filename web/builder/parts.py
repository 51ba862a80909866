"""What can be chosen under a chip?

Owns the small vocabulary that every kind of condition describes its chips with: a chip is a changeable part of the
sentence and holds parts (a choice, a text, ticks, values from the data). Templates draw parts; forms come back as
`Fields`. The promise: a field that a form did not hold is told apart from one left empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

Options = Sequence[tuple[str, str]]
MOST_PICKED = 200


@dataclass(frozen=True)
class Choice:
    """One of several, as a select; `options` are (value, words)."""

    name: str
    label: str
    options: Options
    chosen: str
    kind: Literal["choice"] = "choice"


@dataclass(frozen=True)
class Text:
    """Something typed; `unit` stands behind the field, `type` is the browser's (text, date)."""

    name: str
    label: str
    value: str
    unit: str = ""
    type: str = "text"
    inputmode: str = ""
    hint: str = ""
    kind: Literal["text"] = "text"


@dataclass(frozen=True)
class Ticks:
    """Some of a few."""

    name: str
    label: str
    options: Options
    chosen: tuple[str, ...]
    kind: Literal["ticks"] = "ticks"


@dataclass(frozen=True)
class Picker:
    """Some of many, offered from the data with counts; `source` and `word` say which values are offered.

    With `event`, the name of one, `word` is a property of that event.
    """

    name: str
    label: str
    source: str
    word: str
    chosen: tuple[str, ...]
    event: str = ""
    kind: Literal["picker"] = "picker"

    @property
    def too_many(self) -> bool:
        """Whether there are more values than a form should carry; they are then left as they are."""
        return len(self.chosen) > MOST_PICKED


Part = Choice | Text | Ticks | Picker


@dataclass(frozen=True)
class Chip:
    """A changeable part of a sentence: its words, what can be changed under it, and what is wrong with it."""

    name: str
    words: str
    parts: tuple[Part, ...]
    problem: str | None = None


Sentence = tuple[str | Chip, ...]
"""Plain words and chips in reading order."""


class Fields:
    """The fields of one line as a form sent them, without the line's prefix."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values

    def holds(self, name: str) -> bool:
        """Whether the form had this field (`name`, or the mark that its ticks were there)."""
        return name in self._values or f"{name}.there" in self._values

    def one(self, name: str, otherwise: str = "") -> str:
        """The field's text without blanks around it."""
        found = self._values.get(name)
        return found[0].strip() if found else otherwise

    def many(self, name: str) -> list[str]:
        """Every chosen value and what was typed to add, once each and in order."""
        typed = [value.strip() for value in self._values.get(f"{name}.add", ())]
        return list(dict.fromkeys(value for value in (*self._values.get(name, ()), *typed) if value))


def shown(value: Any) -> str:
    """A value of a draft as its field shows it; what is no plain value shows nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal):
        return f"{value}"
    return value.isoformat() if isinstance(value, date) else ""


def texts_of(value: Any) -> tuple[str, ...]:
    """A list of texts in a draft, whatever stands there."""
    found = value if isinstance(value, list | tuple) else [value]
    return tuple(item for item in found if isinstance(item, str) and item)


def joined(words: Sequence[str], last: str = "or", most: int = 3) -> str:
    """Words in a row: "a, b or c", longer ones "a, b and 4 more"."""
    if len(words) > most:
        return f"{', '.join(words[:most - 1])} and {len(words) - most + 1} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
