"""What goes over the wire for one e-mail?

Builds a multipart/alternative message by hand, many times faster than the standard library: fixed pieces of HTML keep
their quoted-printable form, only personal values are encoded anew. Headers are deterministic (the Message-ID comes from
the public id of the ledger row) and safe: no name, subject or address can add a header. Decodes to exactly the text.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from core.errors import Invalid
from delivery.personal import FilledEmail

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_URL = re.compile(r"https?://[!#-;=?-Z\\^_a-z|~\[\]]+")
_ATOM = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]+")
_LABEL = re.compile(r"[^A-Za-z0-9._-]+")
_PUBLIC_ID = re.compile(r"[A-Za-z0-9_-]{1,60}")
_PLAIN = re.compile(r"[ !-<>-~]*[!-<>-~]")
_ENCODED_BYTES = 42
_KEPT_FROM = 100
_TOO_LONG = re.compile(rb"^([^\n]{74,75})(=20|=09)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MailHeaders:
    """Who writes to whom, and how to object.

    `feedback` are up to three labels (campaign, content, class) under which providers report complaints;
    `sender_label` names the sender in them.
    """

    public_id: str
    sender_name: str
    sender_address: str
    to_address: str
    to_name: str = ""
    reply_to: str = ""
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    feedback: tuple[str, ...] = ()
    sender_label: str = "winback"


def build_mail(mail: FilledEmail, headers: MailHeaders, *, now: datetime) -> bytes:
    """Return the whole message with CRLF line ends. Raises Invalid for an address or link unfit for a header."""
    boundary = f"=_winback_{checked_public_id(headers.public_id)}"
    lines = _header_lines(mail.subject, headers, now=now)
    lines.append(f'Content-Type: multipart/alternative; boundary="{boundary}"')
    mark = f"--{boundary}".encode()
    head = b'; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    text, html = quoted_printable((mail.text,)), quoted_printable(mail.html_pieces)
    return b"".join(
        (
            "\r\n".join(lines).encode("ascii"), b"\r\n\r\n",
            mark, b"\r\nContent-Type: text/plain", head, text, b"\r\n",
            mark, b"\r\nContent-Type: text/html", head, html, b"\r\n",
            mark, b"--\r\n",
        )
    )  # fmt: skip


def message_id(public_id: str, sender_address: str) -> str:
    """Return the Message-ID of a ledger row, made from its public id: the same however often it is asked."""
    return f"<winback.{checked_public_id(public_id)}@{checked_address(sender_address).rpartition('@')[2]}>"


def checked_public_id(public_id: str) -> str:
    """Return a public id fit for headers. Raises Invalid otherwise."""
    if not _PUBLIC_ID.fullmatch(public_id):
        raise Invalid("a message's public id is made of letters, digits, - and _.")
    return public_id


def checked_address(address: str) -> str:
    """Return an address fit for headers and SMTP, its domain in ASCII. Raises Invalid otherwise."""
    local, _, domain = address.strip().rpartition("@")
    try:
        written = f"{local}@{domain if domain.isascii() else domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        written = ""
    if not _ADDRESS.fullmatch(written) or ".." in written or local.startswith(".") or local.endswith("."):
        raise Invalid(f"{_CONTROLS.sub(' ', address)[:80]!r} is no e-mail address; correct it at the customer.")
    return written


def quoted_printable(pieces: Sequence[str]) -> bytes:
    """Return the pieces together in quoted-printable with CRLF; long pieces are encoded once and kept."""
    out: list[bytes] = []
    broken = True
    for piece in pieces:
        if not piece:
            continue
        if not broken:
            out.append(b"=\r\n")
        if len(piece) >= _KEPT_FROM:
            encoded = _kept(str(piece))
        elif len(piece) < 70 and piece.isascii() and _PLAIN.fullmatch(piece):
            encoded = piece.encode("ascii")
        else:
            encoded = _encoded(piece)
        out.append(encoded)
        broken = encoded.endswith(b"\n")
    return b"".join(out)


def _encoded(text: str) -> bytes:
    unix = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    encoded = binascii.b2a_qp(unix.encode("utf-8", "replace"), istext=True)
    # The library counts a blank at the end of a line as one sign and lets lines grow to 78.
    encoded = _TOO_LONG.sub(rb"\1=\n\2", encoded)
    if len(encoded) - encoded.rfind(b"\n") - 1 > 75:  # leave room for the soft break before the next piece
        at = -3 if encoded[-3:-2] == b"=" else -1
        encoded = encoded[:at] + b"=\n" + encoded[at:]
    return encoded.replace(b"\n", b"\r\n")


_kept = lru_cache(maxsize=8192)(_encoded)


def header_text(text: str) -> str:
    """Return text as the value of a header: ASCII as it is, folded; everything else as encoded words (RFC 2047)."""
    clean = _CONTROLS.sub(" ", text).strip()
    if clean.isascii() and "=?" not in clean and all(len(word) < 70 for word in clean.split(" ")):
        return clean if len(clean) < 60 else _folded(clean)
    words, chunk = [], b""
    for character in clean:
        encoded = character.encode("utf-8", "replace")
        if len(chunk) + len(encoded) > _ENCODED_BYTES:
            words.append(chunk)
            chunk = b""
        chunk += encoded
    words.append(chunk)
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word).decode('ascii')}?=" for word in words)


def _folded(text: str) -> str:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > 60:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\r\n ".join([*lines, line])


def _mailbox(name: str, address: str) -> str:
    clean = _CONTROLS.sub(" ", name).strip()[:120]
    if not clean:
        return checked_address(address)
    if clean.isascii() and "=?" not in clean and len(clean) < 60:
        quoted = clean.replace("\\", "\\\\").replace('"', '\\"')
        shown = clean if _ATOM.fullmatch(clean) else f'"{quoted}"'
        return f"{shown} <{checked_address(address)}>"
    return f"{header_text(clean)}\r\n <{checked_address(address)}>"


def _header_lines(subject: str, headers: MailHeaders, *, now: datetime) -> list[str]:
    lines = [
        _sender_line(headers.sender_name, headers.sender_address),
        f"To: {_mailbox(headers.to_name, headers.to_address)}",
        f"Subject: {header_text(subject)}",
        f"Date: {_date(now)}",
        f"Message-ID: {message_id(headers.public_id, headers.sender_address)}",
        f"X-Winback-Message: {headers.public_id}",
        "MIME-Version: 1.0",
    ]
    if headers.reply_to:
        lines.append(f"Reply-To: {checked_address(headers.reply_to)}")
    if headers.feedback:
        labels = [_LABEL.sub("-", label)[:60] or "-" for label in (*headers.feedback, "", "", "")[:3]]
        lines.append(f"Feedback-ID: {':'.join(labels)}:{_LABEL.sub('-', headers.sender_label)[:15]}")
    return lines + _objection_lines(headers)


def _objection_lines(headers: MailHeaders) -> list[str]:
    """The one-click way out of RFC 8058; Outlook's own button needs the mailto."""
    ways = []
    if headers.unsubscribe_url:
        if not _URL.fullmatch(headers.unsubscribe_url):
            raise Invalid("the link to unsubscribe is no web address; set WINBACK_BASE_URL to this server's address.")
        ways.append(f"<{headers.unsubscribe_url}>")
    if headers.unsubscribe_mailto:
        address, _, query = headers.unsubscribe_mailto.partition("?")
        if query and not re.fullmatch(r"[A-Za-z0-9=&%._-]+", query):
            raise Invalid("the mail address to unsubscribe holds signs that cannot stand in a header.")
        ways.append(f"<mailto:{checked_address(address)}{'?' + query if query else ''}>")
    if not ways:
        return []
    lines = [f"List-Unsubscribe: {f',{chr(13)}{chr(10)} '.join(ways)}"]
    if headers.unsubscribe_url.startswith("https://"):
        lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    return lines


@lru_cache(maxsize=64)
def _sender_line(name: str, address: str) -> str:
    return f"From: {_mailbox(name, address)}"


@lru_cache(maxsize=64)
def _date(now: datetime) -> str:
    return format_datetime(now.astimezone(UTC))
