"""What does the simulated shop do while the campaign runs?

Owns the shop's side: its till calls the real HTTP endpoint for every code, and each night it hands over its order file,
which is imported like any shop's. Who comes, when, and with what basket follows `winback/demo/truth.py`; a day can be
replayed after a crash and does nothing twice, because orders have fixed numbers and requests fixed idempotency keys.
"""

import http.client
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.errors import Invalid
from coupons.models import Redemption
from customers.models import Customer, Order
from delivery.models import Message
from journeys.models import Enrolment, Journey
from winback.demo.plot import DAYS, Plot
from winback.demo.truth import Behaviour, behave, respond_more

CONNECTIONS = 4
EXPECTED_REFUSALS = {"already_redeemed", "expired", "limit_reached", "minimum_not_met", "revoked"}
TAX_RATE = 0.19


@dataclass(frozen=True)
class Person:
    """One enrolled person as the simulation sees them."""

    number: str
    arm: str | None
    code: str | None
    reached_at: datetime | None
    behaviour: Behaviour


@dataclass(frozen=True)
class Purchase:
    """One order of the simulated shop; `code` is what was typed at the till, if anything."""

    order: str
    number: str
    at: datetime
    cents: int
    code: str | None
    delivered_at: datetime
    returned_at: datetime | None


def people(session: Session, plot: Plot) -> list[Person]:
    """Everybody enrolled in the plot's campaign, with what they will do."""
    first = (
        select(func.min(Message.id).label("id"))
        .where(Message.campaign == plot.campaign, Message.state == "sent")
        .group_by(Message.enrolment_ref)
        .subquery()
    )
    rows = session.execute(
        select(Customer.external_id, Enrolment.arm, Enrolment.customer_id, Message.channel, Message.code,
               Message.expected_at)
        .select_from(Enrolment)
        .join(Customer, Customer.id == Enrolment.customer_id)
        .join(Message, and_(Message.enrolment_ref == Enrolment.id, Message.id.in_(select(first.c.id))), isouter=True)
        .where(Enrolment.journey_id == _journey_id(session, plot))
        .order_by(Enrolment.id)
    ).all()
    facts = _facts(session, plot)
    found = []
    for (arm, channel), group in _grouped(rows):
        ids = [row.external_id for row in group]
        best = [bool(respond_more(*facts.get(row.customer_id, (0, 0)))) for row in group]
        found += [
            Person(row.external_id, arm, row.code, row.expected_at, behaviour)
            for row, behaviour in zip(group, behave(plot.truth, ids, arm=arm, channel=channel, best=best), strict=True)
        ]
    return found


def _journey_id(session: Session, plot: Plot) -> int:
    return session.execute(
        select(Journey.id).join(Campaign, Campaign.id == Journey.campaign_id).where(Campaign.key == plot.campaign)
    ).scalar_one()


def _grouped(rows: Iterable[Any]) -> Iterator[tuple[tuple[str | None, str | None], list[Any]]]:
    groups: dict[tuple[str | None, str | None], list[Any]] = {}
    for row in rows:
        groups.setdefault((row.arm, row.channel), []).append(row)
    yield from groups.items()


def _facts(session: Session, plot: Plot) -> dict[int, tuple[int, int]]:
    rows = session.execute(
        select(Order.customer_id, func.count(), func.sum(Order.total_cents))
        .where(Order.ordered_at < plot.starts_at, Order.cancelled.is_(False))
        .group_by(Order.customer_id)
    )
    return {customer: (int(count), int(cents)) for customer, count, cents in rows}


def purchases(plot: Plot, persons: list[Person]) -> list[Purchase]:
    """Every order of the simulated month, in the order of time."""
    found = []
    for person in persons:
        behaviour = person.behaviour
        anyway_at = plot.starts_at + timedelta(days=1 + behaviour.anyway_day * (DAYS - 2))
        # Who ordered before the message came has ordered: that stays so, whenever the message comes.
        bought_before = behaviour.orders_anyway and (person.reached_at is None or anyway_at < person.reached_at)
        at: datetime | None = anyway_at if behaviour.orders_anyway else None
        code: str | None = None
        if behaviour.redeems and person.reached_at is not None and not bought_before:
            at, code = person.reached_at + behaviour.response_delay, person.code
        if at is None or at >= plot.ends_at:
            continue
        delivered = at + timedelta(days=behaviour.delivery_days)
        returned = delivered + timedelta(days=7) if behaviour.returns else None
        found.append(
            Purchase(f"S{person.number}", person.number, at, behaviour.basket_cents, code, delivered, returned)
        )
        if code is not None and behaviour.tries_twice:
            again = at + timedelta(days=2)
            if again < plot.ends_at:
                found.append(Purchase(f"S{person.number}-2", person.number, again, behaviour.basket_cents, code,
                                      again + timedelta(days=30), None))
    return sorted(found, key=lambda purchase: (purchase.at, purchase.order))


class Till:
    """The shop's till: redeems codes over HTTP with its own key, a few requests at a time."""

    def __init__(self, host: str, port: int, key: str) -> None:
        self._address = (host, port)
        self._key = key

    def ring_up(self, plot: Plot, bought: list[Purchase]) -> None:
        """Redeem the codes of these purchases, each order's once."""
        with_code = [purchase for purchase in bought if purchase.code is not None]
        parts = [with_code[start::CONNECTIONS] for start in range(CONNECTIONS)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for answers in pool.map(lambda part: self._redeem_all(plot, part), [part for part in parts if part]):
                for status, body in answers:
                    if status not in (200, 201) and body.get("reason") not in EXPECTED_REFUSALS:
                        raise Invalid(f"The till was answered {status}: {body}.")

    def discounts(self, session: Session, plot: Plot) -> dict[str, int]:
        """Discount in cents by order of everything the till redeemed, from the ledger."""
        rows = session.execute(
            select(Redemption.order_ref, Redemption.discount_cents)
            .where(Redemption.campaign == plot.campaign, Redemption.shop == "demo", Redemption.state == "redeemed")
        )
        return {order: cents for order, cents in rows if order is not None}

    def _redeem_all(self, plot: Plot, bought: list[Purchase]) -> list[tuple[int, dict[str, Any]]]:
        connection = http.client.HTTPConnection(*self._address, timeout=30)
        answers = []
        for purchase in bought:
            body = {
                "code": purchase.code, "shop": "demo",
                "order": {"id": purchase.order, "total_cents": purchase.cents, "currency": plot.currency,
                          "lines": [{"sku": "demo", "category": plot.categories[0], "quantity": 1,
                                     "unit_price_cents": purchase.cents}]},
                "customer": {"external_id": purchase.number},
            }
            connection.request(
                "POST", "/api/v1/redemptions", json.dumps(body),
                {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json",
                 "Idempotency-Key": f"demo-{purchase.order}"},
            )
            response = connection.getresponse()
            answers.append((response.status, json.loads(response.read())))
        connection.close()
        return answers


def write_night_file(path: Path, plot: Plot, bought: list[Purchase], discounts: dict[str, int], *,
                     now: datetime) -> int:
    """The shop's order file: every order so far in its state as of `now`; returns how many orders."""
    rows = [
        {"order_id": purchase.order, "customer_id": purchase.number, "ordered_at": purchase.at, "shop": "demo",
         "status": "completed", "currency": plot.currency, "sku": "demo", "product": plot.goods.capitalize(),
         "category": plot.categories[0], "brand": "", "quantity": 1, "unit_price": purchase.cents / 100,
         "discount": discounts.get(purchase.order, 0) / 100, "ordered_via": "web",
         "coupon_code": purchase.code if purchase.order in discounts else "", "tax_rate": TAX_RATE,
         "unit_cost": round(purchase.cents / 100 * 0.5 / (1 + TAX_RATE), 2),
         "delivered_at": purchase.delivered_at if purchase.delivered_at < now else pd.NaT,
         "returned_quantity": int(purchase.returned_at is not None and purchase.returned_at < now),
         "returned_at": purchase.returned_at if purchase.returned_at and purchase.returned_at < now else pd.NaT}
        for purchase in bought
    ]
    if rows:
        pd.DataFrame(rows).to_parquet(path, index=False)
    return len(rows)
