"""What does the builder's page draw?

Owns turning a draft into rows ready for the template: joining words, sentences, numbers (fresh, or old and dimmed), and
the groups too deep to be drawn, folded to a sentence.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import WinbackError
from segments.language.rules import parse_rule
from segments.telling.naming import with_names
from segments.telling.words import sentence
from web.builder.draft import MODES, Group, Line, Path, Row, path_text
from web.builder.lines import Around, say
from web.builder.numbers import has_problem
from web.builder.parts import Chip, Choice, Sentence
from web.wording import formatting

DRAWN_LEVELS = 3
_JOINS = {"all": "and", "any": "or", "none": "nor", "not_all": "and"}


@dataclass(frozen=True)
class RowView:
    """One row as it is drawn. `left` is the number beside it, `old` whether it is from before the last change."""

    path: str
    join: str
    kind: str
    sentence: Sentence
    problem: str | None
    swap: bool
    words: str
    left: str
    old: bool
    level: int
    position: str
    mode: Chip | None = None
    rows: "tuple[RowView, ...]" = ()


@dataclass(frozen=True)
class Shown:
    """The numbers a page shows at the moment: of which rule, per row (`lefts`), in all. They come in one by one, so the
    form carries the rows' apart from the others."""

    of: str = ""
    lefts: Mapping[str, int | None] = field(default_factory=dict)
    total: int | None = None
    reachable: int | None = None

    def text(self) -> str:
        """As the form carries it."""
        return json.dumps({"of": self.of, "lefts": self.lefts, "total": self.total, "reachable": self.reachable})


def read_shown(text: str) -> Shown:
    """What a form says is shown; anything odd counts as nothing."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        found = {}
    if not isinstance(found, dict):
        return Shown()
    lefts = found.get("lefts")
    numbers = {str(key): _number(value) for key, value in lefts.items()} if isinstance(lefts, dict) else {}
    return Shown(str(found.get("of", "")), numbers, _number(found.get("total")), _number(found.get("reachable")))


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15 else None


def mark_of(rule_text: str) -> str:
    """A short name of a rule, to tell whether numbers belong to it."""
    return hashlib.sha256(rule_text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def rows_of(draft: Group, around: Around, shown: Shown, *, fresh: bool) -> tuple[RowView, ...]:
    """Every row of a draft as it is drawn; `fresh`: the numbers shown belong to this very rule."""
    return _rows(draft, (), around, shown, fresh)


def mode_chip(group: Group) -> Chip:
    """The chip that says how a group joins its rows."""
    options = [("all", "all of these"), ("any", "any of these"), ("none", "none of these"),
               ("not_all", "not all of these")]
    return Chip("mode", MODES[group.mode], (Choice("mode", "Match", options, group.mode),))


def _rows(group: Group, path: Path, around: Around, shown: Shown, fresh: bool) -> tuple[RowView, ...]:
    return tuple(
        _row(row, (*path, number), len(group.rows), _join(group.mode, number, path), around, shown, fresh)
        for number, row in enumerate(group.rows)
    )


def _join(mode: str, number: int, path: Path) -> str:
    if number:
        return _JOINS[mode]
    return "" if path else "who"


def _row(row: Row, path: Path, siblings: int, join: str, around: Around, shown: Shown, fresh: bool) -> RowView:
    key = path_text(path)
    number = shown.lefts.get(key)
    wrong = has_problem(row, around)
    left = formatting.NONE if wrong else formatting.count(number) if number is not None else ""
    position = f"{path[-1] + 1} of {siblings}"
    level = len(path)
    if isinstance(row, Line):
        said = say(row, around)
        problem = next((part.problem for part in said if isinstance(part, Chip) and part.problem), None)
        swap = bool(problem and "Swap" in problem)
        return RowView(key, join, "line", said, problem, swap, plain(said), left, not fresh, level, position)
    if level >= DRAWN_LEVELS:
        problem = "Something in here is wrong. Mend it below, as JSON." if wrong else None
        return RowView(key, join, "folded", (), problem, False, _folded(row, around), left, not fresh, level, position)
    return RowView(key, join, "group", (), None, False, f"group, match {MODES[row.mode]}", left, not fresh, level,
                   position, mode_chip(row), _rows(row, path, around, shown, fresh))


def plain(said: Sentence) -> str:
    """A sentence without its chips' tools, for labels."""
    return " ".join(part.words if isinstance(part, Chip) else part for part in said)


def _folded(group: Group, around: Around) -> str:
    try:
        return sentence(with_names(parse_rule(group.to_json()), around.segments))
    except WinbackError:
        return "A group that cannot be read yet"


def words_of(draft: Group, around: Around, language: str) -> str | None:
    """The whole rule as a sentence; None while something in it is wrong."""
    if has_problem(draft, around):
        return None
    try:
        return sentence(with_names(parse_rule(draft.to_json()), around.segments), language=language)
    except (WinbackError, KeyError):
        return None
