"""Who may be written to, on which channel, and why not."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.database import Database
from customers.consents import object_to, record_consent
from customers.suppression import suppress
from delivery.policy import REASONS, verdicts
from tests.delivery.ledger import KEY, add_people

ALL = ["email", "letter", "phone"]


def _ask(session: Session, customer_id: int, *, now: datetime, message_class: str = "marketing") -> list[str | None]:
    found = verdicts(session.connection(), [customer_id] * 3, ALL, message_class=message_class, now=now, secret_key=KEY)
    assert all(reason is None or reason in REASONS for reason in found)
    return found


def test_with_no_word_from_the_person_only_a_letter_may_go(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now, channels=ALL, consents=())
        assert _ask(session, 1, now=now) == ["no consent for e-mail", None, "no consent for calls"]


def test_a_granted_consent_opens_a_channel_and_a_later_no_closes_it(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now, channels=ALL, consents=ALL)
        assert _ask(session, 1, now=now) == [None, None, None]
        for channel, state in zip(ALL, ("withdrawn", "denied", "withdrawn"), strict=True):
            record_consent(session, 1, channel=channel, state=state, now=now)
        assert _ask(session, 1, now=now) == ["said no to e-mail", "said no to letters", "said no to calls"]
        assert _ask(session, 1, now=now - timedelta(seconds=1)) == [None, None, None]


@pytest.mark.parametrize("message_class", ["service", "transactional"])
def test_what_is_no_advertising_needs_no_consent_but_stops_at_a_blocked_address(
    database: Database, now: datetime, message_class: str
) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now, channels=ALL, consents=())
        record_consent(session, 1, channel="email", state="denied", now=now)
        assert _ask(session, 1, now=now, message_class=message_class) == [None, None, None]
        suppress(session.connection(), 1, channel="email", reason="complained", now=now, secret_key=KEY)
        assert _ask(session, 1, now=now, message_class=message_class)[0] == "suppressed: complained"


def test_a_blocked_address_stays_blocked_for_whoever_has_it(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1, 2], now=now, channels=ALL)
        object_to(session, 1, channel="email", source="link", now=now, secret_key=KEY, reason="unsubscribed")
        session.execute(text(
            "UPDATE addresses SET value = (SELECT value FROM addresses WHERE customer_id = 1 AND channel = 'email'),"
            " lookup = (SELECT lookup FROM addresses WHERE customer_id = 1 AND channel = 'email')"
            " WHERE customer_id = 2 AND channel = 'email'"))
        assert [_ask(session, number, now=now)[0] for number in (1, 2)] == ["suppressed: unsubscribed"] * 2
        assert _ask(session, 2, now=now)[1:] == [None, None]


def test_without_a_usable_address_nothing_goes(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1, 2, 3], now=now, channels=(), consents=ALL)
        add_people(session, [4], now=now, channels=ALL, consents=ALL)
        assert _ask(session, 1, now=now) == ["no e-mail address", "no postal address", "no phone number"]
        session.execute(text("UPDATE addresses SET undeliverable_at = 1 WHERE channel <> 'letter'"))
        session.execute(text("UPDATE addresses SET postal_code = NULL WHERE channel = 'letter'"))
        assert _ask(session, 4, now=now) == [
            "e-mail address undeliverable", "postal address incomplete", "phone number does not work"]
        session.execute(text("UPDATE addresses SET value = '' WHERE channel = 'letter'"))
        assert _ask(session, 4, now=now)[1] == "no postal address"


def test_a_person_whose_data_is_erased_hears_nothing(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now, channels=ALL, consents=ALL)
        session.execute(text("UPDATE customers SET forgotten_at = 1"))
        assert _ask(session, 1, now=now, message_class="service") == ["data erased at the person's wish"] * 3


def test_a_batch_is_answered_in_its_own_order(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now, channels=ALL, consents=["email"])
        add_people(session, [2], now=now, channels=ALL, consents=["phone"])
        assert verdicts(session.connection(), [2, 1, 2, 1], ["email", "email", "phone", "phone"],
                        message_class="marketing", now=now, secret_key=KEY) == [
            "no consent for e-mail", None, None, "no consent for calls"]


def test_a_letter_to_a_country_without_postal_codes_needs_none(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now, channels=ALL)
        session.execute(text("UPDATE addresses SET postal_code = NULL WHERE channel = 'letter'"))
        assert _ask(session, 1, now=now)[1] == "postal address incomplete"
        session.execute(text("UPDATE addresses SET country = 'AE' WHERE channel = 'letter'"))
        assert _ask(session, 1, now=now)[1] is None
