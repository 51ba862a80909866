"""A schedule rings by the wall clock, once per reading, also when the clock jumps."""

from datetime import UTC, datetime

import pytest

from core.errors import Invalid
from journeys.graphs.cron import last_ring, next_ring, read_cron

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    """An instant from ISO text in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("schedule", "after", "rings"), [
    ("0 9 * * 1", "2026-03-02T08:00", "2026-03-09T08:00"),  # Mondays at nine in Berlin; the one at 08:00 UTC is past
    ("0 9 * * mon", "2026-03-02T07:59", "2026-03-02T08:00"),
    ("0 9 * * 7", "2026-03-02T08:00", "2026-03-08T08:00"),  # Sunday is 7 and 0
    ("*/20 8-9 * * *", "2026-03-02T07:05", "2026-03-02T07:20"),
    ("0 0 1 jan *", "2026-03-02T08:00", "2026-12-31T23:00"),
    ("0 0 29 2 *", "2026-03-02T08:00", "2028-02-28T23:00"),
    ("0 6 13 * fri", "2026-03-02T08:00", "2026-03-06T05:00"),  # the 13th or a Friday, as is usual
    ("30 2 * * *", "2026-03-28T12:00", "2026-03-29T01:00"),  # there is no 02:30 that night: at the jump
    ("30 2 * * *", "2026-10-25T00:30", "2026-10-26T01:30"),  # 02:30 comes twice: it rang the first time
])
def test_a_schedule_rings_by_the_wall_clock(schedule: str, after: str, rings: str) -> None:
    found = next_ring(read_cron(schedule), BERLIN, after=at(after))
    assert found == at(rings)
    assert last_ring(read_cron(schedule), BERLIN, now=at(rings)) == at(rings)


def test_every_ring_of_a_year_comes_once_and_in_order() -> None:
    cron, when = read_cron("0,30 2 * * *"), at("2026-01-01T00:00")
    rings = []
    while (found := next_ring(cron, BERLIN, after=when)) is not None and found < at("2027-01-01T00:00"):
        rings.append(found)
        when = found
    assert len(rings) == 365 * 2 - 1, "in the night of the jump both readings are one instant"
    assert rings == sorted(set(rings))


@pytest.mark.parametrize(("schedule", "told"), [
    ("0 9 * *", "five fields"), ("60 9 * * *", "60 is no minute"), ("0 9 31 2 *", "never rings"),
    ("0 9 * * x", "x is no day of the week"), ("0 17-9 * * *", "Turn it round"), ("0 ⅓ * * *", "is no hour"),
])
def test_what_is_no_schedule_is_told(schedule: str, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        read_cron(schedule)
