"""Small shops for the tests: people made by chance or by hand, and how they get into a database."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert

from core.database import Database
from core.types import Base
from coupons.models import Code, Offer, Redemption
from customers.models import (
    Address,
    Consent,
    Contact,
    Customer,
    Event,
    Order,
    OrderLine,
    Organisation,
    Relation,
    Score,
    ScoreName,
    Store,
)
from delivery.models import Message
from tests.segments.naive import Line, Person, Purchase
from tests.segments.outreach import outreach, outreach_rows
from tests.segments.told import draw, draw_place, store

AS_OF = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
CATEGORIES = ("furniture", "lamps", "Möbel & 'Co'", "100%_off")
NAMES = ("Ada", "ÄNNE", "änne", "O'Hara", "Σίσυφος", "", "50% \\ Bob_")


def people(count: int, seed: int) -> list[Person]:
    """So many people with short, varied histories around AS_OF, some of it in the future, much of it missing."""
    chance = random.Random(seed)
    drawn = [_person(number, chance) for number in range(1, count + 1)]
    for person in drawn:
        own = random.Random(f"{seed}.{person.id}")
        vars(person).update(_further(own))
        person.told = draw(own, AS_OF)
        if person.id % 2:
            person.latitude, person.longitude = draw_place(own)
        person.contacts = [(*contact, own.choice([None, "open", "done"])) for contact in person.contacts]
        if person.street is None and (person.country is not None or person.city is not None
                                      or person.latitude is not None or person.longitude is not None):
            person.street = ""  # an address is there
    return drawn


def _further(chance: random.Random) -> dict[str, Any]:
    """The rest of a person's facts, and what was said to them."""
    here = chance.random() < 0.7
    return {"salutation": _maybe(chance, "Ms", "Mr"), "last_name": _maybe(chance, *NAMES),
            "language": _maybe(chance, "de", "en"), "timezone": _maybe(chance, "Europe/Berlin", missing=0.6),
            "household": _maybe(chance, "h1", "h2"), "phone": _maybe(chance, "+49301", "+43", missing=0.5),
            "street": chance.choice(["", "Am Weg 1", "Ägidienstr. 5"]) if here else None,
            "postal_code": _maybe(chance, "23552", "10115") if here else None,
            "latitude": _maybe(chance, 53.865, -1.5) if here else None,
            "longitude": _maybe(chance, 10.686, 0.0) if here else None, **outreach(chance, _moment)}


def _maybe(chance: random.Random, *values: object, missing: float = 0.3) -> object:
    return None if chance.random() < missing else chance.choice(values)


def _moment(chance: random.Random) -> datetime:
    exact = (AS_OF, AS_OF - timedelta(days=90), AS_OF - timedelta(days=365), datetime(2026, 1, 1, tzinfo=UTC),
             datetime(2025, 10, 1, tzinfo=UTC), AS_OF + timedelta(microseconds=1), AS_OF - timedelta(microseconds=1))
    if chance.random() < 0.25:
        return chance.choice(exact)
    return AS_OF - timedelta(days=chance.randint(-20, 800), seconds=chance.randint(0, 86_400))


def _person(number: int, chance: random.Random) -> Person:
    attributes = {"size": chance.choice([5, 2.5, -3, 0, "5", True]), "vip": chance.choice([True, False, "true"]),
                  "tier": chance.choice(["gold", "Gold", "silber"]), "größe in cm": 180,
                  "joined": chance.choice(["2026-03-01", "2025-01-01", "never", "2026-03-31"]), "nothing": None}
    return Person(
        id=number, number=f"C-{number:03d}", first_name=_maybe(chance, *NAMES),  # type: ignore[arg-type]
        company=_maybe(chance, "Acme", "acme gmbh", missing=0.6),  # type: ignore[arg-type]
        birthday=_maybe(chance, date(1980, 2, 29), date(2026, 3, 31), date(2026, 3, 1)),  # type: ignore[arg-type]
        dunning_level=_maybe(chance, 0, 1, 2, 3),  # type: ignore[arg-type]
        preferred_channel=_maybe(chance, "email", "letter", "phone", missing=0.6),  # type: ignore[arg-type]
        created_at=None if chance.random() < 0.3 else _moment(chance),
        country=_maybe(chance, "DE", "AT", "CH"), city=_maybe(chance, "Berlin", "Wien"),  # type: ignore[arg-type]
        email=_maybe(chance, "a@example.com", "B@Example.com"),  # type: ignore[arg-type]
        attributes={key: value for key, value in attributes.items() if chance.random() < 0.7},
        orders=[_purchase(chance) for _ in range(chance.choice([0, 0, 1, 2, 3, 5]))],
        consents=_consents(chance),
        contacts=[(_moment(chance), chance.choice(["call", "letter", "email", "complaint", "service_request", "chat"]),
                   chance.choice(["in", "in", "out"]), chance.choice([None, "email", "phone", "chat"]))
                  for _ in range(chance.choice([0, 1, 2, 4]))],
    )


def _consents(chance: random.Random) -> list[tuple[str, datetime, str]]:
    drawn = {(chance.choice(["email", "phone"]), _moment(chance), chance.choice(["granted", "denied", "withdrawn"]))
             for _ in range(chance.choice([0, 1, 2, 3]))}
    # Two refusals of one instant differ in nothing that counts but the word; keep such ties out.
    return list({(channel, at, state == "granted"): (channel, at, state) for channel, at, state in drawn}.values())


def _purchase(chance: random.Random) -> Purchase:
    lines = [
        Line(chance.choice([*CATEGORIES, None]), chance.choice(["a", "b", None]), chance.choice(["Oak", None]),
             chance.choice([1000, 2500, -1000, 0]), chance.choice([0, 999, 10_000]),
             chance.choice([0, 1, 4_999, 150_000, -2_000]),
             None if chance.random() < 0.3 else _moment(chance), **_aftermath(chance))
        for _ in range(chance.choice([1, 1, 2, 4]))
    ]
    return Purchase(_moment(chance), lines, chance.choice(["", "web"]),
                    chance.choice([None, "done", "cancelled", "open"]), "EUR",
                    chance.choice([None, "SPRING"]), chance.choice([None, "web", "phone"]))


def _aftermath(chance: random.Random) -> dict[str, Any]:
    """Discounts, VAT, cost and returns: most known, some not; a part of the returns after AS_OF."""
    known = chance.random() < 0.75
    return {"discount_cents": chance.choice([None, 0, 0, 500, 1, 2_000]),
            "tax_rate": chance.choice([0.19, 0.07, 0.2, 0.0]) if known else None,
            "unit_cost_cents": chance.choice([0, 333, 5_000, 149]) if known or chance.random() < 0.3 else None,
            "returned_milli": chance.choice([None, None, 0, 1000, 2500, 700]),
            "returned_at": None if chance.random() < 0.5 else _moment(chance)}


def load(database: Database, shop: Sequence[Person]) -> None:
    """Make the database hold exactly these people."""
    with database.writing() as session:
        for table in (Message, Redemption, Code, Offer, OrderLine, Order, Contact, Consent, Event, Relation,
                      Organisation, Score, ScoreName, Store, Address, Customer):
            session.execute(delete(table))
        for table, rows in (_rows(shop) | outreach_rows(shop, AS_OF)).items():
            if rows:
                session.execute(insert(Base.metadata.tables[table.__tablename__]), rows)
        store(session, [(person.id, person.told) for person in shop], AS_OF)


def _rows(shop: Sequence[Person]) -> dict[type, list[dict[str, object]]]:
    rows: dict[type, list[dict[str, object]]] = {
        Customer: [], Address: [], Consent: [], Contact: [], Order: [], OrderLine: []}
    places: list[dict[str, object]] = []
    for person in shop:
        rows[Customer].append({
            "id": person.id, "external_id": person.number, "first_name": person.first_name, "company": person.company,
            "birthday_on": person.birthday, "dunning_level": person.dunning_level, "attributes": person.attributes,
            "preferred_channel": person.preferred_channel, "created_at": person.created_at, "imported_at": AS_OF,
            "salutation": person.salutation, "last_name": person.last_name, "language": person.language,
            "timezone": person.timezone, "household": person.household})
        if person.email is not None:
            rows[Address].append({"customer_id": person.id, "channel": "email", "value": person.email,
                                  "lookup": person.email.lower(), "city": None, "country": None})
        if person.phone is not None:
            rows[Address].append({"customer_id": person.id, "channel": "phone", "value": person.phone,
                                  "lookup": person.phone, "city": None, "country": None})
        if any(fact is not None for fact in (person.street, person.country, person.city)):
            places.append({"customer_id": person.id, "channel": "letter", "value": person.street or "", "lookup": "",
                           "city": person.city, "country": person.country, "postal_code": person.postal_code,
                           "latitude": person.latitude, "longitude": person.longitude})
        rows[Consent] += [{"customer_id": person.id, "channel": channel, "at": at, "state": state, "recorded_at": at}
                          for channel, at, state in person.consents]
        rows[Contact] += [{"external_id": f"{person.id}.{number}", "customer_id": person.id, "at": at, "kind": kind,
                           "direction": direction, "channel": channel, "status": status[0] if status else None}
                          for number, (at, kind, direction, channel, *status) in enumerate(person.contacts)]
        for number, order in enumerate(person.orders):
            _add_order(rows, person, order, number)
    # One insert has the columns of its first row for all: addresses with places stand apart.
    blank = dict.fromkeys(("postal_code", "latitude", "longitude"))
    rows[Address] = [blank | row for row in rows[Address] + places]
    return rows


def _add_order(rows: dict[type, list[dict[str, object]]], person: Person, order: Purchase, number: int) -> None:
    key = len(rows[Order]) + 1
    gone = order.status in ("cancelled", "canceled", "voided")
    shared = {"customer_id": person.id, "ordered_at": order.at, "cancelled": gone, "currency": order.currency}
    rows[Order].append({"id": key, "external_id": f"{person.id}-{number}", "shop": order.shop, "status": order.status,
                        "coupon_code": order.coupon, "ordered_via": order.via,
                        "total_cents": sum(line.total_cents for line in order.lines), **shared})
    rows[OrderLine] += [
        {"order_id": key, "sku": line.sku, "category": line.category, "brand": line.brand,
         "quantity_milli": line.quantity_milli, "unit_price_cents": line.unit_price_cents,
         "total_cents": line.total_cents, "delivered_at": line.delivered_at, "discount_cents": line.discount_cents,
         "tax_rate": line.tax_rate, "unit_cost_cents": line.unit_cost_cents,
         "returned_quantity_milli": line.returned_milli, "returned_at": line.returned_at, **shared}
        for line in order.lines
    ]
