"""The customers' pages: found by many words, their whole story, why not, wishes, consents, export, forgetting."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from core.database import Database, open_database
from customers.consents import current_consents
from customers.models import (
    Consent,
    Contact,
    Customer,
    Event,
    Order,
    OrderLine,
    Relation,
    Score,
    Suppression,
)
from delivery.models import Message, MessageEvent
from delivery.preference import choose_channels
from journeys.models import Enrolment
from tests.conftest import NOW, made_once
from tests.web import story
from tests.web.story import HOSTILE
from web.wording.formatting import money

_ORDERS = text("SELECT count(*) FROM orders WHERE customer_id = :i")
SECRET = "test-secret-key-0123456789"


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """SQLite only: what the pages ask of the rooms is tested on both databases there."""
    shutil.copyfile(sqlite_template, tmp_path / "winback.db")
    return f"sqlite:///{tmp_path / 'winback.db'}"


@pytest.fixture
def played(database_url: str, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A furniture shop ten days into its campaign, in the place of the empty database."""

    def make(path: Path) -> None:
        shutil.copyfile(sqlite_template, path)
        made = open_database(f"sqlite:///{path}")
        story.play(made, tmp_path_factory.mktemp("played"), now=NOW, people=24)
        made.dispose()

    shutil.copyfile(made_once(tmp_path_factory, "played24.db", make), database_url.removeprefix("sqlite:///"))
    database = open_database(database_url)
    yield database
    database.dispose()


@pytest.fixture
def database(request: pytest.FixtureRequest, database_url: str) -> Iterator[Database]:
    """The played shop where a test asks for it, an empty one otherwise."""
    if "played" in request.fixturenames:
        yield request.getfixturevalue("played")
        return
    opened = open_database(database_url)
    yield opened
    opened.dispose()


def _number(database: Database, where: str) -> str:
    with database.reading() as session:
        return str(session.execute(text(
            f"SELECT c.external_id FROM customers c WHERE {where} ORDER BY c.id LIMIT 1")).scalar_one())


def test_an_empty_list_says_what_it_is_for(marketer: FlaskClient) -> None:
    page = marketer.get("/customers").text
    assert "No customers yet" in page
    assert "Nobody found for" in marketer.get("/customers?q=nobody").text


def test_people_are_found_by_every_word_and_walked_page_by_page(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    with database.writing() as session:
        session.add_all(Customer(external_id=f"k{n}", first_name="Ada", last_name=f"Nr{n}", search=f"k{n} ada nr{n}",
                                 imported_at=now) for n in range(60))
    first = marketer.get("/customers?q=ADA").text
    assert "Ada Nr0" in first and "Ada Nr59" not in first
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = marketer.get(following).text
    assert "Ada Nr59" in second and "Ada Nr0<" not in second
    assert "Ada Nr7<" in marketer.get("/customers?q=nr7+ada").text


@pytest.mark.parametrize("words", ["%", "_", "' OR 1=1 --", "<script>", "\x00", "a" * 5000])
def test_hostile_searches_find_nobody_and_break_nothing(
    marketer: FlaskClient, database: Database, now: datetime, words: str
) -> None:
    with database.writing() as session:
        session.add(Customer(external_id="k1", first_name="Ada", search="k1 ada", imported_at=now))
    answer = marketer.get("/customers", query_string={"q": words})
    assert answer.status_code == 200
    assert "<script>" not in answer.text.split("<main", 1)[1].split("</main>")[0]
    if words.strip("\x00"):
        assert "Nobody found" in answer.text


def test_a_hostile_cursor_is_refused_with_a_sentence(marketer: FlaskClient) -> None:
    assert marketer.get("/customers?after=x").status_code == 400
    assert marketer.get("/customers?after=99999999999999999999").status_code == 400


def test_one_page_tells_orders_messages_codes_and_the_journey(marketer: FlaskClient, played: Database) -> None:
    number = _number(played, "EXISTS (SELECT 1 FROM redemptions r WHERE r.customer_id = c.id AND r.state = 'redeemed')"
                             " AND EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)")
    page = marketer.get(f"/customers/{number}").text
    for words in ("Redeemed ", "Ordered ", "Entered “Furniture win-back”", "E-mail “", "Revenue so far",
                  "Contribution so far", "Left “", "Because redeemed the code", "may write"):
        assert words in page, words
    assert "Ordered " not in marketer.get(f"/customers/{number}?show=contacts").text.split('class="tl"')[1]


def test_the_page_shows_events_relations_and_scores(marketer: FlaskClient, played: Database, now: datetime) -> None:
    number = _number(played, "NOT EXISTS (SELECT 1 FROM events e WHERE e.customer_id = c.id)")
    assert ">Events<" not in marketer.get(f"/customers/{number}").text
    with played.writing() as session:
        person = session.scalars(select(Customer).where(Customer.external_id == number)).one().id
        session.add(Event(external_id="e1", customer_id=person, name="cart_abandoned", at=now, source="web",
                          properties={"value": 129.9, "gift": True}, recorded_at=now))
        session.add(Relation(external_id="r1", customer_id=person, kind="press", role="editor", since_at=now))
        session.add(Score(customer_id=person, name="rfm", value=543, computed_at=now))
    page = marketer.get(f"/customers/{number}").text
    for words in (">Events<", "Cart abandoned (web)", "value: 129.9, gift: true", "Press", "editor", "RFM", ">543<"):
        assert words in page, words
    alone = marketer.get(f"/customers/{number}?show=events").text.split('class="tl"')[1]
    assert "Cart abandoned" in alone and "Ordered " not in alone


def test_silence_stands_in_the_story_with_its_reason(marketer: FlaskClient, played: Database) -> None:
    held = _number(played, "EXISTS (SELECT 1 FROM enrolments e WHERE e.customer_id = c.id AND e.held_out)")
    page = marketer.get(f"/customers/{held}?show=why").text
    assert "Left alone for comparison in “" in page
    assert "Entered" not in page.split('class="tl"')[1].split("</ol>")[0]


def test_why_not_answers_with_the_row(marketer: FlaskClient, played: Database, now: datetime) -> None:
    held = _number(played, "EXISTS (SELECT 1 FROM enrolments e WHERE e.customer_id = c.id AND e.held_out)")
    assert "left alone for comparison" in marketer.get(f"/customers/{held}?why=spring").text
    sent = _number(played, "EXISTS (SELECT 1 FROM messages m WHERE m.customer_id = c.id AND m.state = 'sent')")
    assert "did get “" in marketer.get(f"/customers/{sent}?why=spring").text
    with played.writing() as session:
        session.add(Customer(external_id="outside", salutation="Frau", first_name="Helga", imported_at=now))
    answer = marketer.get("/customers/outside?why=spring").text
    assert "She never entered “" in answer
    assert marketer.get("/customers/outside?why=no-such").status_code == 200


def test_a_message_kept_back_is_explained_by_its_reason(marketer: FlaskClient, played: Database) -> None:
    number = _number(played, "EXISTS (SELECT 1 FROM messages m WHERE m.customer_id = c.id AND m.state = 'sent')")
    with played.writing() as session:
        session.execute(text(
            "UPDATE messages SET state = 'suppressed', sent_at = NULL, reason = 'no consent for e-mail'"
            " WHERE customer_id = (SELECT id FROM customers WHERE external_id = :n)"), {"n": number})
    page = marketer.get(f"/customers/{number}?why=spring").text
    assert "was not sent on" in page and "no consent for e-mail" in page
    assert "No e-mail “" in marketer.get(f"/customers/{number}?show=why").text


def test_the_path_of_a_person_reads_step_by_step(marketer: FlaskClient, played: Database) -> None:
    number = _number(played, "EXISTS (SELECT 1 FROM visits v JOIN enrolments e ON e.id = v.enrolment_id"
                             " WHERE e.customer_id = c.id)")
    page = marketer.get(f"/customers/{number}").text
    link = page.split('aria-label="Path through')[0].rsplit('href="', 1)[1].split('"')[0]
    told = marketer.get(link).text
    assert "split" in told and "Offer (arm)" in told
    assert marketer.get(f"/customers/_path/999999/{number}").status_code == 404
    other = _number(played, f"c.external_id <> '{number}'")
    assert marketer.get(link.replace(f"/{number}", f"/{other}")).status_code == 404


def test_a_story_longer_than_a_page_is_walked_without_losing_or_doubling_a_line(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    with database.writing() as session:
        person = Customer(external_id="long", imported_at=now)
        session.add(person)
        session.flush()
        session.add_all(Contact(external_id=f"x{n}", customer_id=person.id, at=now - timedelta(days=n // 3),
                                kind="call", direction="in", subject=f"nr-{n}-") for n in range(130))
    seen: list[str] = []
    href: str | None = "/customers/long"
    while href:
        page = marketer.get(href).text
        seen += [part.split("-")[0] for part in page.split("nr-")[1:]]
        href = page.split('class="older')[1].split('href="')[1].split('"')[0].replace("&amp;", "&") \
            if "Show earlier entries" in page else None
    assert sorted(map(int, seen)) == list(range(130))


def test_hostile_words_stay_words(marketer: FlaskClient, database: Database, now: datetime) -> None:
    with database.writing() as session:
        person = Customer(external_id="a/b?c=<d>", first_name=HOSTILE, last_name="{{ 7*7 }}", search="x",
                          imported_at=now)
        session.add(person)
        session.flush()
        order = Order(external_id=HOSTILE[:100], customer_id=person.id, ordered_at=now, currency="EUR", total_cents=100,
                      status=HOSTILE[:20])
        session.add(order)
        session.flush()
        session.add(OrderLine(order_id=order.id, customer_id=person.id, ordered_at=now, currency="EUR",
                              product=HOSTILE, quantity_milli=1000, unit_price_cents=100, total_cents=100))
        session.add(Contact(external_id="c", customer_id=person.id, at=now, kind="x" * 40, direction="out",
                            subject=HOSTILE, text=HOSTILE))
        session.add(Consent(customer_id=person.id, channel="email", state="granted", at=now, source=HOSTILE,
                            proof="javascript:alert(1)", recorded_at=now))
    for address in ("/customers", "/customers/a/b%3Fc=%3Cd%3E"):
        page = marketer.get(address)
        assert page.status_code == 200
        assert "<script>alert" not in page.text and "49" not in page.text.split("<h1>")[1].split("</h1>")[0]
        assert 'href="javascript' not in page.text


def test_the_wish_decides_the_channel_and_is_noted_by_whom(
    marketer: FlaskClient, played: Database, now: datetime
) -> None:
    number = _number(played, "c.preferred_channel IS NULL")
    assert marketer.post(f"/customers/_wish/{number}", data={"channel": "email"}).status_code == 302
    page = marketer.get(f"/customers/{number}").text
    assert "asked for it." in page
    assert marketer.post(f"/customers/_wish/{number}", data={"channel": "pigeon"}).status_code == 400
    with played.reading() as session:
        person = session.scalars(select(Customer).where(Customer.external_id == number)).one()
        assert choose_channels(session.connection(), [person.id], wish="preferred", allowed=("letter", "email"),
                               now=now, secret_key=SECRET)[0].channel == "email"
        verbs = session.execute(text("SELECT verb, thing FROM audit_entries")).all()
    assert ("customer.wish", f"customer:{person.id}") in [tuple(row) for row in verbs]


def test_a_yes_needs_its_proof_and_a_no_counts_at_once(marketer: FlaskClient, played: Database, now: datetime) -> None:
    number = _number(played, "1 = 1")
    refused = marketer.post(f"/customers/_consent/{number}", data={
        "channel": "phone", "state": "granted", "source": "shop"})
    assert refused.status_code == 400 and "needs its proof" in refused.text and "data-open-now" in refused.text
    with played.reading() as session:
        person = session.scalars(select(Customer).where(Customer.external_id == number)).one().id
    marketer.post(f"/customers/_consent/{number}", data={"channel": "phone", "state": "granted", "proof": "form 7"})
    later = now + timedelta(days=30)
    with played.reading() as session:
        assert current_consents(session.connection(), [person], channel="phone", now=later) == ["granted"]
    no = {"channel": "email", "state": "withdrawn"}
    for _click in range(2):
        assert marketer.post(f"/customers/_consent/{number}", data=no).status_code == 302
    with played.reading() as session:
        assert current_consents(session.connection(), [person], channel="email", now=later) == ["withdrawn"]
        assert session.scalars(select(Suppression.reason)).all() == ["objected"]
    unknown = {"channel": "x", "state": "granted", "proof": "p"}
    assert marketer.post(f"/customers/_consent/{number}", data=unknown).status_code == 400


def test_the_export_holds_what_every_room_holds(marketer: FlaskClient, played: Database) -> None:
    number = _number(played, "EXISTS (SELECT 1 FROM redemptions r WHERE r.customer_id = c.id)")
    answer = marketer.post(f"/customers/_export/{number}")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    held = json.loads(answer.text)
    assert {"customer", "addresses", "consents", "contacts", "orders", "messages", "coupons", "journeys",
            "past_campaigns", "segments", "events", "relations", "scores"} <= set(held)
    assert held["messages"] and held["coupons"]["redemptions"] and held["journeys"][0]["steps"]


def test_forgetting_leaves_no_personal_word_in_any_table(
    marketer: FlaskClient, app: Flask, played: Database, now: datetime
) -> None:
    number = _number(played, "EXISTS (SELECT 1 FROM redemptions r WHERE r.customer_id = c.id)")
    secret = "Geheimnis"
    home = app.extensions["winback.settings"].home
    with played.writing() as session:
        person = session.scalars(select(Customer).where(Customer.external_id == number)).one()
        person.first_name = secret
        session.add(Contact(external_id="s", customer_id=person.id, at=now, kind="call", direction="in", text=secret))
        message = session.scalars(select(Message).where(Message.customer_id == person.id)).first()
        assert message is not None
        message.values = {"greeting": secret}
        session.add(MessageEvent(message_id=message.id, kind="called", at=now, source="call", source_key="1",
                                 detail={"note": secret}))
        for passage in session.scalars(select(Enrolment).where(Enrolment.customer_id == person.id)):
            passage.error = f"{secret} cannot be laid out"
        person_id, public_id = person.id, message.public_id
        orders = session.execute(_ORDERS, {"i": person_id}).scalar_one()
    folder = home / "letters" / "2026-03-02"
    folder.mkdir(parents=True)
    (folder / f"{public_id}.pdf").write_bytes(secret.encode())
    (folder / "manifest.csv").write_text(f"public_id,file,address\n{public_id},x.pdf,{secret}\nother,y.pdf,Anna\n")
    for _click in range(2):
        marketer.post(f"/customers/_forget/{number}")
    with played.reading() as session:
        tables = session.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
        for table in tables:
            rows = session.execute(text(f'SELECT * FROM "{table}"')).all()
            assert not [row for row in rows if secret in str(row)], table
            if table != "suppressions":
                words = [value for row in rows for value in row if isinstance(value, str)]
                assert f"{number}@example.com" not in words and number not in words, table
        assert session.execute(_ORDERS, {"i": person_id}).scalar_one() == orders
        assert session.execute(text("SELECT count(*) FROM suppressions WHERE reason = 'erased'")).scalar_one() > 0
    assert not (folder / f"{public_id}.pdf").exists()
    assert (folder / "manifest.csv").read_text().splitlines() == ["public_id,file,address", "other,y.pdf,Anna"]
    assert marketer.get(f"/customers/{number}").status_code == 404


def test_an_analyst_looks_and_changes_nothing(sign_in: Callable[..., FlaskClient], played: Database) -> None:
    number, analyst = _number(played, "1 = 1"), sign_in("analyst")
    assert analyst.get(f"/customers/{number}").status_code == 200
    for act in ("wish", "consent", "export", "forget"):
        assert analyst.post(f"/customers/_{act}/{number}", data={"channel": "email"}).status_code == 403


def test_what_orders_left_is_told_where_every_cost_is_known(marketer: FlaskClient, played: Database) -> None:
    number = _number(played, "EXISTS (SELECT 1 FROM order_lines l WHERE l.customer_id = c.id AND NOT l.cancelled)")
    assert "VAT or cost of some lines is not known" in marketer.get(f"/customers/{number}").text
    with played.writing() as session:
        customer_id = session.scalars(select(Customer.id).where(Customer.external_id == number)).one()
        lines = session.scalars(select(OrderLine).where(OrderLine.customer_id == customer_id)).all()
        for line in lines:
            line.tax_rate, line.unit_cost_cents, line.returned_quantity_milli = 0.25, 1_000, 0
            line.total_cents, line.discount_cents, line.quantity_milli = 12_500, 0, 2_000
        left = 8_000 * sum(not line.cancelled for line in lines)
    page = marketer.get(f"/customers/{number}").text
    assert "after returns, VAT and cost" in page and money(left) in page
