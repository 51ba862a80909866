"""Did the mail server take it?

Hands a batch of e-mails to one server over one connection, and says for each what became of it. A refusal before
the message was handed over is certain, and so is an answer; a connection lost while or after the message went out is
`unknown` and never repeated here. Only "no such recipient" is about the address; refusals over policy are about us.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from core.errors import Invalid
from delivery.channels import About, Envelope, Outcome, accepted, refused_for_now, refused_permanently, unknown
from delivery.channels.mime import checked_address

CONNECTIONS_LIMIT = 3
"""How often a batch connects anew after the server hung up."""

_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_NO_SUCH_RECIPIENT = re.compile(
    r"user unknown|unknown (user|recipient|mailbox)|no such (user|recipient|mailbox|address|person)|"
    r"(user|recipient|mailbox|account|address) (not found|does(n't| not) exist|unknown)|invalid (recipient|mailbox)",
    re.IGNORECASE,
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where to hand over mail. `tls` is from the start (`implicit`), by STARTTLS (`required`, `if_offered`), or off."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Literal["implicit", "required", "if_offered", "never"] = "if_offered"
    helo: str = "[127.0.0.1]"


def smtp_server(url: str) -> SmtpServer:
    """Read `smtp://user:password@host:port?starttls=required` or `smtps://...`. Raises Invalid, without the password.

    `starttls` is required, if_offered (the default without a user; required is with one) or never; `helo` is our name.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("has no usable port; write smtp://host:587.", place="WINBACK_SMTP_URL") from None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise Invalid("must begin with smtp:// or smtps:// and name a host.", place="WINBACK_SMTP_URL")
    asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    if unexpected := set(asked) - {"starttls", "helo"}:
        words = f"does not know {', '.join(sorted(unexpected))}; there are starttls and helo."
        raise Invalid(words, place="WINBACK_SMTP_URL")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    implied = "required" if user and parts.hostname not in _LOOPBACK else "if_offered"
    starttls = {"yes": "required", "true": "required", "1": "required", "no": "never", "false": "never", "0": "never"}
    tls = starttls.get(asked.get("starttls", implied), asked.get("starttls", implied))
    if tls not in {"required", "if_offered", "never"}:
        raise Invalid("starttls is required, if_offered or never.", place="WINBACK_SMTP_URL")
    if tls == "never" and user and parts.hostname not in _LOOPBACK and parts.scheme == "smtp":
        raise Invalid("would send the password in clear; use starttls=required or smtps://.", place="WINBACK_SMTP_URL")
    if parts.scheme == "smtps":
        return SmtpServer(parts.hostname, port or 465, user, password, "implicit", asked.get("helo", "[127.0.0.1]"))
    helo = asked.get("helo", "[127.0.0.1]")
    return SmtpServer(parts.hostname, port or (587 if user else 25), user, password, tls, helo)  # type: ignore[arg-type]


class _Lost(Exception):
    """The connection is gone; the text says where we were."""


class SmtpChannel:
    """The e-mail channel over SMTP: one connection per batch, `timeout_seconds` for every answer."""

    name = "email"

    def __init__(self, server: SmtpServer, *, timeout_seconds: float = 30.0) -> None:
        self._server = server
        self._timeout_seconds = timeout_seconds

    def send_many(self, envelopes: Sequence[Envelope], *, now: datetime) -> list[Outcome]:
        """Hand over each envelope once. After a lost connection the next envelopes get a new one, a few times."""
        outcomes: list[Outcome] = []
        connections = 0
        while len(outcomes) < len(envelopes):
            rest = envelopes[len(outcomes) :]
            if connections > CONNECTIONS_LIMIT:
                outcomes += [refused_for_now(None, "the mail server keeps closing the connection")] * len(rest)
                break
            connections += 1
            try:
                client = self._connected()
            except smtplib.SMTPResponseException as error:
                outcomes += [_not_connected(error.smtp_code, _words(error.smtp_error))] * len(rest)
                break
            except (OSError, smtplib.SMTPException) as error:
                lost = refused_for_now(None, f"no connection to the mail server: {_words(str(error))}", "us")
                outcomes += [lost] * len(rest)
                break
            self._send_over(client, rest, outcomes)
        return outcomes

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        context = ssl.create_default_context()
        if server.tls == "implicit":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, server.helo, timeout=self._timeout_seconds, context=context
            )
        else:
            client = smtplib.SMTP(server.host, server.port, server.helo, timeout=self._timeout_seconds)
        try:
            client.ehlo_or_helo_if_needed()
            offered = client.has_extn("starttls")
            if server.tls == "required" or (server.tls == "if_offered" and offered):
                client.starttls(context=context)
                client.ehlo()
            if server.user:
                client.login(server.user, server.password)
        except BaseException:
            client.close()
            raise
        return client

    def _send_over(self, client: smtplib.SMTP, envelopes: Sequence[Envelope], outcomes: list[Outcome]) -> None:
        """Send until the batch ends or the connection does; `outcomes` grows by what is known."""
        try:
            for number, envelope in enumerate(envelopes, start=1):
                outcome = _hand_over(client, envelope)
                outcomes.append(outcome)
                if outcome.kind == "unknown":
                    return
                if outcome.code == 421:
                    outcomes += [refused_for_now(421, outcome.text, "us")] * (len(envelopes) - number)
                    return
        except _Lost as lost:
            outcomes.append(refused_for_now(None, str(lost)))
        finally:
            _leave(client)


def _hand_over(client: smtplib.SMTP, envelope: Envelope) -> Outcome:
    """Walk one envelope through MAIL, RCPT and DATA. Raises _Lost while nothing of it can have been delivered."""
    try:
        address = checked_address(envelope.address)
    except Invalid as error:
        return refused_permanently(None, error.message, "address")
    try:
        sender = checked_address(envelope.sender)
    except Invalid as error:
        return refused_permanently(None, error.message, "us")
    for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{address}>", "DATA"):
        code, words = _answered(client, command)
        if not (200 <= code < 300 or (command == "DATA" and code == 354)):
            if code != 421:
                _start_over(client)
            return classified(code, words, command=command.split(":")[0])
    # From here on the server may have the message even when we never hear of it.
    try:
        client.send(_stuffed(envelope.body))
        code, answer = client.getreply()
    except (OSError, smtplib.SMTPException) as error:
        return unknown(f"the connection was lost after the message was handed over: {_words(str(error))}")
    if code == -1:
        return unknown("the mail server answered nothing readable after the message was handed over")
    words = _words(answer)
    return accepted(code, words) if 200 <= code < 300 else classified(code, words, command="message")


def classified(code: int, words: str, *, command: str) -> Outcome:
    """Turn a refusal into an outcome; whose fault it is comes from the enhanced status code (RFC 3463).

    Nothing but an unknown recipient or domain (x.1.1 to x.1.4, x.1.10, x.7.18) is about the address.
    """
    about = _about(code, words, command)
    if 500 <= code < 600:
        return refused_permanently(code, words, about)
    return refused_for_now(code, words, about)


def _about(code: int, words: str, command: str) -> About:
    if command == "MAIL FROM" or code == 421:
        return "us"
    found = _ENHANCED.search(words)
    if found is None:
        named = command == "RCPT TO" and code in {550, 551, 553} and _NO_SUCH_RECIPIENT.search(words)
        return "address" if named else "unclear"
    subject, detail = int(found[2]), int(found[3])
    if (subject == 1 and detail in {1, 2, 3, 4, 10}) or (subject, detail) == (7, 18):
        return "address"
    if (subject, detail) in {(1, 6), (2, 1), (2, 2), (7, 13)}:
        return "mailbox"
    return "us" if subject in {5, 6, 7} or (subject, detail) in {(1, 7), (1, 8)} else "unclear"


def _answered(client: smtplib.SMTP, command: str) -> tuple[int, str]:
    try:
        code, answer = client.docmd(command)
    except (OSError, smtplib.SMTPException) as error:
        raise _Lost(f"the connection was lost at {command.split(':')[0]}: {_words(str(error))}") from error
    if code == -1:
        raise _Lost(f"the mail server answered nothing readable at {command.split(':')[0]}")
    return code, _words(answer)


def _start_over(client: smtplib.SMTP) -> None:
    """Clear a refused transaction. If the connection is gone, the next envelope finds out; this one's answer stands."""
    with suppress(OSError, smtplib.SMTPException):
        client.docmd("RSET")


def _stuffed(body: bytes) -> bytes:
    """Return the message with leading dots doubled and its end marked."""
    doubled = (b"." if body.startswith(b".") else b"") + body.replace(b"\r\n.", b"\r\n..")
    return doubled + (b".\r\n" if doubled.endswith(b"\r\n") else b"\r\n.\r\n")


def _not_connected(code: int, words: str) -> Outcome:
    """A server that refuses us refuses nobody's address: the batch waits, whatever the code."""
    return refused_for_now(code, f"the mail server refused the connection: {words}", "us")


def _leave(client: smtplib.SMTP) -> None:
    try:
        client.quit()
    except (OSError, smtplib.SMTPException):
        client.close()


def _words(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text).strip()[:500]
