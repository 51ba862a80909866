"""Splits are sticky and fair; waits mean what the wall clock says, also when it jumps."""

import hashlib
from collections import Counter
from datetime import UTC, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.types import from_us, to_us
from core.wall_clock import local_instant
from journeys.graphs.graph import Split, Wait
from journeys.graphs.steps import arms, drawn, due, due_before_end, held_out

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    """An instant from ISO text in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def waited(step: Wait, base: str, zone: str = BERLIN) -> str:
    """When the wait is over, UTC."""
    return from_us(due(step, [to_us(at(base))], [zone])[0]).isoformat()[:16]


def test_a_draw_is_the_first_eight_hex_digits_of_md5_of_salt_and_customer() -> None:
    names = ["c1", "Ä 7", ""]
    assert drawn("winback:split", names).tolist() == [
        int(hashlib.md5(f"winback:split:{name}".encode()).hexdigest()[:8], 16) for name in names]


def test_a_split_keeps_to_its_shares_and_does_not_depend_on_who_else_is_in_the_batch() -> None:
    step = Split("split", (("A", 20.0), ("B", 30.0), ("C", 50.0)), {})
    names = [f"c{number}" for number in range(20_000)]
    found = arms(step, "winback", names)
    counts = Counter(found)
    assert abs(counts["A"] - 4000) < 250 and abs(counts["B"] - 6000) < 300
    assert arms(step, "winback", names[500:510]) == found[500:510]
    assert arms(Split("other", step.arms, {}), "winback", names) != found


def test_the_hold_out_is_sticky_grows_with_its_share_and_does_not_follow_the_arms() -> None:
    names = [f"c{number}" for number in range(20_000)]
    ten, twenty = (held_out("winback", names, percent=percent) for percent in (10, 20))
    assert abs(sum(ten) - 2000) < 150
    assert all(larger for smaller, larger in zip(ten, twenty, strict=True) if smaller)
    assert not any(held_out("winback", names, percent=0))
    step = Split("split", (("A", 50.0), ("B", 50.0)), {})
    share = Counter(arm for arm, kept in zip(arms(step, "winback", names), ten, strict=True) if kept)
    assert abs(share["A"] / sum(ten) - 0.5) < 0.04


@pytest.mark.parametrize(("step", "base", "over"), [
    (Wait("w", "n", hours=1.5), "2026-03-02T10:00", "2026-03-02T11:30"),
    (Wait("w", "n", days=7), "2026-03-02T10:00", "2026-03-09T10:00"),
    # Seven days of the wall clock are an hour less when summer time comes.
    (Wait("w", "n", days=7), "2026-03-25T10:00", "2026-04-01T09:00"),
    (Wait("w", "n", days=7, at_local_time=time(9)), "2026-03-02T10:00", "2026-03-10T08:00"),
    (Wait("w", "n", days=7, at_local_time=time(9)), "2026-03-02T08:00", "2026-03-09T08:00"),
    (Wait("w", "n", at_local_time=time(9)), "2026-03-02T08:00", "2026-03-03T08:00"),
    (Wait("w", "n", at_local_time=time(9)), "2026-03-02T07:59", "2026-03-02T08:00"),
    # 02:30 does not exist on 29 March: the first valid instant is 03:00 summer time, 01:00 UTC.
    (Wait("w", "n", at_local_time=time(2, 30)), "2026-03-28T12:00", "2026-03-29T01:00"),
    # 02:30 comes twice on 25 October: the first one, in summer time.
    (Wait("w", "n", at_local_time=time(2, 30)), "2026-10-24T12:00", "2026-10-25T00:30"),
    (Wait("w", "n", until=at("2026-05-01T00:00")), "2026-03-02T10:00", "2026-05-01T00:00"),
])
def test_a_wait_is_over_when_the_wall_clock_says_so(step: Wait, base: str, over: str) -> None:
    assert waited(step, base) == over


def test_people_wait_in_their_own_time_zone_and_an_unknown_zone_stops_nobody() -> None:
    step = Wait("w", "n", at_local_time=time(9))
    base = to_us(at("2026-03-02T12:00"))
    assert [from_us(value).hour for value in due(step, [base] * 3, [BERLIN, "America/New_York", "Mars/Olympus"])] == [
        8, 14, 9]


def test_a_reminder_comes_some_days_before_the_code_ends() -> None:
    step = Wait("w", "n", code_ends="ten", minus_days=3, at_local_time=time(9))
    [found] = due_before_end(step, [to_us(at("2026-03-16T10:00"))], [BERLIN])
    assert from_us(found) == at("2026-03-13T08:00")


def test_a_reminder_on_the_codes_last_day_comes_before_the_code_ends() -> None:
    step = Wait("w", "n", code_ends="ten", at_local_time=time(20))
    ends = [at("2026-03-16T10:00"), at("2026-03-16T19:00"), at("2026-03-16T19:01")]  # the evening is at 19:00 UTC
    found = due_before_end(step, [to_us(end) for end in ends], [BERLIN] * 3)
    assert [from_us(due) for due in found] == [
        at("2026-03-15T19:00"), at("2026-03-15T19:00"), at("2026-03-16T19:00")]


@settings(max_examples=200, deadline=None)
@given(st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),
       st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo"]))
def test_a_local_reading_becomes_the_first_instant_that_shows_it_or_a_later_one(local: datetime, zone: str) -> None:
    from zoneinfo import ZoneInfo

    place = ZoneInfo(zone)
    local = local.replace(microsecond=0)
    found = local_instant(local, place)
    shown = found.astimezone(place).replace(tzinfo=None)
    assert shown >= local
    if shown == local:
        earlier = found.timestamp() - 3600
        assert datetime.fromtimestamp(earlier, place).replace(tzinfo=None) != local
    else:
        just_before = datetime.fromtimestamp(found.timestamp() - 1, place).replace(tzinfo=None)
        assert just_before < local, "no valid instant lies between"
