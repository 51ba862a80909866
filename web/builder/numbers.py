"""How many people does each line leave, and who are they?

Owns the numbers beside a draft's lines and the ten people with why they are in. The promise: lines are counted as far
as a few seconds go; a wrong line has a dash, never an old number.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from core.errors import WinbackError
from customers.people import customers_with_city, display_name
from delivery.preference import choose_channels
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.telling.words import why_in
from web.builder.draft import Group, Line, Path, Row, path_text
from web.builder.lines import Around, problem_of
from web.builder.reaching import CHANNEL_NAMES

SECONDS_FOR_LINES = 3.0
MOST_LINES = 60
DRAWN_AT_ONCE = 10


def has_problem(row: Row, around: Around) -> bool:
    """Whether anything in this row cannot be counted."""
    if isinstance(row, Group):
        return any(has_problem(child, around) for child in row.rows)
    return problem_of(row, around) is not None


def lefts(draft: Group, questions: Questions, around: Around, *, now: datetime) -> dict[str, int | None]:
    """People left after each row, by its path: after all before it for "all", by itself within "any"."""
    counted: dict[str, int | None] = {}
    started = time.perf_counter()
    for path, rule in asked_for(draft, (), []):
        key = path_text(path)
        if rule is None or len(counted) >= MOST_LINES or time.perf_counter() - started > SECONDS_FOR_LINES:
            counted[key] = None
            continue
        if any(has_problem(row, around) for row in rule.rows):
            counted[key] = None
            continue
        try:
            # as the total: from the newest generation, without waiting for a refresh
            counted[key] = questions.count(parse_rule(rule.to_json()), as_of=now, fresh=False).value
        except WinbackError:
            counted[key] = None
    return counted


def asked_for(group: Group, path: Path, before: Sequence[Row]) -> list[tuple[Path, Group | None]]:
    """What to count for each row: everything that was asked before it, and the row."""
    found: list[tuple[Path, Group | None]] = []
    taken = list(before)
    for number, row in enumerate(group.rows):
        place = (*path, number)
        if group.mode == "not_all":
            found.append((place, None))
            continue
        asked = _opposite(row) if group.mode == "none" else row
        found.append((place, Group("all", [*taken, asked])))
        if isinstance(row, Group) and len(place) < 3:
            found += asked_for(row, place, taken)
        if group.mode != "any":
            taken.append(asked)
    return found


def _opposite(row: Row) -> Row:
    return Group("none", [row]) if isinstance(row, Group) else Line(row.rule, not row.negated)


@dataclass(frozen=True)
class Member:
    """One of ten: number, name, place, why this person is in, how they would be reached and why so."""

    number: str
    name: str
    city: str
    why: str
    channel: str
    channel_why: str


def members(
    session: Session, draft: Group, ids: Sequence[int], *, now: datetime, secret_key: str
) -> list[Member]:
    """These people with why they are in and how they would be reached, in the order of their ids."""
    people = customers_with_city(session, ids)
    whys = why_in(session, parse_rule(draft.to_json()), ids, as_of=now)
    choices = choose_channels(session.connection(), ids, wish="preferred", allowed=tuple(CHANNEL_NAMES), now=now,
                              secret_key=secret_key) if ids else []
    found = []
    for customer_id, choice in zip(ids, choices, strict=True):
        if customer_id not in people:
            continue
        customer, city = people[customer_id]
        found.append(Member(customer.external_id, display_name(customer), city or "", whys.get(customer_id, ""),
                            CHANNEL_NAMES.get(choice.channel or "", "not at all"), choice.why))
    return found

