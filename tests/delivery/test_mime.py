"""What goes over the wire decodes to exactly what was filled, and nothing can add a header."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from delivery.channels.mime import MailHeaders, build_mail, checked_address, header_text, message_id, quoted_printable
from delivery.personal import FilledEmail, fill
from tests.delivery.mails import PERSON, mail

HEADERS = MailHeaders(
    public_id="pub-Id_42",
    sender_name="Möbelhaus Süd",
    sender_address="news@shop.example",
    to_address="anna@example.com",
    to_name="Anna Müller",
    unsubscribe_url="https://shop.example/u/abc",
    unsubscribe_mailto="unsubscribe@shop.example?subject=abc",
    feedback=("spring:sale", "offer-a", "marketing"),
)


def _parsed(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage) and not message.defects
    return message


def _part(message: EmailMessage, kind: str) -> str:
    part: Any = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n")


def _mail(subject: str = "s", html: tuple[str, ...] = ("<p>x</p>",), text: str = "x\n") -> FilledEmail:
    return FilledEmail(subject, html, text)


def test_a_filled_mail_decodes_to_its_exact_text(now: datetime) -> None:
    filled = fill(mail(), PERSON)
    message = _parsed(build_mail(filled, HEADERS, now=now))
    assert message.get_content_type() == "multipart/alternative"
    assert _part(message, "html").rstrip("\n") == filled.html.rstrip("\n")
    assert _part(message, "plain").rstrip("\n") == filled.text.rstrip("\n")
    assert message["Subject"] == "For Anna"


def test_headers_say_who_when_and_how_to_object(now: datetime) -> None:
    message = _parsed(build_mail(_mail(), HEADERS, now=now))
    assert str(message["From"]) == "Möbelhaus Süd <news@shop.example>"
    assert str(message["To"]) == "Anna Müller <anna@example.com>"
    assert message["Date"].datetime == now
    assert message["Message-ID"] == "<winback.pub-Id_42@shop.example>" == message_id("pub-Id_42", "news@shop.example")
    assert message["X-Winback-Message"] == "pub-Id_42"
    assert (
        " ".join(str(message["List-Unsubscribe"]).split())
        == "<https://shop.example/u/abc>, <mailto:unsubscribe@shop.example?subject=abc>"
    )
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Feedback-ID"] == "spring-sale:offer-a:marketing:winback"


def test_one_click_is_promised_only_over_https(now: datetime) -> None:
    data = build_mail(_mail(), replace(HEADERS, unsubscribe_url="http://127.0.0.1:8000/u/abc"), now=now)
    assert _parsed(data)["List-Unsubscribe-Post"] is None and b"<http://127.0.0.1:8000/u/abc>" in data


def test_the_same_message_has_the_same_bytes(now: datetime) -> None:
    assert build_mail(_mail(), HEADERS, now=now) == build_mail(_mail(), HEADERS, now=now)


def test_every_line_is_short_ascii_with_crlf(now: datetime) -> None:
    html = ("<p>" + "ü" * 500 + "</p>", "a" * 69, "b" * 69, "short", " ", "x" * 3000, "\n.\n..\n", "tail \n\t")
    data = build_mail(_mail("Ü" * 240, html, "x" * 2000), replace(HEADERS, to_name="Ö" * 300), now=now)
    data.decode("ascii")
    lines = data.split(b"\r\n")
    assert max(map(len, lines)) <= 78 and not any(b"\n" in line or b"\r" in line for line in lines)
    assert _part(_parsed(data), "html").rstrip("\n") == "".join(html).rstrip("\n")


HOSTILE = [
    "Anna\r\nBcc: all@example.com",
    "A\nX-Evil: 1",
    "A\rX-Evil: 1",
    "A\x00B",
    "A\u2028X-Evil: 1",
    '"A" <evil@x>, B',
    "=?utf-8?q?x?=",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_or_subject_adds_a_header_or_a_recipient(name: str, now: datetime) -> None:
    calm = _parsed(build_mail(_mail(), HEADERS, now=now))
    headers = replace(HEADERS, to_name=name, sender_name=name, feedback=(name, name, name), sender_label=name)
    message = _parsed(build_mail(_mail(subject=name), headers, now=now))
    assert message.keys() == calm.keys()
    assert [address.addr_spec for address in message["To"].addresses] == ["anna@example.com"]
    assert [address.addr_spec for address in message["From"].addresses] == ["news@shop.example"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "anna",
        "anna@",
        "@x",
        "a b@x.de",
        "anna@x.de\r\nBcc: y@z",
        "a@x.de,b@y.de",
        "<a@x.de>",
        "a@b@c",
        "ä@x.de",
        "a..b@x.de",
        "a@-x",
    ],
)
def test_what_is_no_address_is_refused(address: str, now: datetime) -> None:
    for headers in (replace(HEADERS, to_address=address), replace(HEADERS, sender_address=address)):
        with pytest.raises(Invalid):
            build_mail(_mail(), headers, now=now)


def test_a_domain_in_umlauts_is_written_in_ascii() -> None:
    assert checked_address(" info@möbel.example ") == "info@xn--mbel-5qa.example"


@pytest.mark.parametrize(
    "url", ["https://x/\r\nX-Evil: 1", "javascript:alert(1)", "https://x/>, <https://y", "https://x/ y"]
)
def test_only_a_web_address_stands_in_list_unsubscribe(url: str, now: datetime) -> None:
    with pytest.raises(Invalid):
        build_mail(_mail(), replace(HEADERS, unsubscribe_url=url), now=now)


def test_public_ids_are_plain(now: datetime) -> None:
    with pytest.raises(Invalid):
        build_mail(_mail(), replace(HEADERS, public_id="x\r\ny"), now=now)


TEXT = st.text(
    alphabet=st.one_of(st.sampled_from(list(" \t\n\r=.aé€\U0001f600-")), st.characters(codec="utf-8")), max_size=300
)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT, max_size=6))
def test_quoted_printable_pieces_decode_to_their_sum(pieces: list[str]) -> None:
    import quopri

    encoded = quoted_printable(pieces)
    encoded.decode("ascii")
    assert all(len(line) <= 76 for line in encoded.split(b"\r\n"))
    decoded = quopri.decodestring(encoded).decode().replace("\r\n", "\n")
    expected = "\n".join("".join(piece.replace("\r\n", "\n").replace("\r", "\n") for piece in pieces).split("\n"))
    assert decoded == expected


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=250))
def test_any_subject_comes_back_as_one_line(text: str) -> None:
    raw = f"Subject: {header_text(text)}\r\n\r\n".encode("ascii")
    assert max(map(len, raw.split(b"\r\n"))) <= 80
    message = message_from_bytes(raw, policy=policy.default)
    assert message.keys() == ["Subject"]
    if text.isprintable() and text == text.strip():
        assert " ".join(str(message["Subject"]).split(" ")) == text
