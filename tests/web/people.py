"""A small base for the page tests: people with orders, consents, contacts and addresses."""

from datetime import datetime, timedelta

from core.database import Database
from customers.models import Address, Consent, Contact, Customer, Order, OrderLine


def make_people(database: Database, *, now: datetime) -> None:
    """Eight customers c1..c8. c1..c4 bought furniture 200 days ago, c4 again 10 days ago; c5, c6 bought lighting.
    Odd ones granted e-mail; c2 said no to letters; c1 complained 5 days ago. All live in Lübeck but c8, who has no
    address at all."""
    with database.writing() as session:
        for number in range(1, 9):
            session.add(Customer(id=number, external_id=f"c{number}", first_name=f"Nora{number}", last_name="<b>Weiß",
                                 imported_at=now, attributes={}, search=f"c{number}"))
        session.flush()
        for number in range(1, 8):
            session.add(Address(customer_id=number, channel="letter", value="Lindenweg 1", lookup=f"l{number}",
                                postal_code="23552", city="Lübeck", country="DE"))
            session.add(Address(customer_id=number, channel="email", value=f"c{number}@example.com",
                                lookup=f"c{number}@example.com"))
        said = now - timedelta(days=400)
        for number in (1, 3, 5, 7):
            session.add(Consent(customer_id=number, channel="email", state="granted", at=said, recorded_at=said))
        session.add(Consent(customer_id=2, channel="letter", state="denied", at=said, recorded_at=said))
        session.add(Contact(external_id="k1", customer_id=1, at=now - timedelta(days=5), kind="complaint",
                            direction="in", channel="phone"))
        buys = [(n, "furniture", 200) for n in (1, 2, 3, 4)] + [(4, "furniture", 10), (5, "lighting", 100),
                                                              (6, "lighting", 100)]
        for place, (number, category, days) in enumerate(buys, 1):
            at = now - timedelta(days=days)
            session.add(Order(id=place, external_id=f"o{place}", customer_id=number, ordered_at=at, currency="EUR",
                              total_cents=40_000, status="completed"))
            session.flush()
            session.add(OrderLine(order_id=place, customer_id=number, ordered_at=at, currency="EUR", sku=f"s{place}",
                                  product="Armchair", category=category, quantity_milli=1000, unit_price_cents=40_000,
                                  total_cents=40_000))
