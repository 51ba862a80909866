"""How many people of each group can be written to?

Owns the reach per group of a grid: consent, suppression and addresses are asked as they are before a message goes out.
Up to 20,000 people everybody is asked, beyond that an even spread; the answer says of how many it speaks.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from delivery.preference import reachable
from segments.engines.questions import Questions

MOST_ASKED = 20_000


@dataclass(frozen=True)
class Reach:
    """`reached` of the `asked` people can be written to by at least one channel."""

    reached: int
    asked: int


def reach_by_group(
    questions: Questions, grouped: Select[Any], *, people: int, now: datetime, secret_key: str,
    values: Mapping[str, Any], most: int = MOST_ASKED,
) -> dict[int, Reach]:
    """The reach of each group; `grouped` selects (customer_id, place) for `people` people in all.

    Raises NotReady as `Questions.read` does.
    """
    each = grouped.subquery()
    asked = select(each.c.customer_id, each.c.place)
    step = -(-people // most) or 1
    if step > 1:
        asked = asked.where(each.c.customer_id % step == 0)
    rows = questions.read(asked, now=now, values=values).value
    with questions.database.reading() as session:
        ways = reachable(session.connection(), [int(row[0]) for row in rows], now=now, secret_key=secret_key)
    total, reached = Counter[int](), Counter[int]()
    for (_customer, place), channels in zip(rows, ways, strict=True):
        total[int(place)] += 1
        reached[int(place)] += bool(channels)
    return {place: Reach(reached[place], asked_of) for place, asked_of in total.items()}
