"""From the ledger through a real mail server on the loopback and back."""

import email
import email.policy
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core.database import Database
from core.leases import enlist
from customers.models import Address
from delivery.channels.smtp import SmtpChannel, smtp_server
from delivery.sending import rescue, tick
from tests.delivery.ledger import SETTINGS, messages, prepared, run, states
from tests.delivery.mail_server import OnFreePort, nobody_listens


class Mailbox:
    """A mail server's mind: what it took, and whom it refuses how."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.refusals: dict[str, str] = {}
        self.hangs_up_on: str | None = None

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        self.taken.append((envelope.rcpt_tos[0], envelope.content))
        if envelope.rcpt_tos[0] == self.hangs_up_on:
            server.transport.abort()
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A running mail server; `mailbox.channel` leads there."""
    mind = Mailbox()
    controller = OnFreePort(mind)
    controller.start()
    mind.channel = SmtpChannel(  # type: ignore[attr-defined]
        smtp_server(f"smtp://127.0.0.1:{controller.port}"), timeout_seconds=60)
    yield mind
    controller.stop()


def test_mail_arrives_once_with_its_code_its_way_out_and_its_number(
    database: Database, now: datetime, mailbox: Any
) -> None:
    prepared(database, [1, 2], now=now)
    run(database, {"email": mailbox.channel}, now=now)
    run(database, {"email": mailbox.channel}, now=now, name="again")
    assert [address for address, _body in mailbox.taken] == ["c1@example.com", "c2@example.com"]
    mail = email.message_from_bytes(mailbox.taken[0][1], policy=email.policy.default)
    message = messages(database)[1]
    assert message.state == "sent" and message.public_id in mail["Message-ID"]
    assert mail["Subject"] == "A gift for Ada" and mail["From"] == "Möbel Beispiel <post@shop.example>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = mail["List-Unsubscribe"].strip("<>")
    assert link.startswith("https://winback.example/u/") and message.public_id in link
    for part in ("plain", "html"):
        body = mail.get_body((part,))
        assert body is not None and "CODE1" in body.get_content() and link in body.get_content()


def test_refusals_are_told_apart(database: Database, now: datetime, mailbox: Any) -> None:
    prepared(database, [1, 2, 3], now=now)
    mailbox.refusals = {"c1@example.com": "550 5.1.1 no such user", "c2@example.com": "451 4.2.0 later, please"}
    run(database, {"email": mailbox.channel}, now=now)
    assert states(database) == {1: "failed", 2: "queued", 3: "sent"}
    assert messages(database)[1].reason == "550 5.1.1 no such user"
    with database.reading() as session:
        assert session.scalars(select(Address.customer_id).where(Address.undeliverable_at.is_not(None))).all() == [1]
    mailbox.refusals = {}
    run(database, {"email": mailbox.channel}, now=now + timedelta(minutes=5), name="later")
    assert states(database) == {1: "failed", 2: "sent", 3: "sent"}


def test_a_server_that_cannot_be_reached_keeps_the_messages_for_later(database: Database, now: datetime) -> None:
    prepared(database, [1], now=now)
    with nobody_listens() as port:
        channel = SmtpChannel(smtp_server(f"smtp://127.0.0.1:{port}"), timeout_seconds=60)
        run(database, {"email": channel}, now=now)
    assert states(database) == {1: "queued"}


def test_an_answer_that_never_came_is_uncertain_and_the_mail_is_not_sent_again(
    database: Database, now: datetime, mailbox: Any
) -> None:
    prepared(database, [1, 2], now=now)

    mailbox.hangs_up_on = "c1@example.com"
    first = enlist(database, "first")
    tick(database, now=now, limit=10, worker=first.number, channels={"email": mailbox.channel}, settings=SETTINGS)
    first.release()
    rescue(database, now=now)
    run(database, {"email": mailbox.channel}, now=now + timedelta(days=1), name="later")
    assert states(database) == {1: "uncertain", 2: "sent"}
    assert [address for address, _body in mailbox.taken] == ["c1@example.com", "c2@example.com"]
