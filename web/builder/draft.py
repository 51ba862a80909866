"""Which lines and groups does the rule under edit have, and how do commands change them?

Owns the draft: the rule language as a tree of groups and lines that may be incomplete, its paths ("2.0": the first
line of the third row) and the commands of the builder. Pure. The promise: a draft written as JSON and read again is
the same.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from core.errors import Invalid
from segments.language.rules import MAX_DEPTH

MODES = {
    "all": "all",
    "any": "any",
    "none": "none",
    "not_all": "not all",
}
"""How a group joins its rows -> the word on its chip."""
_OPPOSITE = {"all": "not_all", "not_all": "all", "any": "none", "none": "any"}
MOST_ROWS = 500

Path = tuple[int, ...]


@dataclass
class Line:
    """One condition as JSON, perhaps not valid yet; `negated`: it must not hold."""

    rule: dict[str, Any]
    negated: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"not": self.rule} if self.negated else self.rule


@dataclass
class Group:
    """Rows joined by a mode."""

    mode: str = "all"
    rows: "list[Line | Group]" = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        rows = [row.to_json() for row in self.rows]
        joined = {"all" if self.mode in ("all", "not_all") else "any": rows}
        return {"not": joined} if self.mode in ("none", "not_all") else joined


Row = Line | Group


def draft_of(rule: Any) -> Group:
    """The tree of a rule given as JSON; a single condition becomes a group of one. Raises Invalid when too deep."""
    row = _row(rule, 1)
    return row if isinstance(row, Group) else Group("all", [row])


def read_draft(text: str) -> Group:
    """The tree of a rule given as JSON text. Raises Invalid, naming the line where it stops being JSON."""
    return draft_of(read_json(text))


def read_json(text: str) -> Any:
    """Decode JSON that a person wrote. Raises Invalid with line and column."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise Invalid(f"This is not JSON: {error.msg.lower()} in line {error.lineno}, column {error.colno}.",
                      place=f"line {error.lineno}") from error
    except RecursionError as error:
        raise Invalid(f"This page shows rules nested {MAX_DEPTH} levels deep at most.", place="rule") from error
    except ValueError as error:
        raise Invalid(f"This is not JSON: {str(error)[:120]}.", place="rule") from error


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _row(rule: Any, depth: int) -> Row:
    if depth > MAX_DEPTH + 2:
        raise Invalid(f"This page shows rules nested {MAX_DEPTH} levels deep at most.", place="rule")
    if not isinstance(rule, dict):
        return Line({"unknown": rule})
    if set(rule) == {"not"}:
        inner = _row(rule["not"], depth + 1)
        if isinstance(inner, Line):
            return Line(inner.rule, not inner.negated)
        return Group(_OPPOSITE[inner.mode], inner.rows)
    for mode in ("all", "any"):
        if set(rule) == {mode} and isinstance(rule[mode], list):
            return Group(mode, [_row(child, depth + 1) for child in rule[mode]])
    return Line(dict(rule))


def path_text(path: Path) -> str:
    """A path as forms carry it: "2.0"; the whole rule is the empty text."""
    return ".".join(map(str, path))


def read_path(text: str) -> Path:
    """A path from its text. Raises Invalid."""
    try:
        path = tuple(int(part) for part in text.split(".")) if text else ()
    except ValueError:
        path = (-1,)
    if any(part < 0 for part in path) or len(path) > MAX_DEPTH + 2:
        raise Invalid("This line is not there any more. Nothing was changed.")
    return path


def at(draft: Group, path: Path) -> Row:
    """The row at a path. Raises Invalid when there is none."""
    row: Row = draft
    for number in path:
        if not isinstance(row, Group) or number >= len(row.rows):
            raise Invalid("This line is not there any more. Nothing was changed.")
        row = row.rows[number]
    return row


def group_at(draft: Group, path: Path) -> Group:
    """The group at a path. Raises Invalid when a line stands there, or nothing."""
    row = at(draft, path)
    if not isinstance(row, Group):
        raise Invalid("This group is not there any more. Nothing was changed.")
    return row


def size(row: Row) -> int:
    """Lines in a row and below it."""
    return sum(map(size, row.rows)) if isinstance(row, Group) else 1


def add(draft: Group, path: Path, row: Row) -> Path:
    """Put a row at the end of a group; returns its path."""
    group = group_at(draft, path)
    if size(draft) + size(row) > MOST_ROWS:
        raise Invalid(f"A rule may hold {MOST_ROWS} conditions at most.")
    if len(path) >= MAX_DEPTH - 1:
        raise Invalid(f"This page shows rules nested {MAX_DEPTH} levels deep at most.")
    group.rows.append(row)
    return (*path, len(group.rows) - 1)


def delete(draft: Group, path: Path) -> None:
    """Take a row out."""
    parent, number = _place(draft, path)
    del parent.rows[number]


def duplicate(draft: Group, path: Path) -> Path:
    """Put a copy of a row below it; returns the copy's path."""
    parent, number = _place(draft, path)
    if size(draft) + size(parent.rows[number]) > MOST_ROWS:
        raise Invalid(f"A rule may hold {MOST_ROWS} conditions at most.")
    parent.rows.insert(number + 1, _row(json.loads(json.dumps(parent.rows[number].to_json())), len(path)))
    return (*path[:-1], number + 1)


def move(draft: Group, path: Path, by: int) -> Path:
    """Move a row up (-1) or down (1) within its group; at an end it stays. Returns where it is now."""
    parent, number = _place(draft, path)
    target = min(max(number + by, 0), len(parent.rows) - 1)
    parent.rows.insert(target, parent.rows.pop(number))
    return (*path[:-1], target)


def negate(draft: Group, path: Path) -> None:
    """Turn a row into its opposite."""
    row = at(draft, path)
    if isinstance(row, Group):
        row.mode = _OPPOSITE[row.mode]
    else:
        row.negated = not row.negated


def wrap(draft: Group, path: Path) -> None:
    """Put a row into a group of its own, so that alternatives can be added to it."""
    parent, number = _place(draft, path)
    if len(path) >= MAX_DEPTH - 2:
        raise Invalid(f"This page shows rules nested {MAX_DEPTH} levels deep at most.")
    parent.rows[number] = Group("any", [parent.rows[number]])


def unwrap(draft: Group, path: Path) -> None:
    """Put the rows of a group in its place."""
    parent, number = _place(draft, path)
    group = group_at(draft, path)
    parent.rows[number:number + 1] = group.rows


def _place(draft: Group, path: Path) -> tuple[Group, int]:
    if not path:
        raise Invalid("The whole rule cannot be moved or deleted. Delete its lines.")
    at(draft, path)
    return group_at(draft, path[:-1]), path[-1]
