"""Small factories for the coupon tests: an offer, its codes, an order and one redemption job."""

import itertools
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from core.database import Database
from coupons.codes.issuing import Issued, issue
from coupons.models import Offer
from coupons.offers.discount import Line
from coupons.offers.offers import save_offer
from coupons.till.at_once import redeem_for
from coupons.till.requests import Answer, Order, RedemptionRequest
from customers.models import Address, Customer

_keys = itertools.count(1)

SOFA = Line("SOFA-1", "furniture", 1000, 50_000)
LAMP = Line("LAMP-1", "lighting", 2000, 4_000)


def make_customers(database: Database, count: int, *, now: datetime) -> list[int]:
    """Customers 1..count, numbered c1.. with the addresses c1@example.com.."""
    with database.writing() as session:
        for number in range(1, count + 1):
            session.add(Customer(id=number, external_id=f"c{number}", imported_at=now, attributes={}))
        session.flush()
        session.execute(insert(Address), [
            {"customer_id": number, "channel": "email", "value": f"c{number}@example.com",
             "lookup": f"c{number}@example.com"} for number in range(1, count + 1)])
    return list(range(1, count + 1))


def make_offer(database: Database, *, now: datetime, key: str = "ten-percent", **fields: Any) -> Offer:
    """An offer of 10 % without conditions, or with the fields given."""
    given: dict[str, Any] = {"name": "Ten percent", "kind": "percent", "percent": 10, **fields}
    if given["kind"] != "percent" and "percent" not in fields:
        given["percent"] = None
    with database.writing() as session:
        return save_offer(session, key, now=now, **given)


def make_codes(database: Database, offer: Offer, customers: list[int], *, now: datetime, origin: str = "enrolment",
               valid_from: datetime | None = None) -> list[Issued]:
    """One code of the offer for each customer."""
    with database.writing() as session:
        return issue(session.connection(), offer.id, customer_ids=customers,
                     origins=[f"{origin}:{customer}" for customer in customers], campaign="spring",
                     counts_from=[valid_from or now] * len(customers), now=now)


def ask(code: str, order_id: str = "o1", *, total_cents: int | None = None, lines: tuple[Line, ...] = (SOFA, LAMP),
        currency: str = "EUR", customer: str | None = None, email: str | None = None,
        shop: str = "") -> RedemptionRequest:
    """A request to redeem a code for an order of a sofa and two lamps, 580 EUR."""
    total = sum(line.amount_cents for line in lines) if total_cents is None else total_cents
    return RedemptionRequest(code, Order(order_id, total, currency, lines), shop, customer, email)


def use(database: Database, request: RedemptionRequest, *, now: datetime, key: str | None = None,
        client: str = "shop") -> Answer:
    """Redeem in a transaction of its own, under a fresh key unless one is given."""
    name = key or f"key-{next(_keys)}"
    return redeem_for(database, request, client=client, key=name, now=now)
