"""What exactly leaves the house for each claimed message?

Owns turning claimed rows into envelopes: reads the people, their addresses and the content revisions of a batch once,
fills and builds each message outside any write transaction. The promise: what cannot be filled for one person is that
person's failure, with its reason, and never the batch's.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from babel.dates import format_date
from sqlalchemy import Row, and_, select
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.codes import grouped
from core.errors import WinbackError
from customers.models import Address, Customer
from customers.suppression import ADDRESS_CHANNEL
from delivery.channels import Envelope
from delivery.channels.letter import Letter, code_link, draw_letter
from delivery.channels.mime import MailHeaders, build_mail, message_id
from delivery.channels.postal import PostalAddress
from delivery.content import CompiledContent
from delivery.contents import compiled_revisions
from delivery.filling import Filling
from delivery.links import Links
from delivery.models import Message
from delivery.personal import SUBJECT_LIMIT, fill, fill_letter, personal_values
from delivery.settings import DeliverySettings
from delivery.templating import parsed

log = logging.getLogger("winback.delivery")


@dataclass
class Composed:
    """The envelopes of a batch by channel, and the messages that cannot be built, with the reason."""

    envelopes: dict[str, list[Envelope]] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gathered:
    """What is needed to build a batch: rows of message, customer and address, and the contents by revision id."""

    rows: list[Row[Any]]
    contents: dict[int, CompiledContent]


def gather(session: Session, ids: Sequence[int]) -> Gathered:
    """Read what `compose` needs, so that it can work without a transaction."""
    rows = message_rows(session, ids)
    revisions = sorted({row.Message.revision_id for row in rows if row.Message.revision_id is not None})
    return Gathered(rows, compiled_revisions(session, revisions))


def compose(gathered: Gathered, *, settings: DeliverySettings, now: datetime) -> Composed:
    """Build the envelopes of these messages."""
    links = Links(base_url=settings.base_url, secret_key=settings.secret_key)
    composed = Composed()
    for row in gathered.rows:
        message: Message = row.Message
        try:
            content = gathered.contents.get(message.revision_id or 0)
            if content is None:
                raise _CannotBuild("has no content")
            if row.Address is None:
                raise _CannotBuild("has no address any more")
            build = _BUILDERS.get(message.channel or "", _build_text)
            envelope = build(row, content, settings=settings, links=links, now=now)
        except (_CannotBuild, WinbackError) as error:
            composed.failures[message.id] = f"could not be built: {error}"[:200]
        except Exception as error:  # one person's data must not stop the others
            log.exception("message %s could not be built", message.id)
            composed.failures[message.id] = f"could not be built: {type(error).__name__}"
        else:
            composed.envelopes.setdefault(message.channel or "", []).append(envelope)
    return composed


class _CannotBuild(Exception):
    """This message lacks something; the text says what."""


def message_rows(session: Session, ids: Sequence[int]) -> list[Row[Any]]:
    """Message, customer and the address of the message's channel (or None), in the order of message ids."""
    found: list[Any] = []
    channels = session.execute(select(Message.channel).where(in_ids(Message.id, ids)).distinct()).scalars().all()
    for channel in channels:
        found += session.execute(
            select(Message, Customer, Address)
            .join(Customer, Customer.id == Message.customer_id)
            .outerjoin(Address, and_(Address.customer_id == Customer.id,
                                     Address.channel == ADDRESS_CHANNEL.get(channel or "", channel)))
            .where(in_ids(Message.id, ids), Message.channel == channel)
        ).all()
    return sorted(found, key=lambda row: row.Message.id)


def person_values(row: Row[Any], *, settings: DeliverySettings, links: Links) -> dict[str, object]:
    """What the templates of this message may see: the person, the shop, the links, and what the caller passed in."""
    message, customer, address = row.Message, row.Customer, row.Address
    letter = address if address is not None and address.channel == "letter" else None
    values: dict[str, object] = {
        "customer": {
            "salutation": customer.salutation, "first_name": customer.first_name, "last_name": customer.last_name,
            "company": customer.company, "language": customer.language, "attributes": customer.attributes or {},
            "street": letter.value if letter else None, "postal_code": letter.postal_code if letter else None,
            "city": letter.city if letter else None, "country": letter.country if letter else None,
        },
        "shop": {"name": settings.shop.name, "address": ", ".join(settings.shop.address_lines),
                 "url": settings.shop.url},
        "unsubscribe_url": links.url("u", message.public_id),
        "preferences_url": links.url("p", message.public_id),
        "code": grouped(message.code) if message.code is not None else None,
    }
    return values | _passed_in(message.values)


def _passed_in(values: Mapping[str, Any]) -> dict[str, object]:
    """The caller's values; the last valid day becomes a date again, so that it is written out."""
    passed = dict(values)
    day = passed.get("code_valid_until")
    if isinstance(day, str):
        with suppress(ValueError):  # else the caller has written it out
            passed["code_valid_until"] = date.fromisoformat(day[:10])
    return passed


def _build_email(
    row: Row[Any], content: CompiledContent, *, settings: DeliverySettings, links: Links, now: datetime
) -> Envelope:
    message: Message = row.Message
    mail = fill(content, person_values(row, settings=settings, links=links))
    names = (row.Customer.first_name, row.Customer.last_name)
    headers = MailHeaders(
        public_id=message.public_id, sender_name=settings.sender_name, sender_address=settings.sender_address,
        to_address=row.Address.value, to_name=" ".join(name for name in names if name), reply_to=settings.reply_to,
        unsubscribe_url=links.url("u", message.public_id) if message.message_class == "marketing" else "",
        unsubscribe_mailto=settings.unsubscribe_mailto if message.message_class == "marketing" else "",
        feedback=(message.campaign or "", message.step or "", message.message_class),
    )
    return Envelope(message.id, message_id(message.public_id, settings.sender_address), "email", row.Address.value,
                    build_mail(mail, headers, now=now), settings.sender_address, mail.subject, message.code)


def _build_letter(
    row: Row[Any], content: CompiledContent, *, settings: DeliverySettings, links: Links, now: datetime
) -> Envelope:
    message, customer, address = row.Message, row.Customer, row.Address
    values = person_values(row, settings=settings, links=links)
    shown = values.get("code")
    name = " ".join(part for part in (customer.first_name, customer.last_name) if part)
    subject = _subject(content, values)
    drawn = draw_letter(
        Letter(
            sender_name=settings.shop.name, sender_lines=settings.shop.address_lines,
            to=PostalAddress(name=name, company=customer.company or "", street=address.value,
                             postal_code=address.postal_code or "", city=address.city or "",
                             country=address.country or ""),
            subject=subject, body=fill_letter(content, values), code=str(shown) if shown else "",
            code_note=_validity(values, customer.language or content.language) if shown else "",
            code_url=code_link(settings.shop.url, str(message.values.get("code") or message.code or shown or "")),
            sender_country=settings.shop.country, language=customer.language or content.language,
        ),
        now=now,
    )
    if not drawn.valid:
        raise _CannotBuild("; ".join(drawn.errors))
    where = ", ".join(part for part in (name or customer.company, address.value,
                                        f"{address.postal_code or ''} {address.city or ''}".strip(),
                                        address.country) if part)
    return Envelope(message.id, message.public_id, "letter", where, drawn.pdf, "", subject, message.code)


def _validity(values: Mapping[str, object], language: str) -> str:
    """How long the code works, for the box around it; empty when the caller gave no day."""
    day = values.get("code_valid_until")
    if not isinstance(day, date):
        return ""
    german = language[:2].lower() == "de"
    written = format_date(day, format="long", locale="de_DE" if german else "en_GB")
    return f"Gültig bis {written}" if german else f"Valid until {written}"


def _subject(content: CompiledContent, values: Mapping[str, object]) -> str:
    """The subject in one line; a letter may have one too."""
    plain = personal_values(values, language=content.language)
    return " ".join("".join(_subject_template(content.subject).pieces(plain)).split())[:SUBJECT_LIMIT]


@lru_cache(maxsize=128)
def _subject_template(subject: str) -> Filling:
    return Filling(parsed(subject, html=False), html=False)


def _build_text(
    row: Row[Any], content: CompiledContent, *, settings: DeliverySettings, links: Links, now: datetime
) -> Envelope:
    raise _CannotBuild(f"the channel {row.Message.channel} has no form of its own")


_BUILDERS = {"email": _build_email, "letter": _build_letter}
