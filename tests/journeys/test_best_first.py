"""The best first, until the budget is used; the rest by the next channel."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from sqlalchemy import select, update

from campaigns.costs import Price, Tier
from campaigns.house import save_house
from campaigns.planning import campaign_by_key
from campaigns.problems import InvalidPlan
from core.database import Database
from customers.consents import record_consent
from customers.models import Customer
from delivery.models import Message
from journeys.editing.audience import audience, people_in
from journeys.editing.checking_draft import check_draft
from journeys.editing.editing import publish
from journeys.graphs.schema import graph_schema
from journeys.models import Allotment, Enrolment, Version
from journeys.walk import running
from journeys.walk.walking import DRAWING_LOOK_US
from tests.delivery.ledger import KEY, add_people, sink
from tests.journeys.shop import (
    SERVICES,
    add_order,
    day,
    enrolments,
    furnish,
    go,
    ledger,
    questions,
    walk,
    with_steps,
)
from tests.journeys.test_forecast import EVERYBODY, drafted, foreseen, said
from tests.journeys.test_ranking import RANKING, foretold
from web.people.why_not import why_not

BUDGET = {"best_first": "letter", "budget_cents": 2_000}
FIRST: dict[str, Any] = {**with_steps(
    mail={"kind": "send", "content": "offer-a", "offer": "ten-percent", "channel": BUDGET, "fallback": True,
          "next": "pause"},
    pause={"kind": "wait", "days": 3, "next": "end"}, end={"kind": "leave"}), "exit_when": []}
PRICE = Price(unit_cents=500, setup_cents=500, tiers=(Tier(3, 400),))
"""Two letters cost 15.00, three cost 17.00, four would cost 21.00."""


def shop_of(database: Database, *, now: datetime) -> None:
    """Six people who could get letters and e-mails; 5, then 2, then 4 have bought most often, 4 wants no letters."""
    furnish(database, range(1, 7), now=now, channels=("email", "letter"))
    for customer, orders in ((2, 3), (4, 2), (5, 5), (6, 1)):
        for number in range(orders):
            add_order(database, customer, at=now - timedelta(days=30 + number), number=str(number))
    with database.writing() as session:
        save_house(session, prices={**dict(save_house(session, now=now).prices), "letter": PRICE}, now=now)
        record_consent(session, 4, channel="letter", state="withdrawn", now=now)
    foretold(database, now=now)


def told(database: Database) -> dict[int, str | None]:
    return {message.customer_id: message.channel for message in ledger(database)}


def test_the_best_get_letters_until_the_budget_is_used_the_rest_e_mails_and_everything_says_so(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    shop_of(database, now=now)
    drafted(database, FIRST, now=now)
    asker = questions(database, tmp_path)
    reach = {line.part: line.people for line in audience(asker, "spring", now=now, secret_key=KEY).lines}
    assert (reach["best:mail"], reach["channel:letter"], reach["channel:email"]) == (3, 3, 3)
    assert people_in(asker, "spring", "best:mail", now=now, secret_key=KEY)[1] == [2, 5, 6]
    outlook = foreseen(database, tmp_path, EVERYBODY, now=now, ranking=RANKING)
    assert said(outlook) == {("mail", "letter"): 3, ("mail", "email"): 3}
    assert any("20.00 EUR pays for letters to the best 3 people" in note for note in outlook.notes)

    go(database, FIRST, now=now)
    walk(database, tmp_path, now=now)
    assert told(database) == {2: "letter", 5: "letter", 6: "letter", 1: "email", 3: "email", 4: "email"}
    with database.reading() as session:
        places = dict(session.execute(select(Allotment.customer_id, Allotment.place)).all())
        details = {row.customer_id: row for row in session.scalars(select(Message))}
        said_why = {}
        for number in (5, 4, 3):
            customer = session.get_one(Customer, number)
            found = why_not(session, customer, campaign_by_key(session, "spring"), now=now, zone="Europe/Berlin")
            said_why[number] = found.more
    assert places == {5: 1, 2: 2, 6: 3} and len(details) == 6
    assert said_why[5] == "Place 1 of the 3 whom the budget gives a letter, the best first."
    assert said_why[4] == said_why[3] and "not among the 3 whom the budget gives a letter" in said_why[3]
    walk(database, tmp_path, now=now + timedelta(hours=1))  # twice is once
    assert len(ledger(database)) == 6

    # A new version does not spend the budget again: its best newcomer hears it as the rest do.
    with database.writing() as session:
        add_people(session, [7], now=now, channels=("email", "letter"))
        publish(session, "winback", now=now)
    add_order(database, 7, at=now - timedelta(days=1))
    walk(database, tmp_path, now=now + timedelta(hours=2))
    assert told(database)[7] == "email" and len(ledger(database)) == 7


def test_who_lost_the_right_to_a_letter_since_hears_it_as_the_rest_and_no_failure_leads_to_one(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    database = sqlite_database
    shop_of(database, now=now)
    later = {**FIRST, "start": "first", "steps": {"first": {"kind": "wait", "days": 1, "next": "mail"},
                                                  **FIRST["steps"]}}
    go(database, later, now=now)
    walk(database, tmp_path, now=now)
    with database.writing() as session:
        record_consent(session, 5, channel="letter", state="withdrawn", now=now)
        record_consent(session, 1, channel="email", state="withdrawn", now=now)
    channels = sink(tmp_path)[0]
    day(database, tmp_path, {"email": channels["email"]}, now=now + timedelta(days=1, hours=1))
    found = told(database)
    # 1 may get letters only, and has no place among the best: nothing is said.
    assert found == {1: None, 2: "letter", 3: "email", 4: "email", 5: "email", 6: "letter"}
    later = now + timedelta(days=1, hours=2)
    with database.writing() as session:
        session.execute(update(Message).where(Message.customer_id == 3).values(bounced_at=later))
        session.execute(update(Message).where(Message.customer_id == 2, Message.channel == "letter").values(
            state="failed", settled_at=later))
    walk(database, tmp_path, now=later)
    # 3 could get a letter, but has no place; 2 hears it by the next channel.
    assert [(row.customer_id, row.channel) for row in ledger(database)][6:] == [(2, "email")]


def test_nobody_is_told_before_everybody_is_in(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    database = sqlite_database
    shop_of(database, now=now)
    go(database, FIRST, now=now)
    walk(database, tmp_path, now=now)
    with database.writing() as session:  # as after a kill in the middle of the drawing
        session.execute(update(Version).values(entered_at=None))
        session.execute(update(Enrolment).values(step="mail", visit=50, due_at=now, state="active"))
    before = len(ledger(database))
    running.tick(database, now=now, limit=100, services=SERVICES)
    assert len(ledger(database)) == before
    due = {each.due_at for each in enrolments(database).values()}
    assert due == {now + timedelta(microseconds=DRAWING_LOOK_US)}


@pytest.mark.parametrize(("price", "budget", "most", "pieces"), [
    (Price(100), 950, 50, 9), (Price(100), 950, 5, 5), (Price(100, 1_000), 999, 5, 0), (Price(0), 1, 7, 7),
    (PRICE, 2_000, 9, 3), (PRICE, 1_600, 9, 2), (PRICE, 1_699, 2, 2), (PRICE, 900, 9, 0), (PRICE, 1_700, 9, 3),
    (Price(100, 0, (Tier(10, 50),)), 520, 9, 5), (Price(100, 0, (Tier(10, 50),)), 520, 20, 10),
])
def test_a_budget_pays_for_as_many_pieces_as_its_run_costs(price: Price, budget: int, most: int, pieces: int) -> None:
    assert price.affordable(budget, most) == pieces
    assert pieces == max(number for number in range(most + 1) if price.cents(number) <= budget)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"channel": {**BUDGET, "best_first": "preferred"}}, "steps.mail.channel.best_first"),
    ({"channel": {**BUDGET, "rest": "letter"}}, "steps.mail.channel.rest"),
    ({"channel": {**BUDGET, "rest": "pigeon"}}, "steps.mail.channel.rest"),
    ({"channel": {**BUDGET, "budget_cents": 0}}, "steps.mail.channel.budget_cents"),
    ({"channel": {**BUDGET, "budget_cents": True}}, "steps.mail.channel.budget_cents"),
    ({"channel": {**BUDGET, "by": "beauty"}}, "steps.mail.channel.by"),
    ({"channel": ["letter"]}, "steps.mail.channel"),
]


def test_what_cannot_be_decided_at_the_start_is_refused_with_its_place(
    sqlite_database: Database, now: datetime
) -> None:
    furnish(sqlite_database, (1,), now=now)

    def places(graph: dict[str, Any]) -> set[str]:
        with sqlite_database.reading() as session:
            return {problem.place for problem in check_draft(session, graph)}

    mail = FIRST["steps"]["mail"]
    assert places(FIRST) == set() and jsonschema_rs.is_valid(graph_schema(), FIRST)
    for changed, place in BAD:
        assert place in places({**FIRST, "steps": {**FIRST["steps"], "mail": {**mail, **changed}}}), changed
    assert places({**FIRST, "entry": {"segment": "lapsed", "on": "entering"}}) == {"steps.mail.channel"}
    asked = {**FIRST["steps"], "ask": {"kind": "branch", "if": {"orders": "count", "at_least": 1},
                                       "next": {"yes": "mail", "no": "end"}}}
    assert places({**FIRST, "start": "ask", "steps": asked}) == {"steps.mail.channel"}
    with pytest.raises(InvalidPlan, match="Nobody knows yet"):
        go(sqlite_database, FIRST, now=now)
