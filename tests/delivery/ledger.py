"""People, a content and queued messages for the tests of the ledger."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from core.database import Database
from core.leases import enlist
from customers.identity import email_lookup, letter_lookup
from customers.models import Address, Consent, Customer
from delivery.channels import Channel
from delivery.channels.memory import MemoryChannel
from delivery.contents import newest_revision, save_content
from delivery.models import Message
from delivery.outbox import MessageColumns, queue
from delivery.sending import tick
from delivery.settings import DeliverySettings, Shop

KEY = "test-secret-key-0123456789"
MJML = """<mjml><mj-body><mj-section><mj-column>
<mj-text>{{ greeting }}, your code is {{ code }}. <a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>"""
SETTINGS = DeliverySettings(
    secret_key=KEY, base_url="https://winback.example",
    shop=Shop("Möbel Beispiel", "https://shop.example", ("Ring 1", "10115 Berlin")),
    sender_name="Möbel Beispiel", sender_address="post@shop.example",
)


def add_people(
    session: Session, numbers: Sequence[int], *, now: datetime, channels: Sequence[str] = ("email",),
    consents: Sequence[str] = ("email", "phone"),
) -> list[int]:
    """Customers with these ids, addresses on these channels and these consents given a year ago."""
    if not numbers:
        return []
    session.execute(insert(Customer), [
        {"id": number, "external_id": f"c{number}", "first_name": "Ada", "last_name": f"Nr{number}",
         "imported_at": now} for number in numbers])
    for channel in channels:
        session.execute(insert(Address), [_address(number, channel) for number in numbers])
    given_at = now - timedelta(days=365)
    for channel in consents:
        session.execute(insert(Consent), [
            {"customer_id": number, "channel": channel, "state": "granted", "basis": "consent", "at": given_at,
             "recorded_at": given_at} for number in numbers])
    return list(numbers)


def _address(number: int, channel: str) -> dict[str, Any]:
    if channel == "email":
        value = f"c{number}@example.com"
        return {"customer_id": number, "channel": channel, "value": value, "lookup": email_lookup(value)}
    if channel == "phone":
        value = f"+4930{number:07}"
        return {"customer_id": number, "channel": channel, "value": value, "lookup": value}
    return {"customer_id": number, "channel": channel, "value": f"Weg {number}", "postal_code": "10115",
            "city": "Berlin", "country": "DE",
            "lookup": letter_lookup(f"Nr{number}", f"Weg {number}", "10115", "DE")}


def add_content(session: Session, *, now: datetime, key: str = "offer-a") -> int:
    """A content for every channel; returns its revision's id."""
    save_content(session, key, name="Offer A", subject="A gift for {{ customer.first_name }}", mjml=MJML,
                 letter="{{ greeting }}\n\nyour code is {{ code }}.", call_script="Offer the code {{ code }}.", now=now)
    return newest_revision(session, key).id


def add_messages(
    session: Session, people: Sequence[int], *, now: datetime, channel: str = "email", revision: int,
    occasion: str = "send.1.0", **columns: Any,
) -> list[int]:
    """One queued message for each person, of the enrolment with the person's number."""
    count = len(people)
    return queue(session.connection(), MessageColumns(
        occasion=[f"{person}.{occasion}" for person in people], customer_id=list(people),
        origin=[f"enrolment:{person}" for person in people], enrolment_ref=list(people), state=["queued"] * count,
        channel=[channel] * count, revision_id=[revision] * count, campaign=["spring"] * count,
        code=[f"CODE{person}" for person in people], queued_at=now, **columns,
    ))


def prepared(
    database: Database, people: Sequence[int], *, now: datetime, channel: str = "email", **columns: Any
) -> list[int]:
    """People with addresses and consents on every channel, and one queued message each."""
    with database.writing() as session:
        add_people(session, people, now=now, channels=("email", "letter", "phone"))
        return add_messages(session, people, now=now, channel=channel, revision=add_content(session, now=now),
                            **columns)


def run(
    database: Database, channels: dict[str, Channel], *, now: datetime, name: str = "w", limit: int = 1000,
    settings: DeliverySettings = SETTINGS,
) -> int:
    """One worker ticks until nothing is due."""
    lease, done = enlist(database, name), 0
    try:
        while count := tick(database, now=now, limit=limit, worker=lease.number, channels=channels, settings=settings):
            done += count
    finally:
        lease.release()
    return done


def sink(folder: Path) -> tuple[dict[str, Channel], Path]:
    """An outside world for e-mails and the file it keeps."""
    path = folder / "sink.db"
    return {"email": MemoryChannel(path, name="email")}, path


def messages(database: Database, people: Sequence[int] | None = None) -> dict[int, Message]:
    """The ledger, or that of these people, by customer id (for tests with one message each)."""
    rows = select(Message).order_by(Message.id)
    if people is not None:
        rows = rows.where(Message.customer_id.in_(people))
    with database.reading() as session:
        return {message.customer_id: message for message in session.scalars(rows)}


def states(database: Database) -> dict[int, str]:
    """Customer id -> state."""
    return {customer_id: message.state for customer_id, message in messages(database).items()}
