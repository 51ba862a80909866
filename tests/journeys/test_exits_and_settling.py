"""Who redeems or orders is left in peace; what follows when a message has settled."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from core.database import Database
from customers.models import Address
from delivery.models import CallTask, Message
from delivery.states import move
from journeys.models import Enrolment, Visit
from tests.coupons.factories import ask, use
from tests.delivery.ledger import sink
from tests.journeys.shop import (
    ONE_MAIL,
    add_order,
    codes,
    day,
    enrolments,
    furnish,
    go,
    ledger,
    walk,
    with_steps,
)

LEAVE = {"kind": "leave"}
REMINDED = with_steps(
    mail={"kind": "send", "content": "offer-a", "offer": "ten-percent", "next": "pause"},
    pause={"kind": "wait", "days": 7, "next": "remind"},
    remind={"kind": "send", "content": "reminder", "offer": "ten-percent", "next": "end"}, end=LEAVE)


def test_who_redeems_leaves_at_once_and_gets_no_reminder(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, [1, 2], now=now)
    go(database, REMINDED, now=now)
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now)
    code = next(code for code in codes(database) if code.customer_id == 1)
    later = now + timedelta(days=2)
    assert use(database, ask(code.code), now=later).status == 201
    walk(database, tmp_path, now=later)
    people = enrolments(database)
    assert (people[1].state, people[1].left_reason, people[1].step) == ("exited", "redeemed", None)
    assert people[2].state == "active"
    day(database, tmp_path, channels, now=now + timedelta(days=8))
    assert [row.customer_id for row in ledger(database) if row.step == "remind"] == [2]
    with database.reading() as session:
        told = session.execute(select(Visit.outcome, Visit.detail).where(Visit.enrolment_id == people[1].id)
                               .order_by(Visit.number)).all()
    assert told[-1] == ("exited", "redeemed the code")


def test_who_orders_in_the_goal_without_the_code_leaves_and_other_orders_do_not_count(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 6), now=now)
    add_order(database, 1, at=now - timedelta(days=1))
    go(database, REMINDED, now=now)
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now)
    later = now + timedelta(days=1)
    add_order(database, 2, at=later)
    add_order(database, 3, at=later, category="garden")
    add_order(database, 4, at=later, cancelled=True)
    add_order(database, 5, at=later + timedelta(days=5), number="tomorrow")
    walk(database, tmp_path, now=later)
    assert {number: person.state for number, person in enrolments(database).items()} == {
        1: "active", 2: "exited", 3: "active", 4: "active", 5: "active"}
    assert enrolments(database)[2].left_reason == "ordered"
    # What lay in the future then is seen before the next step at the latest.
    walk(database, tmp_path, now=now + timedelta(days=8))
    assert enrolments(database)[5].left_reason == "ordered"


def test_an_exit_takes_back_what_has_not_left_the_house_and_withdraws_its_code(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1, 2], now=now)
    go(database, with_steps(mail=REMINDED["steps"]["mail"] | {"next": "end"}, end=LEAVE), now=now)
    walk(database, tmp_path, now=now)
    assert enrolments(database)[1].state == "finished", "one may have finished while the mail is still in the house"
    add_order(database, 1, at=now)
    walk(database, tmp_path, now=now + timedelta(minutes=1))
    walk(database, tmp_path, now=now + timedelta(minutes=2))
    assert {row.customer_id: (row.state, row.reason) for row in ledger(database)} == {
        1: ("cancelled", "ordered in the campaign's goal"), 2: ("queued", None)}
    assert {code.customer_id: code.state for code in codes(database)} == {1: "revoked", 2: "issued"}


def test_a_call_on_the_desk_is_withdrawn_when_the_person_orders(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1], now=now, channels=("phone",))
    go(database, ONE_MAIL, now=now)
    day(database, tmp_path, {"phone": _Desk()}, now=now)
    with database.reading() as session:
        assert session.scalars(select(CallTask.state)).all() == ["open"]
    add_order(database, 1, at=now)
    walk(database, tmp_path, now=now + timedelta(hours=1))
    with database.reading() as session:
        assert session.scalars(select(CallTask.state)).all() == ["withdrawn"]
    assert ledger(database)[0].state == "cancelled"


class _Desk:
    """The phone has no outside: the claim itself lays the task on the desk."""

    name = "phone"

    def send_many(self, envelopes: Any, *, now: datetime) -> Any:
        raise AssertionError("calls are made by people")


def test_a_rule_for_leaving_is_asked_before_each_step(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, [1, 2], now=now)
    go(database, REMINDED | {"exit_when": [{"customer": "language", "is": "fr"}]}, now=now)
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now)
    add_order(database, 2, at=now + timedelta(days=1))
    with database.writing() as session:
        from customers.models import Customer

        session.execute(update(Customer).where(Customer.id == 1).values(language="fr"))
    day(database, tmp_path, channels, now=now + timedelta(days=8))
    people = enrolments(database)
    assert (people[1].state, people[1].left_reason) == ("exited", "rule")
    assert people[2].state == "finished", "an order is no reason here: only the rule was named"


def test_the_hold_out_gets_one_withheld_row_no_code_and_is_followed_to_the_end_of_the_window(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 61), now=now)
    go(database, REMINDED | {"holdout_percent": 25}, now=now)
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now)
    kept = {number for number, person in enrolments(database).items() if person.held_out}
    assert 5 < len(kept) < 25
    rows = ledger(database)
    assert {row.customer_id for row in rows if row.state == "withheld"} == kept
    assert {code.customer_id for code in codes(database)}.isdisjoint(kept)
    add_order(database, min(kept), at=now + timedelta(days=1))
    day(database, tmp_path, channels, now=now + timedelta(days=8))
    people = enrolments(database)
    assert {people[number].state for number in kept} == {"followed"}
    assert [row.customer_id for row in ledger(database) if row.customer_id in kept] == sorted(kept)
    day(database, tmp_path, channels, now=now + timedelta(days=30))
    people = enrolments(database)
    assert {(people[number].state, people[number].left_reason) for number in kept} == {("over", "window_over")}


def test_a_wait_counts_from_the_arrival_of_a_letter_and_so_does_its_code(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1], now=now, channels=("letter",))
    go(database, REMINDED, now=now)
    walk(database, tmp_path, now=now)
    assert enrolments(database)[1].due_at is None
    posted, arrives = now + timedelta(days=3), datetime(2026, 3, 7, 10, tzinfo=UTC)
    with database.writing() as session:
        ids = session.scalars(select(Message.id)).all()
        for state, leaving in (("claimed", "queued"), ("handed_over", "claimed")):
            move(session.connection(), ids, state, from_=leaving, now=posted)
        move(session.connection(), ids, "sent", from_="handed_over", now=posted, expected_at=arrives)
    walk(database, tmp_path, now=posted)
    assert enrolments(database)[1].due_at == arrives + timedelta(days=7)
    [code] = codes(database)
    assert (code.valid_from, code.valid_until) == (now, arrives + timedelta(days=14))
    walk(database, tmp_path, now=arrives + timedelta(days=7))
    first, second = ledger(database)
    assert second.step == "remind" and second.code == first.code
    # The reminder arrives later and changes nothing about the code.
    with database.writing() as session:
        move(session.connection(), [second.id], "claimed", from_="queued", now=arrives + timedelta(days=8))
        move(session.connection(), [second.id], "handed_over", from_="claimed", now=arrives + timedelta(days=8))
        move(session.connection(), [second.id], "sent", from_="handed_over", now=arrives + timedelta(days=8),
             expected_at=arrives + timedelta(days=9))
    walk(database, tmp_path, now=arrives + timedelta(days=8))
    assert codes(database)[0].valid_until == arrives + timedelta(days=14)


def _settle(database: Database, message_id: int, to: str, *, now: datetime, **stamps: Any) -> None:
    with database.writing() as session:
        connection = session.connection()
        move(connection, [message_id], "claimed", from_="queued", now=now)
        move(connection, [message_id], "handed_over", from_="claimed", now=now)
        move(connection, [message_id], to, from_="handed_over", now=now, **stamps)


FALLBACK = with_steps(
    mail={"kind": "send", "content": "offer-a", "offer": "ten-percent", "fallback": True, "next": "pause"},
    pause={"kind": "wait", "days": 7, "next": "end"}, end=LEAVE)


@pytest.mark.parametrize("graph", [FALLBACK, ONE_MAIL], ids=["with fallback", "without"])
def test_after_a_failure_the_next_channel_carries_the_same_code_or_the_code_is_withdrawn(
    database: Database, tmp_path: Path, now: datetime, graph: dict[str, Any]
) -> None:
    furnish(database, [1], now=now, channels=("email", "letter"))
    go(database, graph, now=now)
    walk(database, tmp_path, now=now)
    [first] = ledger(database)
    _settle(database, first.id, "failed", now=now, reason="550")
    walk(database, tmp_path, now=now)
    rows, [code] = ledger(database), codes(database)
    if graph is ONE_MAIL:
        assert len(rows) == 1 and code.state == "revoked"
        return
    assert [(row.channel, row.state, row.code) for row in rows] == [
        ("email", "failed", code.code), ("letter", "queued", code.code)]
    assert rows[1].occasion == rows[0].occasion[:-1] + "1" and code.state == "issued"
    assert enrolments(database)[1].due_at is None, "the wait now counts from the letter"
    _settle(database, rows[1].id, "failed", now=now)
    walk(database, tmp_path, now=now)
    assert len(ledger(database)) == 2 and codes(database)[0].state == "revoked"
    assert enrolments(database)[1].due_at == now + timedelta(days=7)


def test_an_uncertain_message_keeps_its_code_and_is_never_followed_by_another(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1], now=now, channels=("email", "letter"))
    go(database, FALLBACK, now=now)
    walk(database, tmp_path, now=now)
    _settle(database, ledger(database)[0].id, "uncertain", now=now)
    walk(database, tmp_path, now=now)
    assert len(ledger(database)) == 1 and codes(database)[0].state == "issued"
    assert enrolments(database)[1].due_at == now + timedelta(days=7)


def test_a_bounce_is_followed_by_the_next_channel_unless_the_person_has_left(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1, 2], now=now, channels=("email", "letter"))
    go(database, FALLBACK, now=now)
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now)
    later = now + timedelta(hours=2)
    add_order(database, 2, at=later)
    walk(database, tmp_path, now=later)
    with database.writing() as session:
        session.execute(update(Message).values(bounced_at=later))
    walk(database, tmp_path, now=later)
    assert [(row.customer_id, row.channel) for row in ledger(database)] == [(1, "email"), (2, "email"), (1, "letter")]


def test_who_cannot_be_reached_gets_a_row_with_the_reason_and_no_code_and_walks_on(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1], now=now, consents=())
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    [row] = ledger(database)
    assert row.state == "suppressed" and "no consent for e-mail" in (row.reason or "") and row.code is None
    assert codes(database) == [] and enrolments(database)[1].due_at == now + timedelta(days=3)


def test_a_later_send_after_a_withdrawn_code_brings_one_that_works(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1], now=now)
    go(database, REMINDED, now=now)
    walk(database, tmp_path, now=now)
    _settle(database, ledger(database)[0].id, "failed", now=now)
    walk(database, tmp_path, now=now)
    walk(database, tmp_path, now=now + timedelta(days=7))
    first, second = codes(database)
    assert (first.state, second.state) == ("revoked", "issued")
    assert ledger(database)[1].code == second.code and second.origin == f"{first.origin}:3"
    # Redeeming it is noticed like any other.
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now + timedelta(days=7))
    assert use(database, ask(second.code), now=now + timedelta(days=8)).status == 201


def test_a_reminder_is_not_sent_for_a_code_that_has_ended(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, [1], now=now)
    late = with_steps(**(REMINDED["steps"] | {"pause": {"kind": "wait", "days": 15, "next": "remind"}}))
    go(database, late, now=now)
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now)
    day(database, tmp_path, channels, now=now + timedelta(days=15))
    assert [(row.step, row.state, row.reason) for row in ledger(database)] == [
        ("mail", "sent", None), ("remind", "suppressed", "the code has ended")]


def test_a_reminder_waits_for_some_days_before_the_code_ends(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, [1], now=now)
    go(database, with_steps(**(REMINDED["steps"] | {
        "pause": {"kind": "wait", "until": {"code_ends": "ten-percent", "minus_days": 3}, "next": "remind"}})), now=now)
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now)
    assert enrolments(database)[1].due_at == now + timedelta(days=11)


def test_a_branch_asks_the_row_store_and_new_means_a_second_code(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1, 2], now=now, channels=("email", "letter"))
    with database.writing() as session:
        session.execute(update(Address).where(Address.customer_id == 1).values(country="AT"))
    go(database, with_steps(
        ask={"kind": "branch", "if": {"customer": "country", "is": "AT"}, "next": {"yes": "mail", "no": "end"}},
        mail={"kind": "send", "content": "offer-a", "offer": "ten-percent", "next": "more"},
        more={"kind": "send", "content": "offer-a", "offer": "ten-percent", "code": "new", "channel": "letter",
              "next": "end"}, end=LEAVE), now=now)
    walk(database, tmp_path, now=now)
    assert [(row.customer_id, row.channel) for row in ledger(database)] == [(1, "email"), (1, "letter")]
    assert len({row.code for row in ledger(database)}) == 2
    with database.reading() as session:
        ways = dict(session.execute(select(Enrolment.customer_id, Visit.outcome).join(
            Visit, Visit.enrolment_id == Enrolment.id).where(Visit.step == "ask")).all())
    assert ways == {1: "yes", 2: "no"}
