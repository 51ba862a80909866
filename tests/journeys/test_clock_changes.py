"""The two nights a year when the clock jumps: whoever waits, rings, rests or ends by the wall clock does so once."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update
from werkzeug.datastructures import MultiDict

from core.database import Database
from customers.models import Customer
from delivery.holding_back import rest_ends
from tests.delivery.ledger import sink
from tests.journeys.shop import day, enrolments, furnish, go, ledger, walk, with_steps
from web.campaigns.form import fields_of, typed_form

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
"""In spring there is no 02:30 in Berlin (01:00 UTC is 03:00 there), in autumn there are two (00:30, 01:30 UTC)."""


def utc(night: date, clock: str, days: int = 0) -> datetime:
    return datetime.combine(night + timedelta(days=days), time.fromisoformat(clock), UTC)


@pytest.mark.parametrize(("night", "rings", "told"), [
    # Rings at the jump; its people's next 02:30 is that of Monday.
    (SPRING, ("01:00", 0), ("00:30", 1)),
    # Rings the first time only; the second 02:30 of this night is not the next one either.
    (AUTUMN, ("00:30", 0), ("01:30", 1)),
])
def test_half_past_two_rings_once_and_is_waited_for_until_the_night_after(
    sqlite_database: Database, tmp_path: Path, night: date, rings: tuple[str, int], told: tuple[str, int]
) -> None:
    evening = utc(night, "20:00", -1)
    furnish(sqlite_database, (1, 2), now=evening)
    with sqlite_database.writing() as session:
        session.execute(update(Customer).where(Customer.id == 2).values(timezone="America/New_York"))
    graph = {**with_steps(pause={"kind": "wait", "at_local_time": "02:30", "next": "mail"},
                          mail={"kind": "send", "content": "offer-a", "next": "again"},
                          again={"kind": "wait", "days": 9, "next": "end"}, end={"kind": "leave"}),
             "entry": {"segment": "lapsed", "schedule": "30 2 * * *"}, "reentry": "never", "exit_when": []}
    go(sqlite_database, graph, now=evening)
    clocks = ("00:00", "00:30", "01:00", "01:30", "02:00", "06:30")
    for at in [*(utc(night, clock) for clock in clocks), *(utc(night, clock, 1) for clock in clocks[:5])]:
        walk(sqlite_database, tmp_path, now=at)
    entered = {each.entered_at for each in enrolments(sqlite_database).values() if each.state != "excluded"}
    assert entered == {utc(night, *rings)}
    queued = {row.customer_id: row.queued_at for row in ledger(sqlite_database)}
    # In New York the clocks change on other days: 02:30 there is the same night's.
    offset = timedelta(hours=4)
    assert queued == {1: utc(night, *told), 2: datetime.combine(night, time(2, 30), UTC) + offset}


@pytest.mark.parametrize(("night", "lasts"), [(SPRING, 23), (AUTUMN, 25)])
def test_a_campaign_of_one_day_and_its_journey_last_as_long_as_that_day(
    sqlite_database: Database, tmp_path: Path, night: date, lasts: int
) -> None:
    form = typed_form(MultiDict([("name", "Sunday"), ("first_day", night.isoformat()), ("last_day", night.isoformat()),
                                 ("timezone", "Europe/Berlin"), ("holdout", "0"), ("currency", "EUR")]))
    fields: dict[str, Any] = dict(fields_of(form, stored=None))
    begins, ends = fields["starts_at"], fields["ends_at"]
    assert ends - begins == timedelta(hours=lasts) and begins.astimezone(BERLIN).time() == time()
    furnish(sqlite_database, (1,), now=begins - timedelta(days=1))
    window = {"from": begins.isoformat(), "until": ends.isoformat()}
    go(sqlite_database, {**with_steps(pause={"kind": "wait", "days": 9, "next": "end"}, end={"kind": "leave"}),
                         "window": window, "exit_when": []}, now=begins - timedelta(hours=1))
    seen = []
    for at in (begins - timedelta(minutes=1), begins, ends - timedelta(minutes=1), ends):
        walk(sqlite_database, tmp_path, now=at)
        seen.append({each.state for each in enrolments(sqlite_database).values()})
    assert seen == [set(), {"active"}, {"active"}, {"over"}]


@pytest.mark.parametrize(("moment", "over"), [
    ("00:20", "00:45"),  # the first 02:20: until the first 02:45
    ("00:50", "00:50"),  # the first 02:50 is no rest
    ("01:20", "01:45"),  # the second 02:20: the wall clock says rest again, until the second 02:45
    ("01:45", "01:45"),
])
def test_a_rest_that_ends_in_the_hour_that_comes_twice_ends_twice(moment: str, over: str) -> None:
    found = rest_ends(utc(AUTUMN, moment), BERLIN, time(21), time(2, 45), ())
    assert found == utc(AUTUMN, over)


def test_a_rest_that_ends_at_a_reading_that_does_not_exist_ends_at_the_jump() -> None:
    for clock in ("20:30", "22:15"):
        assert rest_ends(utc(SPRING, clock, -1), BERLIN, time(21), time(2, 30), ()) == utc(SPRING, "01:00")


def test_quiet_hours_of_the_long_night_hold_a_message_until_morning(sqlite_database: Database, tmp_path: Path) -> None:
    evening = utc(AUTUMN, "20:30", -1)  # 22:30 in Berlin
    furnish(sqlite_database, (1,), now=evening)
    with sqlite_database.writing() as session:
        session.execute(update(Customer).values(timezone="Europe/Berlin"))
    go(sqlite_database, {**with_steps(mail={"kind": "send", "content": "offer-a", "next": "end"},
                                      end={"kind": "leave"}),
                         "quiet_hours": {"from": "21:00", "until": "08:00"}, "exit_when": []}, now=evening)
    channels = sink(tmp_path)[0]
    sent = []
    for at in (evening, utc(AUTUMN, "06:30"), utc(AUTUMN, "06:59"), utc(AUTUMN, "07:00")):
        day(sqlite_database, tmp_path, channels, now=at)
        sent += [row.sent_at for row in ledger(sqlite_database) if row.state == "sent"]
    assert sent == [utc(AUTUMN, "07:00")], "an hour later than it would be after any other night"
