"""Nobody hears from us in hours of rest, or more often than the house allows, whatever campaign it is."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from core.database import Database
from core.errors import Invalid
from customers.models import Customer
from delivery.claiming import claim
from delivery.contact_rules import contact_rules, read_rules, rules_body, save_contact_rules
from delivery.holding_back import rest_ends
from delivery.models import Message
from tests.conftest import only_postgresql
from tests.delivery.ledger import KEY, add_messages, add_people, messages, prepared, run, sink, states

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT: dict[str, Any] = {"zone": "Europe/Berlin", "channels": {"email": {"rest": {"from": "21:00", "until": "08:00"}}}}


def rule(database: Database, rules: dict[str, Any], *, now: datetime) -> None:
    """The house's rules from now on."""
    with database.writing() as session:
        save_contact_rules(session, rules, author="Ada", now=now)


def more(database: Database, people: list[int], *, now: datetime, occasion: str, **columns: Any) -> None:
    """One more queued message for each of these people."""
    with database.writing() as session:
        revision = session.scalars(select(Message.revision_id)).first()
        add_messages(session, people, now=now, revision=revision or 1, occasion=occasion, **columns)


def test_a_message_waits_for_the_morning_where_the_person_lives_and_goes_out_then(
    database: Database, tmp_path: Path
) -> None:
    evening = datetime(2026, 3, 2, 20, 30, tzinfo=UTC)  # 21:30 in Berlin, 15:30 in New York
    prepared(database, [1, 2], now=evening)
    with database.writing() as session:
        session.execute(update(Customer).where(Customer.id == 2).values(timezone="America/New_York"))
    rule(database, NIGHT, now=evening)
    channels, _ = sink(tmp_path)
    run(database, channels, now=evening)
    found = messages(database)
    assert states(database) == {1: "queued", 2: "sent"}
    assert found[1].due_at == datetime(2026, 3, 3, 7, 0, tzinfo=UTC)
    assert found[1].reason == "quiet hours for e-mail, 21:00 to 08:00"
    run(database, channels, now=datetime(2026, 3, 3, 6, 59, tzinfo=UTC))
    assert states(database)[1] == "queued"
    run(database, channels, now=datetime(2026, 3, 3, 7, 0, tzinfo=UTC))
    assert states(database)[1] == "sent" and messages(database)[1].reason is None


def test_caps_count_over_all_campaigns_and_channels_and_the_next_goes_when_one_fits_again(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    prepared(database, [1, 2], now=now)
    rule(database, {"channels": {"email": {"most": {"count": 2, "days": 7}}}}, now=now)
    channels, _ = sink(tmp_path)
    for day in range(3):
        moment = now + timedelta(days=day)
        if day:
            more(database, [1], now=moment, occasion=f"send.{day + 1}.0", due_at=[moment])
        run(database, channels, now=moment)
    with database.reading() as session:
        rows = list(session.scalars(select(Message).where(Message.customer_id == 1).order_by(Message.id)))
    assert [row.state for row in rows] == ["sent", "sent", "queued"]
    assert rows[2].due_at == now + timedelta(days=7) and rows[2].reason == "at most 2 e-mails in 7 days"
    run(database, channels, now=now + timedelta(days=7))
    with database.reading() as session:
        assert session.scalars(select(Message.state).where(Message.id == rows[2].id)).one() == "sent"


def test_what_cannot_go_before_its_end_expires_and_says_so(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    prepared(sqlite_database, [1], now=now)
    rule(sqlite_database, {"together": {"count": 1, "days": 7}}, now=now)
    channels, _ = sink(tmp_path)
    run(sqlite_database, channels, now=now)
    later = now + timedelta(days=1)
    more(sqlite_database, [1], now=later, occasion="send.2.0", expires_at=[now + timedelta(days=5)])
    run(sqlite_database, channels, now=later)
    found = messages(sqlite_database)[1]
    assert found.state == "expired" and found.reason == "expired before sending: at most 1 messages in 7 days"


def test_only_advertising_is_capped_and_what_customers_did_something_for_never_waits(
    sqlite_database: Database, tmp_path: Path
) -> None:
    evening = datetime(2026, 3, 2, 20, 30, tzinfo=UTC)
    prepared(sqlite_database, [1, 2, 3], now=evening)
    with sqlite_database.writing() as session:
        for number, name in ((1, "service"), (2, "transactional")):
            session.execute(update(Message).where(Message.customer_id == number).values(message_class=name))
    rule(sqlite_database, {**NIGHT, "rest_for_service": True, "together": {"count": 1, "days": 7}}, now=evening)
    channels, _ = sink(tmp_path)
    run(sqlite_database, channels, now=evening)
    assert states(sqlite_database) == {1: "queued", 2: "sent", 3: "queued"}
    rule(sqlite_database, {**NIGHT, "together": {"count": 1, "days": 7}}, now=evening)
    with sqlite_database.writing() as session:
        session.execute(update(Message).where(Message.customer_id == 1).values(due_at=evening))
    run(sqlite_database, channels, now=evening)
    assert states(sqlite_database)[1] == "sent"


def test_a_journeys_own_quiet_hours_hold_for_its_messages_alone(sqlite_database: Database, tmp_path: Path) -> None:
    noon = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    prepared(sqlite_database, [1], now=noon, quiet=["11:00-13:00"])
    prepared_too = [2]
    with sqlite_database.writing() as session:
        add_people(session, prepared_too, now=noon)
    more(sqlite_database, prepared_too, now=noon, occasion="send.1.0")
    channels, _ = sink(tmp_path)
    run(sqlite_database, channels, now=noon)
    assert states(sqlite_database) == {1: "queued", 2: "sent"}
    assert messages(sqlite_database)[1].due_at == noon + timedelta(hours=1)


@only_postgresql
def test_two_workers_never_exceed_a_cap_together(database: Database, now: datetime) -> None:
    prepared(database, [1], now=now)
    more(database, [1], now=now, occasion="send.2.0")
    rule(database, {"together": {"count": 1, "days": 7}}, now=now)
    arguments: dict[str, Any] = {"now": now, "limit": 1, "channels": ("email",), "secret_key": KEY}
    with database.writing() as one:
        assert len(claim(one.connection(), worker=1, **arguments).going) == 1
    with database.writing() as other:
        found = claim(other.connection(), worker=2, **arguments)
    assert found.going == [] and found.decided == 1


@pytest.mark.parametrize(("local", "until"), [
    ("2026-03-02 20:59", "2026-03-02 20:59"), ("2026-03-02 21:00", "2026-03-03 08:00"),
    ("2026-03-03 07:59", "2026-03-03 08:00"), ("2026-03-03 08:00", "2026-03-03 08:00"),
    ("2026-03-07 23:00", "2026-03-09 00:00"), ("2026-03-28 22:00", "2026-03-30 00:00"),
])
def test_rest_ends_by_the_clock_on_the_wall(local: str, until: str) -> None:
    moment = datetime.fromisoformat(local).replace(tzinfo=BERLIN).astimezone(UTC)
    found = moment
    for _ in range(3):
        found = rest_ends(found, BERLIN, time(21), time(8), (6,))
        if found.astimezone(BERLIN).weekday() != 6 and found.astimezone(BERLIN).hour == 0:
            break  # the night after the day of rest goes on; the caller asks again
    assert found == datetime.fromisoformat(until).replace(tzinfo=BERLIN).astimezone(UTC)


def test_a_rest_that_ends_in_the_hour_that_is_jumped_over_ends_at_the_jump() -> None:
    moment = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 01:30 in Berlin; 02:00 becomes 03:00 at 01:00 UTC
    assert rest_ends(moment, BERLIN, time(21), time(2, 30), ()) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    autumn = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # the second 02:30: the rest ends at the second 02:45
    assert rest_ends(autumn, BERLIN, time(21), time(2, 45), ()) == datetime(2026, 10, 25, 1, 45, tzinfo=UTC)


def test_rules_are_checked_and_come_back_as_they_were(sqlite_database: Database, now: datetime) -> None:
    rules = {"zone": "Europe/Berlin", "together": {"count": 3, "days": 30}, "rest_for_service": True, "channels": {
        "phone": {"rest": {"from": "20:00", "until": "09:00"}, "rest_days": [6], "most": {"count": 1, "days": 14}}}}
    rule(sqlite_database, rules, now=now)
    with sqlite_database.reading() as session:
        assert rules_body(contact_rules(session.connection())) == rules
    for bad, place in (({"zone": "Mars"}, "zone"), ({"channels": {"pigeon": {}}}, "channels.pigeon"),
                       ({"together": {"count": 0, "days": 7}}, "together"),
                       ({"channels": {"email": {"rest": {"from": "21:00", "until": "21:00"}}}}, "channels.email.rest"),
                       ({"channels": {"email": {"rest_days": [0, 1, 2, 3, 4, 5, 6]}}}, "channels.email.rest_days"),
                       ({"channel": {}}, "channel")):
        with pytest.raises(Invalid) as caught:
            read_rules(bad)
        assert caught.value.place == place
