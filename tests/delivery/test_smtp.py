"""Against a real SMTP server on loopback: what was taken, what was refused, and what nobody can know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session
from aiosmtpd.smtp import Envelope as Taken

from core.errors import Invalid
from delivery.channels import Channel, Envelope, Outcome
from delivery.channels.smtp import SmtpChannel, SmtpServer, classified, smtp_server
from tests.delivery.mail_server import OnFreePort, nobody_listens


class Scripted:
    """Answers by the recipient's local part, and keeps what it took."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.connections = 0
        self.answers_before_hanging_up = 10**9

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Taken, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Taken, address: str, options: list[str]
    ) -> str:
        if address.startswith("blocked"):
            return "550 5.7.1 we do not like you"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Taken, address: str, options: list[str]
    ) -> str:
        refusals = {
            "nobody": "550 5.1.1 no such user",
            "policy": "550 5.7.26 unauthenticated mail",
            "plain": "550 rejected",
            "full": "452 4.2.2 mailbox full",
            "later": "451 4.7.1 greylisted, come back",
            "busy": "421 4.3.2 shutting down",
        }
        local = address.partition("@")[0]
        if local == "vanish":
            server.transport.abort()
            return "250 OK"
        if local in refusals:
            return refusals[local]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Taken) -> str:
        local = envelope.rcpt_tos[0].partition("@")[0]
        content = envelope.content
        assert isinstance(content, bytes)
        self.taken.append((envelope.rcpt_tos[0], content))
        if local == "silent":
            server.transport.abort()
        if local == "slow":
            await asyncio.sleep(600)  # nobody waits so long
        if local == "spam":
            return "554 5.7.1 looks like spam"
        if local == "retry":
            return "451 4.3.0 try again"
        return "250 2.0.0 queued as 1"


@contextmanager
def _serving(handler: Scripted, **options: Any) -> Iterator[SmtpServer]:
    controller = OnFreePort(handler, **options)
    controller.start()
    try:
        yield SmtpServer("127.0.0.1", controller.port)
    finally:
        controller.stop(no_assert=True)


@pytest.fixture
def handler() -> Scripted:
    return Scripted()


@pytest.fixture
def send(handler: Scripted, now: datetime) -> Iterator[Callable[..., list[Outcome]]]:
    with _serving(handler) as server:
        channel: Channel = SmtpChannel(server, timeout_seconds=60)
        yield lambda *locals_, **changes: channel.send_many(
            [_envelope(local, number, **changes) for number, local in enumerate(locals_)], now=now
        )


def _envelope(local: str, number: int = 1, **changes: Any) -> Envelope:
    given = {"sender": "bounce@shop.example", "body": b"Subject: x\r\n\r\n.dot\r\nhello\r\n..two\r\n", **changes}
    return Envelope(number, f"<m{number}@x>", "email", f"{local}@example.com", **given)


def test_a_batch_goes_over_one_connection_and_arrives_unchanged(
    send: Callable[..., list[Outcome]], handler: Scripted
) -> None:
    outcomes = send("a", "b", "c")
    assert [(one.kind, one.code) for one in outcomes] == [("accepted", 250)] * 3
    assert handler.connections == 1
    assert [address for address, _ in handler.taken] == ["a@example.com", "b@example.com", "c@example.com"]
    assert handler.taken[0][1] == b"Subject: x\r\n\r\n.dot\r\nhello\r\n..two\r\n"


def test_a_refused_recipient_leaves_the_others_alone(send: Callable[..., list[Outcome]], handler: Scripted) -> None:
    outcomes = send("a", "nobody", "policy", "plain", "full", "later", "spam", "retry", "b")
    assert [(one.kind, one.about) for one in outcomes] == [
        ("accepted", "unclear"),
        ("refused_permanently", "address"),
        ("refused_permanently", "us"),
        ("refused_permanently", "unclear"),
        ("refused_for_now", "mailbox"),
        ("refused_for_now", "us"),
        ("refused_permanently", "us"),
        ("refused_for_now", "unclear"),
        ("accepted", "unclear"),
    ]
    assert [one.suppresses_address for one in outcomes].count(True) == 1 and outcomes[1].suppresses_address
    assert outcomes[1].code == 550 and "no such user" in outcomes[1].text
    assert handler.connections == 1


def test_a_connection_lost_after_the_message_is_unknown_and_not_repeated(
    send: Callable[..., list[Outcome]], handler: Scripted
) -> None:
    outcomes = send("a", "silent", "b")
    assert [one.kind for one in outcomes] == ["accepted", "unknown", "accepted"]
    assert [address for address, _ in handler.taken].count("silent@example.com") == 1
    assert handler.connections == 2


def test_a_connection_lost_before_the_message_was_not_delivered(
    send: Callable[..., list[Outcome]], handler: Scripted
) -> None:
    outcomes = send("a", "vanish", "b")
    assert [one.kind for one in outcomes] == ["accepted", "refused_for_now", "accepted"]
    assert "RCPT TO" in outcomes[1].text and [address for address, _ in handler.taken] == [
        "a@example.com",
        "b@example.com",
    ]


def test_no_answer_in_time_after_the_message_is_unknown(handler: Scripted, now: datetime) -> None:
    with _serving(handler) as server:
        for patience in (0.3, 3, 30):  # on a busy machine the first may end before the message is handed over
            (outcome,) = SmtpChannel(server, timeout_seconds=patience).send_many([_envelope("slow")], now=now)
            if handler.taken:
                break
            assert outcome.kind != "accepted"
    assert outcome.kind == "unknown" and handler.taken


def test_a_server_that_keeps_hanging_up_ends_the_batch(send: Callable[..., list[Outcome]], handler: Scripted) -> None:
    outcomes = send(*["vanish"] * 8, "a")
    assert {one.kind for one in outcomes} == {"refused_for_now"} and len(outcomes) == 9
    assert handler.connections <= 5 and handler.taken == []


def test_a_server_that_shuts_down_is_left_in_peace(send: Callable[..., list[Outcome]], handler: Scripted) -> None:
    outcomes = send("a", "busy", "b", "c")
    assert [one.kind for one in outcomes] == ["accepted"] + ["refused_for_now"] * 3
    assert handler.connections == 1 and outcomes[1].about == "us"


def test_a_refused_sender_is_about_us(send: Callable[..., list[Outcome]]) -> None:
    (outcome,) = send("a", sender="blocked@shop.example")
    assert (outcome.kind, outcome.about) == ("refused_permanently", "us") and not outcome.suppresses_address


@pytest.mark.parametrize("address", ["a\r\nRCPT TO:<b", "no address", "a> SIZE=1"])
def test_no_address_smuggles_a_command(address: str, send: Callable[..., list[Outcome]], handler: Scripted) -> None:
    bad, good = send(address, "good")
    assert bad.kind == "refused_permanently" and bad.about == "address" and good.kind == "accepted"
    assert [to for to, _ in handler.taken] == ["good@example.com"]


def test_no_server_at_all_means_later(now: datetime) -> None:
    with nobody_listens() as port:
        outcomes = SmtpChannel(SmtpServer("127.0.0.1", port), timeout_seconds=60).send_many(
            [_envelope("a"), _envelope("b")], now=now)
    assert [(one.kind, one.about) for one in outcomes] == [("refused_for_now", "us")] * 2


def test_a_required_starttls_that_is_not_offered_sends_nothing(handler: Scripted, now: datetime) -> None:
    with _serving(handler) as server:
        strict = SmtpServer(server.host, server.port, tls="required")
        (outcome,) = SmtpChannel(strict, timeout_seconds=60).send_many([_envelope("a")], now=now)
    assert (outcome.kind, outcome.about, handler.taken) == ("refused_for_now", "us", [])


@pytest.mark.parametrize(("password", "kind"), [("right", "accepted"), ("wrong", "refused_for_now")])
def test_a_login_that_fails_blames_no_address(password: str, kind: str, handler: Scripted, now: datetime) -> None:
    def check(server: SMTP, session: Session, envelope: Taken, mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=data.password == b"right")

    options = {"authenticator": check, "auth_required": True, "auth_require_tls": False}
    with _serving(handler, **options) as server:
        known = SmtpServer(server.host, server.port, "me", password)
        # After a wrong password this server says nothing more.
        patience = 60 if kind == "accepted" else 2
        (outcome,) = SmtpChannel(known, timeout_seconds=patience).send_many([_envelope("a")], now=now)
    assert outcome.kind == kind and not outcome.suppresses_address and password not in repr(known)


@pytest.mark.parametrize(
    ("code", "words", "kind", "about"),
    [
        (550, "5.1.1 unknown", "refused_permanently", "address"),
        (550, "5.1.10 null MX", "refused_permanently", "address"),
        (550, "No such user here", "refused_permanently", "address"),
        (550, "5.7.1 no such user, says the policy", "refused_permanently", "us"),
        (554, "5.7.26 DMARC", "refused_permanently", "us"),
        (552, "5.2.2 over quota", "refused_permanently", "mailbox"),
        (550, "5.2.1 inactive", "refused_permanently", "mailbox"),
        (450, "4.1.1 not now", "refused_for_now", "address"),
        (451, "4.7.32 alignment", "refused_for_now", "us"),
    ],
)
def test_whose_fault_a_refusal_is(code: int, words: str, kind: str, about: str) -> None:
    outcome = classified(code, words, command="RCPT TO")
    assert (outcome.kind, outcome.about) == (kind, about)
    assert outcome.suppresses_address == (code >= 500 and about == "address")


def test_the_address_of_a_server_is_read() -> None:
    assert smtp_server("smtp://127.0.0.1:2525") == SmtpServer("127.0.0.1", 2525)
    assert smtp_server("smtps://me%40x:p%2Fw@mail.example") == SmtpServer(
        "mail.example", 465, "me@x", "p/w", "implicit"
    )
    assert smtp_server("smtp://me:pw@mail.example") == SmtpServer("mail.example", 587, "me", "pw", "required")
    assert smtp_server("smtp://mail.example?starttls=yes&helo=shop.example").tls == "required"
    assert smtp_server("smtp://mail.example").port == 25


@pytest.mark.parametrize(
    "url",
    [
        "http://x",
        "smtp://",
        "smtp://x:port",
        "smtp://x?starttls=perhaps",
        "smtp://x?tls=1",
        "smtp://me:geheim@x?starttls=no",
    ],
)
def test_an_unusable_address_stops_with_a_sentence_without_the_password(url: str) -> None:
    with pytest.raises(Invalid, match="WINBACK_SMTP_URL") as error:
        smtp_server(url)
    assert "geheim" not in str(error.value)
