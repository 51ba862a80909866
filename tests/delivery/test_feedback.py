"""What comes back: each event once, a no at once, and only dead addresses are given up."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from core.database import Database
from core.errors import NotFound
from customers.consents import current_consents, record_consent
from customers.models import Address, Consent, Suppression
from delivery.feedback import bounced, record_event, unsubscribe
from delivery.links import Links
from delivery.models import Message, MessageEvent
from tests.delivery.ledger import KEY, add_content, add_messages, messages, prepared, states


def test_an_event_told_twice_is_recorded_once_and_the_first_one_stamps_the_message(
    database: Database, now: datetime
) -> None:
    ids = prepared(database, [1], now=now)
    later = now + timedelta(hours=1)
    with database.writing() as session:
        assert record_event(session, ids[0], "opened", at=now, source="link", source_key="a")
        assert not record_event(session, ids[0], "opened", at=later, source="link", source_key="a")
        assert record_event(session, ids[0], "opened", at=later, source="link", source_key="b")
        assert record_event(session, ids[0], "clicked", at=later, source="link", source_key="c")
        assert session.execute(select(func.count()).select_from(MessageEvent)).scalar_one() == 3
    message = messages(database)[1]
    assert (message.opened_at, message.clicked_at, message.state) == (now, later, "queued")


def test_unsubscribing_withdraws_the_consent_blocks_the_address_and_silences_what_is_queued(
    database: Database, now: datetime
) -> None:
    prepared(database, [1, 2], now=now)
    public_id = messages(database)[1].public_id
    with database.writing() as session:
        unsubscribe(session, public_id, now=now, secret_key=KEY)
    assert states(database) == {1: "suppressed", 2: "queued"}
    with database.reading() as session:
        connection = session.connection()
        assert current_consents(connection, [1], channel="email", now=now) == ["withdrawn"]
        assert current_consents(connection, [1], channel="phone", now=now) == ["granted"]
        assert session.scalars(select(Suppression.reason)).all() == ["unsubscribed"]


def test_unsubscribing_twice_is_harmless_and_works_again_after_a_new_consent(
    database: Database, now: datetime
) -> None:
    prepared(database, [1], now=now)
    public_id = messages(database)[1].public_id

    def say_no(minutes: int) -> None:
        with database.writing() as session:
            unsubscribe(session, public_id, now=now + timedelta(minutes=minutes), secret_key=KEY)

    def count(model: type[Consent] | type[MessageEvent]) -> int:
        with database.reading() as session:
            return session.execute(select(func.count()).select_from(model)).scalar_one()

    say_no(0)
    rows, events = count(Consent), count(MessageEvent)
    say_no(1)
    assert (count(Consent), count(MessageEvent)) == (rows, events)
    with database.writing() as session:
        record_consent(session, 1, channel="email", state="granted", basis="consent", now=now + timedelta(minutes=2))
    say_no(3)
    with database.reading() as session:
        found = current_consents(session.connection(), [1], channel="email", now=now + timedelta(minutes=3))
    assert found == ["withdrawn"]


def test_unsubscribing_leaves_messages_that_are_no_advertising(database: Database, now: datetime) -> None:
    prepared(database, [1], now=now)
    with database.writing() as session:
        revision = add_content(session, now=now)
        ids = add_messages(session, [1], now=now, revision=revision, occasion="service", message_class="service")
        unsubscribe(session, session.scalars(select(Message.public_id).order_by(Message.id)).first() or "", now=now,
                    secret_key=KEY)
        assert session.get_one(Message, ids[0]).state == "queued"


def test_a_hard_bounce_gives_the_address_up_once(database: Database, now: datetime) -> None:
    prepared(database, [1], now=now)
    public_id = messages(database)[1].public_id
    for expected in (True, False):
        with database.writing() as session:
            assert bounced(session, public_id, at=now, source="smtp", source_key="x", about_address=True,
                           address="C1@example.com", now=now, secret_key=KEY) is expected
    with database.reading() as session:
        assert session.scalars(select(Address.channel).where(Address.undeliverable_at.is_not(None))).all() == ["email"]
        assert session.scalars(select(Suppression.reason)).all() == ["bounced"]
    assert messages(database)[1].bounced_at == now


@pytest.mark.parametrize(("about_address", "address"), [(False, None), (True, "old@example.com")])
def test_a_bounce_about_us_or_about_an_old_address_gives_nothing_up(
    database: Database, now: datetime, about_address: bool, address: str | None
) -> None:
    prepared(database, [1], now=now)
    with database.writing() as session:
        assert bounced(session, messages(database)[1].public_id, at=now, source="smtp", source_key="x",
                       about_address=about_address, address=address, now=now, secret_key=KEY)
        assert session.scalars(select(Address).where(Address.undeliverable_at.is_not(None))).all() == []
        assert session.scalars(select(Suppression)).all() == []


def test_a_link_of_nobody_changes_nothing(database: Database, now: datetime) -> None:
    with database.writing() as session, pytest.raises(NotFound):
        unsubscribe(session, "0" * 32, now=now, secret_key=KEY)


def test_a_token_is_good_for_its_own_purpose_and_installation_only() -> None:
    links = Links(base_url="https://winback.example/", secret_key=KEY)
    token = links.token("u", "abc")
    assert links.url("u", "abc") == f"https://winback.example/u/{token}"
    assert links.read("u", token) == ("abc", "")
    assert links.read("c", links.token("c", "abc", "shop")) == ("abc", "shop")
    assert links.read("p", token) is None
    for forged in (f"{token}x", "abc", token.replace("abc", "abd"), "é"):
        assert links.read("u", forged) is None
    assert Links(base_url="https://winback.example", secret_key="another-secret-key").read("u", token) is None
