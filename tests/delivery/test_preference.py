"""The channel a person hears from us on: asked for, else inferred, else the cheapest; never without permission."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.database import Database
from customers.consents import record_consent
from customers.contacts import record_contact
from delivery.preference import Choice, choose_channels, reachable
from tests.delivery.ledger import KEY, add_people

ALL = ("email", "letter", "phone")


def _choose(
    session: Session, people: Sequence[int], *, now: datetime, wish: str = "preferred", allowed: tuple[str, ...] = ALL
) -> list[Choice]:
    return choose_channels(session.connection(), people, wish=wish, allowed=allowed, now=now, secret_key=KEY)


def _contact(
    session: Session, person: int, *, kind: str, at: datetime, channel: str | None = None, direction: str = "in"
) -> None:
    record_contact(session, person, external_id=f"{person}.{kind}.{channel}.{at.isoformat()}", kind=kind,
                   direction=direction, channel=channel, now=at)


def _wish(session: Session, person: int, channel: str) -> None:
    session.execute(text("UPDATE customers SET preferred_channel = :channel WHERE id = :id"),
                    {"channel": channel, "id": person})


def test_the_explicit_wish_comes_first_if_it_is_allowed(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1, 2, 3], now=now, channels=ALL)
        for person, channel in ((1, "letter"), (2, "phone"), (3, "sms")):
            _wish(session, person, channel)
            _contact(session, person, kind="email", at=now - timedelta(days=1))
        record_consent(session, 2, channel="phone", state="withdrawn", now=now)
        assert _choose(session, [1, 2, 3], now=now) == [
            Choice("letter", "asked for letters"),
            Choice("email", "asked for calls, but said no to calls; has contacted the shop by e-mail"),
            Choice("email", "asked for sms, but this is not used here; has contacted the shop by e-mail"),
        ]


def test_else_the_channel_of_the_persons_own_contacts_recent_ones_weighing_more(
    database: Database, now: datetime
) -> None:
    with database.writing() as session:
        add_people(session, [1, 2, 3], now=now, channels=ALL)
        for age_days in (700, 710, 720):
            _contact(session, 1, kind="letter", at=now - timedelta(days=age_days))
        _contact(session, 1, kind="call", at=now - timedelta(days=10))
        # 181 days are more than one half-life: two of them weigh less than one of today, two of 179 days more
        for hours in (0, 1):
            _contact(session, 2, kind="letter", at=now - timedelta(days=181, hours=hours))
            _contact(session, 3, kind="letter", at=now - timedelta(days=179, hours=hours))
        _contact(session, 2, kind="call", at=now)
        _contact(session, 3, kind="call", at=now)
        assert [choice.channel for choice in _choose(session, [1, 2, 3], now=now)] == ["phone", "phone", "letter"]


def test_complaints_service_requests_our_own_contacts_and_later_ones_say_nothing(
    database: Database, now: datetime
) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now, channels=ALL)
        _contact(session, 1, kind="complaint", at=now, channel="phone")
        _contact(session, 1, kind="service_request", at=now, channel="phone")
        _contact(session, 1, kind="call", at=now, direction="out")
        _contact(session, 1, kind="call", at=now + timedelta(seconds=1))
        assert _choose(session, [1], now=now) == [Choice("email", "the cheapest allowed channel")]


def test_the_noted_channel_of_a_contact_counts_before_its_kind(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now, channels=ALL)
        _contact(session, 1, kind="survey", at=now, channel="letter")
        assert _choose(session, [1], now=now)[0].channel == "letter"


def test_an_inferred_wish_is_never_a_consent(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now, channels=ALL, consents=())
        _contact(session, 1, kind="call", at=now)
        _wish(session, 1, "email")
        assert _choose(session, [1], now=now) == [
            Choice("letter", "asked for e-mail, but no consent for e-mail; the cheapest allowed channel")]


def test_with_no_allowed_channel_the_choice_is_silence_with_every_reason(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now, channels=["email"], consents=())
        assert _choose(session, [1], now=now) == [
            Choice(None, "no consent for e-mail; no postal address; no consent for calls")]
        assert _choose(session, [1], now=now, wish="letter") == [Choice(None, "no postal address")]
        assert _choose(session, [1], now=now, allowed=("phone",)) == [Choice(None, "no consent for calls")]


def test_a_step_that_asks_for_one_channel_gets_it_or_silence(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now, channels=ALL)
        _wish(session, 1, "phone")
        assert _choose(session, [1], now=now, wish="letter") == [Choice("letter", "the step asks for letters")]


def test_reachable_lists_the_usable_channels_cheapest_first(database: Database, now: datetime) -> None:
    with database.writing() as session:
        add_people(session, [1], now=now, channels=ALL)
        add_people(session, [2], now=now, channels=["letter", "phone"], consents=())
        add_people(session, [3], now=now, channels=())
        assert reachable(session.connection(), [3, 2, 1], now=now, secret_key=KEY) == [
            [], ["letter"], ["email", "letter", "phone"]]
