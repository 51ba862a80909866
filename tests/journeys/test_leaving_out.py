"""Standing exclusions and segments a campaign is not sent to: at entry, before each message, and in the waterfall."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from campaigns.planning import save_campaign
from campaigns.standing import save_standing
from core.database import Database
from core.errors import NotFound
from coupons.codes.stopping import Target, stop
from customers.models import Contact, Customer
from delivery.calls import NoCall, open_calls, take_call
from delivery.channels import Channel
from delivery.channels.memory import MemoryChannel
from journeys.editing.audience import audience, people_in
from journeys.editing.editing import save_draft
from journeys.exits.objecting import objections
from journeys.models import Version
from journeys.telling.showing import excluded_reasons, people_here
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from tests.delivery.ledger import KEY, SETTINGS, add_people
from tests.journeys.shop import GRAPH, ONE_MAIL, add_order, day, enrolments, furnish, go, ledger, questions, walk

CAREFUL: dict[str, Any] = {**ONE_MAIL, "exclude": ["standing"]}


def complain(database: Database, customer_id: int, *, at: datetime) -> None:
    with database.writing() as session:
        session.add(Contact(external_id=f"k{customer_id}-{at}", customer_id=customer_id, at=at, kind="complaint",
                            direction="in", channel="phone", status="open"))


def in_dunning(database: Database, customer_id: int) -> None:
    with database.writing() as session:
        session.get_one(Customer, customer_id).dunning_level = 2


def test_whom_the_house_leaves_out_does_not_enter_and_the_reason_is_kept(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1, 2, 3, 4], now=now)
    complain(database, 1, at=now - timedelta(days=3))
    in_dunning(database, 1)
    in_dunning(database, 2)
    with database.writing() as session:
        save_segment(session, "vip", name="Best customers", now=now,
                     rule=parse_rule({"customer": "customer_id", "is": "c3"}))
        save_campaign(session, "spring", fields={"not_to": ["vip"]}, now=now)
    go(database, CAREFUL, now=now)
    walk(database, tmp_path, now=now)
    people = enrolments(database)
    assert {number: (each.state, each.left_reason) for number, each in people.items()} == {
        1: ("excluded", "unresolved complaint"), 2: ("excluded", "dunning"), 3: ("excluded", "in “Best customers”"),
        4: ("active", None)}, "each by the first reason of the list"
    assert [message.customer_id for message in ledger(database)] == [4]
    with database.reading() as session:
        version = session.scalars(select(Version)).one()
        assert excluded_reasons(session, version) == [
            ("dunning", 1), ("in “Best customers”", 1), ("unresolved complaint", 1)]
        assert people_here(session, version, state="excluded", left="dunning")[0][0].why == "dunning"


def test_a_journey_that_does_not_say_so_leaves_nobody_out(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, [1], now=now)
    in_dunning(database, 1)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    assert enrolments(database)[1].state == "active"


def test_what_came_up_after_entry_keeps_the_next_message_in_the_house_on_every_channel(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1, 2, 3], now=now, channels=("email", "letter"))
    steps = {**GRAPH["steps"], "remind": {**GRAPH["steps"]["remind"], "fallback": True}}
    go(database, {**GRAPH, "steps": steps, "exclude": ["standing"], "exit_when": [{"redeemed": True}]}, now=now)
    channels: dict[str, Channel] = {"email": MemoryChannel(tmp_path / "sink.db", name="email")}
    day(database, tmp_path, channels, now=now)
    assert {message.state for message in ledger(database)} == {"sent"}, "its own coupon does not silence it"
    for number in (1, 2, 3):
        complain(database, number, at=now + timedelta(days=2))
    day(database, tmp_path, channels, now=now + timedelta(days=8))
    reminders = [message for message in ledger(database) if message.step == "remind"]
    assert reminders, "somebody drew the arm with a reminder"
    assert {(message.state, message.reason, message.channel) for message in reminders} == {
        ("suppressed", "left out: unresolved complaint", "email")}, "no other channel is tried"
    assert {each.state for each in enrolments(database).values()} == {"finished"}


def test_a_segment_it_is_not_sent_to_is_asked_again_before_each_message(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1, 2], now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    with database.writing() as session:
        save_segment(session, "vip", name="Best customers", now=now,
                     rule=parse_rule({"customer": "customer_id", "is": "c1"}))
        save_campaign(session, "spring", fields={"not_to": ["vip"]}, now=now)
    day(database, tmp_path, {"email": MemoryChannel(tmp_path / "sink.db", name="email")}, now=now)
    assert {message.customer_id: (message.state, message.reason) for message in ledger(database)} == {
        1: ("suppressed", "left out: in “Best customers”"), 2: ("sent", None)}


@pytest.fixture
def planned(database: Database, now: datetime) -> Database:
    """Forty people: one ordered lately, three in dunning (one of them ordered, too), two without consent; a draft."""
    furnish(database, range(1, 39), now=now)
    with database.writing() as session:
        add_people(session, [39, 40], now=now, consents=())
    add_order(database, 1, at=now - timedelta(days=2))
    for number in (1, 2, 3):
        in_dunning(database, number)
    with database.writing() as session:
        campaign = save_campaign(session, "spring", fields={"segment": "lapsed", "holdout_percent": 20}, now=now)
        save_draft(session, "winback", {**GRAPH, "holdout_percent": 20, "exclude": ["standing"]},
                   campaign_id=campaign.id, now=now)
    return database


def test_the_waterfall_counts_each_person_once_and_every_number_opens_its_people(
    planned: Database, tmp_path: Path, now: datetime
) -> None:
    asker = questions(planned, tmp_path)
    found = audience(asker, "spring", now=now, secret_key=KEY)
    lines = {line.part: line.people for line in found.lines}
    assert (lines["start"], lines["open_order"], lines["dunning"]) == (40, 1, 2)
    assert (lines["silent"], lines["reached"]) == (2, 35)
    assert lines["channel:email"] == 35 and found.left == found.of == 37
    assert lines["held_out"] + lines["arm:A"] + lines["arm:B"] == lines["reached"]
    for line in found.lines:
        opened, ids = people_in(asker, "spring", line.part, now=now, secret_key=KEY)
        assert (opened, len(ids)) == (line, line.people), line.part
    assert people_in(asker, "spring", "dunning", now=now, secret_key=KEY)[1] == [2, 3], "1 had an open order already"
    with pytest.raises(NotFound):
        people_in(asker, "spring", "arm:C", now=now, secret_key=KEY)


def test_the_waterfall_foretells_who_enters_who_is_left_alone_and_who_draws_which_arm(
    planned: Database, tmp_path: Path, now: datetime
) -> None:
    asker = questions(planned, tmp_path)
    foretold = {part: people_in(asker, "spring", part, now=now, secret_key=KEY)[1]
                for part in ("held_out", "arm:A", "arm:B", "dunning")}
    go(planned, {**GRAPH, "holdout_percent": 20, "exclude": ["standing"]}, now=now)
    walk(planned, tmp_path, now=now)
    people = enrolments(planned)
    reachable = {number for number in people if number not in (39, 40) and people[number].state != "excluded"}
    assert foretold["held_out"] == sorted(number for number in reachable if people[number].held_out)
    for arm in ("A", "B"):
        assert foretold[f"arm:{arm}"] == sorted(
            number for number in reachable if people[number].arm == arm and not people[number].held_out)
    assert foretold["dunning"] == [number for number, each in people.items() if each.left_reason == "dunning"]


def test_an_exclusion_switched_off_is_neither_counted_nor_applied(
    planned: Database, tmp_path: Path, now: datetime
) -> None:
    with planned.writing() as session:
        save_standing(session, "dunning", active=False, now=now)
    found = audience(questions(planned, tmp_path), "spring", now=now, secret_key=KEY)
    assert "dunning" not in {line.part for line in found.lines}


def test_a_message_whose_code_was_stopped_while_it_waited_stays_in_the_house(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1, 2], now=now, channels=("email", "letter"))
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    mine = {message.customer_id: message.code for message in ledger(database)}
    stop(database, Target("code", str(mine[1])), reason="leaked", now=now)
    day(database, tmp_path, {"email": MemoryChannel(tmp_path / "sink.db", name="email")}, now=now)
    assert [(message.customer_id, message.state, message.reason, message.channel) for message in ledger(database)] == [
        (1, "suppressed", "left out: its code was stopped", "email"), (2, "sent", None, "email")]


def test_a_call_whose_code_was_stopped_is_not_made(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, [1], now=now, channels=("phone",))
    go(database, ONE_MAIL, now=now)
    day(database, tmp_path, {}, now=now)
    [call] = ledger(database)
    stop(database, Target("code", str(call.code)), reason="leaked", now=now)
    with database.writing() as session:
        [task] = open_calls(session, now=now)
        found = take_call(session, task.id, agent="Kim", now=now, settings=SETTINGS, objecting=objections)
    assert found == NoCall("left out: its code was stopped")
    assert [(message.state, message.reason) for message in ledger(database)] == [
        ("suppressed", "left out: its code was stopped")]
