"""What pickers offer: values with the people behind them, alike from the row store and from the mirror."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import Invalid
from core.settings import read_settings
from customers.models import AttributeType, Customer, Event, Organisation, Relation
from segments.choosing.choices import Choice, attribute_types, choices
from segments.engines.questions import Questions
from segments.language.fields import CUSTOMER_FIELDS, WHERE
from tests.web.people import make_people

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


@pytest.fixture(params=["rows", "mirror"])
def questions(request: pytest.FixtureRequest, database: Database, now: datetime, tmp_path: Path) -> Questions:
    make_people(database, now=now)
    settings = read_settings({"WINBACK_HOME": str(tmp_path / "home"), "WINBACK_DATABASE_URL": "sqlite:////tmp/none.db",
                              "WINBACK_SECRET_KEY": "test-secret-key-0123456789"})
    asked = Questions(database, settings, engine=request.param)
    asked.refresh(now=now)
    return asked


def test_values_come_with_their_people_most_first(questions: Questions) -> None:
    assert choices(questions, "orders", "category", now=AT) == [Choice("furniture", 4), Choice("lighting", 2)]
    assert choices(questions, "customer", "city", now=AT) == [Choice("Lübeck", 7)]
    assert choices(questions, "contacts", "kind", now=AT) == [Choice("complaint", 1)]
    assert choices(questions, "orders", "category", limit=1, now=AT) == [Choice("furniture", 4)]


def test_a_text_finds_values_that_contain_it_capitals_aside(questions: Questions) -> None:
    assert choices(questions, "orders", "category", text=" IGHT ", now=AT) == [Choice("lighting", 2)]
    assert choices(questions, "customer", "city", text="LÜB", now=AT) == [Choice("Lübeck", 7)]
    assert choices(questions, "orders", "category", text="%", now=AT) == []


def test_every_word_of_texts_has_choices_and_others_are_refused(questions: Questions) -> None:
    for source, words in WHERE.items():
        for word in words:
            if word != "min_unit_price":
                choices(questions, source, word, now=AT)
    for field in CUSTOMER_FIELDS.values():
        if field.kind == "text":
            choices(questions, "customer", field.name, now=AT)
    assert choices(questions, "customer", "attributes.shoe", now=AT) == []
    for source, word in (("orders", "min_unit_price"), ("orders", "nope"), ("nope", "x"), ("customer", "birthday")):
        with pytest.raises(Invalid):
            choices(questions, source, word, now=AT)


def test_what_is_told_can_be_chosen(questions: Questions) -> None:
    with questions.database.writing() as session:
        person = session.scalars(select(Customer.id).limit(1)).one()
        firm = Organisation(external_id="O1", name="The Paper")
        session.add(firm)
        session.flush()
        session.add(Relation(external_id="r", customer_id=person, kind="press", organisation_id=firm.id))
        session.add(Event(external_id="e", customer_id=person, name="shop.cart", at=AT, recorded_at=AT,
                          properties={"value": 129.9, "x.y": True}))
    questions.refresh(now=AT)
    assert choices(questions, "relations", "organisation", now=AT) == [Choice("The Paper", 1)]
    assert choices(questions, "relations", "kind", now=AT) == [Choice("press", 1)]
    assert choices(questions, "events", "name", now=AT) == [Choice("shop.cart", 1)]
    assert choices(questions, "events", "value", event="shop.cart", now=AT) == [Choice("129.9", 1)]
    assert choices(questions, "events", "x.y", event="shop.cart", now=AT, text="TR") == [Choice("true", 1)]
    with pytest.raises(Invalid):
        choices(questions, "events", "cart", now=AT)


def test_own_columns_are_known_with_their_types(database: Database) -> None:
    with database.writing() as session:
        session.add(AttributeType(name="club", kind="boolean"))
        session.flush()
        assert attribute_types(session) == {"club": "boolean"}
