"""Who waits for something goes on when it happens, within one tick, or after the time that was named."""

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core.cursors import advance, head
from core.database import Database
from coupons.models import Code
from coupons.till.redeeming import redeem
from coupons.till.requests import Order, RedemptionRequest
from customers.consents import record_consent
from delivery.states import move
from journeys.editing.editing import pause, resume
from journeys.entry import noticing
from journeys.graphs.plans import load_plans
from journeys.models import Enrolment
from journeys.walk import claiming
from journeys.walk.speaking import Shelf
from journeys.walk.walking import Walk
from tests.conftest import only_postgresql
from tests.delivery.ledger import sink
from tests.journeys.shop import (
    SERVICES,
    add_event,
    add_order,
    codes,
    day,
    enrolments,
    furnish,
    go,
    ledger,
    path_of,
    walk,
    with_steps,
)

LEAVE = {"kind": "leave"}
MAIL = {"kind": "send", "content": "offer-a", "next": "end"}


def waiting(**awaited: Any) -> dict[str, Any]:
    """Wait two days for something; who waits in vain gets a mail."""
    graph = with_steps(hope={"kind": "wait_for", **awaited, "days": 2, "next": {"yes": "end", "timeout": "mail"}},
                       mail=MAIL, end=LEAVE)
    return {**graph, "exit_when": []}


def test_an_event_ends_the_wait_within_one_tick_and_the_others_time_out(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2, 3), now=now)
    go(database, waiting(event="visited", where={"page": ["/sale"]}), now=now)
    walk(database, tmp_path, now=now)
    later = now + timedelta(hours=5)
    add_event(database, 1, "visited", at=later, page="/sale")
    add_event(database, 2, "visited", at=later, page="/home")
    add_event(database, 3, "visited", at=now - timedelta(days=1), recorded_at=later, page="/sale")
    walk(database, tmp_path, now=later)
    assert path_of(database, 1) == [("hope", "yes"), ("end", "left")]
    assert {number: person.step for number, person in enrolments(database).items()} == {1: None, 2: "hope", 3: "hope"}
    assert all(enrolments(database)[number].due_at == now + timedelta(days=2) for number in (2, 3))
    walk(database, tmp_path, now=now + timedelta(days=2))
    assert path_of(database, 2)[:2] == [("hope", "timeout"), ("mail", "queued")] == path_of(database, 3)[:2]
    assert sorted(row.customer_id for row in ledger(database)) == [2, 3]


def test_an_event_that_comes_while_a_round_is_at_work_is_noticed_by_the_next_one(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1, 2), now=now)
    go(sqlite_database, waiting(event="visited"), now=now)
    walk(sqlite_database, tmp_path, now=now)
    at = now + timedelta(hours=5)
    add_event(sqlite_database, 1, "visited", at=at + timedelta(seconds=3))  # three seconds after the round began
    assert noticing.tick(sqlite_database, now=at, limit=10) == 0
    assert noticing.tick(sqlite_database, now=at + timedelta(seconds=4), limit=10) == 1
    assert noticing.tick(sqlite_database, now=at + timedelta(seconds=4), limit=10) == 0
    assert {number: person.due_at for number, person in enrolments(sqlite_database).items()} == {
        1: at + timedelta(seconds=4), 2: now + timedelta(days=2)}


def test_an_order_a_redemption_or_a_rule_can_be_waited_for(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, range(1, 5), now=now)
    rule = {"consent": "email", "is": "withdrawn"}
    chain = {"kind": "wait_for", "days": 2}
    graph = with_steps(
        code={"kind": "give", "offer": "ten-percent", "next": "ordered"},
        ordered={**chain, "ordered": {"category": ["furniture"]}, "next": {"yes": "end", "timeout": "redeemed"}},
        redeemed={**chain, "redeemed": True, "next": {"yes": "end", "timeout": "rule"}},
        rule={**chain, "if": rule, "next": {"yes": "end", "timeout": "end"}}, end=LEAVE)
    go(database, {**graph, "exit_when": []}, now=now)
    walk(database, tmp_path, now=now)
    add_order(database, 1, at=now + timedelta(hours=1))
    add_order(database, 2, at=now + timedelta(hours=1), category="books")
    walk(database, tmp_path, now=now + timedelta(hours=1))
    assert path_of(database, 1)[1:] == [("ordered", "yes"), ("end", "left")]
    walk(database, tmp_path, now=now + timedelta(days=2))
    with database.writing() as session:
        code = session.scalars(select(Code.code).where(Code.customer_id == 2)).one()
        redeem(session.connection(), RedemptionRequest(code, Order("o1", 20_000, "EUR", ())), client="test", key="k",
               now=now + timedelta(days=3))
    walk(database, tmp_path, now=now + timedelta(days=3))
    assert path_of(database, 2)[2:] == [("redeemed", "yes"), ("end", "left")]
    walk(database, tmp_path, now=now + timedelta(days=4))
    with database.writing() as session:
        record_consent(session, 3, channel="email", state="withdrawn", now=now + timedelta(days=5))
    walk(database, tmp_path, now=now + timedelta(days=5))
    assert path_of(database, 3)[3:] == [("rule", "yes"), ("end", "left")]
    walk(database, tmp_path, now=now + timedelta(days=6))
    assert path_of(database, 4) == [("code", "given"), ("ordered", "timeout"), ("redeemed", "timeout"),
                                    ("rule", "timeout"), ("end", "left")]


def test_a_wait_for_something_counts_from_the_arrival_of_the_message_before_it(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1,), now=now)
    graph = with_steps(mail={**MAIL, "next": "hope"}, hope={
        "kind": "wait_for", "ordered": True, "days": 2, "next": {"yes": "end", "timeout": "end"}}, end=LEAVE)
    go(sqlite_database, graph, now=now)
    walk(sqlite_database, tmp_path, now=now)
    assert enrolments(sqlite_database)[1].due_at is None, "it waits for the mail to settle"
    channels, _ = sink(tmp_path)
    sent = now + timedelta(hours=7)
    day(sqlite_database, tmp_path, channels, now=sent)
    person = enrolments(sqlite_database)[1]
    assert person.until_at == person.due_at == sent + timedelta(days=2)


@pytest.mark.parametrize("overdue", ["send", "shift"])
def test_a_pause_freezes_a_wait_for_something_and_what_came_meanwhile_counts(
    sqlite_database: Database, tmp_path: Path, now: datetime, overdue: str
) -> None:
    furnish(sqlite_database, (1, 2), now=now)
    go(sqlite_database, waiting(event="visited"), now=now)
    walk(sqlite_database, tmp_path, now=now)
    with sqlite_database.writing() as session:
        pause(session, "winback", now=now + timedelta(days=1))
    add_event(sqlite_database, 1, "visited", at=now + timedelta(days=3))
    walk(sqlite_database, tmp_path, now=now + timedelta(days=4))
    assert enrolments(sqlite_database)[1].step == "hope", "nobody moves while it is paused"
    resumed = now + timedelta(days=5)
    with sqlite_database.writing() as session:
        resume(session, "winback", overdue=overdue, now=resumed)
    walk(sqlite_database, tmp_path, now=resumed)
    assert path_of(sqlite_database, 1)[0] == ("hope", "yes")
    if overdue == "send":
        assert path_of(sqlite_database, 2)[0] == ("hope", "timeout")
    else:
        assert enrolments(sqlite_database)[2].due_at == now + timedelta(days=6), "one of its two days had passed"


@only_postgresql
def test_whoever_comes_to_the_step_while_the_event_is_read_is_woken_too(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    """The runner asked before the event was there and has not committed; the event must not be passed over."""
    furnish(database, (1,), now=now)
    graph = with_steps(rest={"kind": "wait", "hours": 1, "next": "hope"}, hope={
        "kind": "wait_for", "event": "visited", "days": 2, "next": {"yes": "end", "timeout": "end"}}, end=LEAVE)
    go(database, graph, now=now)
    walk(database, tmp_path, now=now)
    at = now + timedelta(hours=1)
    with database.writing() as session:
        connection = session.connection()
        advance(connection, noticing.READER, head(connection))
    found: list[int] = []

    def read() -> None:
        add_event(database, 1, "visited", at=at + timedelta(seconds=1))
        found.append(noticing.tick(database, now=at + timedelta(seconds=2), limit=100))

    with database.writing() as session:
        plans = load_plans(session.connection(), states=("running",))
        rows = session.execute(claiming.CLAIM.where(Enrolment.due_at <= at)).all()
        Walk(session, plans, rows, now=at, secret_key=SERVICES.secret_key, shelf=Shelf()).run()
        session.flush()
        reader = threading.Thread(target=read)
        reader.start()
        reader.join(0.5)
    reader.join(60)
    assert found == [1]
    walk(database, tmp_path, now=at + timedelta(seconds=2))
    assert path_of(database, 1)[1] == ("hope", "yes")


def test_the_first_case_that_fits_is_taken_and_everybody_else_goes_the_last_way(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2, 3), now=now)
    add_order(database, 1, at=now - timedelta(days=1))
    add_order(database, 2, at=now - timedelta(days=1), category="books")
    bought: dict[str, Any] = {"orders": "count", "at_least": 1}
    go(database, {**with_steps(
        who={"kind": "branch", "cases": [
            {"name": "furniture", "if": {**bought, "where": {"category": ["furniture"]}}},
            {"name": "anything", "if": bought}],
            "next": {"furniture": "on", "anything": "end", "else": "mail"}},
        on={"kind": "jump", "next": "end"}, mail=MAIL, end=LEAVE), "exit_when": []}, now=now)
    walk(database, tmp_path, now=now)
    assert path_of(database, 1) == [("who", "furniture"), ("on", "jumped"), ("end", "left")]
    assert path_of(database, 2) == [("who", "anything"), ("end", "left")]
    assert path_of(database, 3)[:2] == [("who", "else"), ("mail", "queued")]


def test_a_code_given_without_a_message_is_shown_by_a_later_one_and_outlives_its_failing(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, (1, 2), now=now)
    go(database, with_steps(
        code={"kind": "give", "offer": "ten-percent", "next": "mail"},
        mail={**MAIL, "offer": "ten-percent", "next": "pause"}, pause={"kind": "wait", "days": 3, "next": "end"},
        end=LEAVE), now=now)
    walk(database, tmp_path, now=now)
    given = codes(database)  # numbered by chance, as codes made together are
    assert {row.customer_id: row.code for row in ledger(database)} == {code.customer_id: code.code for code in given}
    assert len(given) == 2 and given[0].valid_until == now + timedelta(days=14)
    with database.writing() as session:
        move(session.connection(), [ledger(database)[0].id], "cancelled", from_="queued", now=now, reason="test")
    walk(database, tmp_path, now=now)
    assert {code.state for code in codes(database)} == {"issued"}, "what was given stays given"


def test_people_left_alone_get_no_code_by_a_give_step(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(sqlite_database, range(1, 41), now=now)
    graph = with_steps(code={"kind": "give", "offer": "ten-percent", "next": "end"}, end=LEAVE)
    go(sqlite_database, {**graph, "holdout_percent": 50}, now=now)
    walk(sqlite_database, tmp_path, now=now)
    held = {number for number, person in enrolments(sqlite_database).items() if person.held_out}
    assert 5 < len(held) < 35
    assert {code.customer_id for code in codes(sqlite_database)} == set(range(1, 41)) - held
    assert {path_of(sqlite_database, number)[0] for number in held} == {("code", "withheld")}
