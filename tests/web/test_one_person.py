"""One person's data through every room, on both databases: told, exported, forgotten, and kept blocked."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, text

from core.database import Database
from core.errors import Invalid, NotFound
from core.settings import Settings
from coupons.models import KeptAnswer, Redemption
from customers.importing import KINDS
from customers.importing.records import store_records
from customers.models import Customer, Order, Suppression
from customers.story import line_sums, orders_before
from delivery.calls import put_on_desk
from delivery.desk import calls_on_desk, desk_counts
from delivery.person import contact_evidence, messages_before
from delivery.profile import Profile, get_profile, save_profile
from delivery.statements import take_statement
from journeys.telling.person import passages_of, visits_of
from tests.delivery.ledger import prepared
from tests.web import story
from web.people.personal_data import everything_held, forget
from web.people.story import Teller, tell
from winback.commands.people import customer
from winback.context import Context


def test_a_person_is_told_exported_and_forgotten_in_every_room(
    database: Database, settings: Settings, tmp_path: Path, now: datetime
) -> None:
    story.play(database, tmp_path, now=now, people=10)
    later = now + timedelta(days=10)
    with database.reading() as session:
        person_id = session.scalars(select(Redemption.customer_id).order_by(Redemption.id)).first()
        assert person_id is not None
        number = session.get_one(Customer, person_id).external_id
        teller = Teller("Europe/Berlin", later, {}, lambda _code: None, lambda enrolment: f"/{enrolment}")
        told = tell(session, person_id, teller)
        assert {"Redeemed", "Ordered", "Entered", "Left"} <= {line.what.split(" ")[0] for line in told.lines}
        assert [line.at for line in told.lines] == sorted((line.at for line in told.lines), reverse=True)
        assert orders_before(session, person_id)[0][1] and line_sums(session, person_id).lines
        assert messages_before(session, person_id) and contact_evidence(session, person_id, now=later)
        [passage] = passages_of(session, person_id)
        assert visits_of(session, passage.enrolment.id)
        held = everything_held(session, number)
        assert held["coupons"]["redemptions"] and held["messages"] and held["journeys"]
        json.dumps(held, allow_nan=False)
        orders = session.scalar(select(func.count()).select_from(Order).where(Order.customer_id == person_id))
    for _time in range(2):
        with database.writing() as session:
            forget(session, number, settings=settings, now=later)
    with database.reading() as session:
        gone = session.get_one(Customer, person_id)
        assert gone.first_name is None and gone.forgotten_at == later
        assert session.scalar(select(func.count()).select_from(Order).where(Order.customer_id == person_id)) == orders
        assert number not in [answer.get("customer") for answer in session.scalars(select(KeptAnswer.answer))]
        assert session.scalars(select(Suppression.reason)).first() == "erased"
        assert all(each.message.values == {} for each in messages_before(session, person_id))


def test_the_desk_the_sender_and_a_no_on_both_databases(database: Database, settings: Settings, now: datetime) -> None:
    ids = prepared(database, [1, 2, 3], now=now, channel="phone")
    with database.writing() as session:
        put_on_desk(session.connection(), ids, now=now)
        assert save_profile(session, Profile("Nordholm", sender_address="a@B.example"), now=now) == get_profile(session)
    with database.reading() as session:
        first = calls_on_desk(session, now=now, limit=2)
        due = int(first[-1].due_at.timestamp() * 1_000_000)
        rest = calls_on_desk(session, now=now, after=(due, first[-1].task_id))
        assert [line.customer for line in first + rest] == ["c1", "c2", "c3"]
    with database.writing() as session:
        take_statement(session, 1, channel="phone", state="withdrawn", now=now, secret_key=settings.secret_key)
    with database.reading() as session:
        assert desk_counts(session, now=now) == (2, 0)


def test_a_record_is_stored_as_a_line_of_a_file(database: Database, now: datetime) -> None:
    line: dict[str, str | None] = {"order_id": "o1", "customer_id": "c9", "ordered_at": "2026-01-01T00:00:00+00:00",
                                   "quantity": "2", "unit_price": "1.50", "currency": "EUR"}
    made = store_records(database, KINDS["orders"], [line, line], now=now, secret_key="k" * 16)
    again = store_records(database, KINDS["orders"], [line], now=now, secret_key="k" * 16)
    assert (made.created, again.created, again.updated) == (1, 0, 1)
    with database.reading() as session:
        assert session.scalars(select(Order.total_cents)).all() == [300]
        assert session.execute(text("SELECT count(*) FROM order_lines")).scalar_one() == 1


def test_the_command_line_shows_exports_and_forgets(database: Database, settings: Settings, now: datetime) -> None:
    ada: dict[str, str | None] = {"customer_id": "c1", "first_name": "Ada", "email": "ada@example.com"}
    store_records(database, KINDS["customers"], [ada], now=now, secret_key=settings.secret_key)
    context = Context(settings)
    context.__dict__["database"] = database

    def run(*words: str) -> str:
        answer = CliRunner().invoke(customer, list(words), obj=context, catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer.stdout

    assert "Ada, customer c1" in run("show", "c1")
    assert json.loads(run("export", "c1"))["customer"]["first_name"] == "Ada"
    refused = CliRunner().invoke(customer, ["forget", "c1"], obj=context, input="n\n")
    assert refused.exit_code != 0 and "Stays blocked" in refused.output
    for nobody_answers in ("n\n", ""):
        with pytest.raises(Invalid, match="Nothing was erased"):
            CliRunner().invoke(customer, ["forget", "c1"], obj=context, input=nobody_answers, catch_exceptions=False)
    with pytest.raises(NotFound, match="nobody"):  # before anything is asked
        CliRunner().invoke(customer, ["forget", "nobody"], obj=context, input="y\n", catch_exceptions=False)
    assert "forgotten" in run("forget", "c1", "--yes")
    with database.reading() as session:
        assert session.scalars(select(Customer.first_name)).all() == [None]
