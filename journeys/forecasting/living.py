"""What do the people of the forecast do meanwhile?

Owns what happens in the scratch world beside the journey: orders that come by themselves, codes that are redeemed and
the orders they are redeemed for, events like those of the past weeks, calls that are made. Everything is drawn once per
person, always the same way, and written where the rules read it, when its time has come.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count as counting
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import BigInteger, Connection, Table, func, select, type_coerce

from core.bulk import bulk_insert, reserve_ids
from core.database import Database
from core.types import from_us, to_us
from coupons.offers.discount import Line
from coupons.till.redeeming import redeem
from coupons.till.requests import Order as Basket
from coupons.till.requests import RedemptionRequest
from customers.models import Customer, Event, Order, OrderLine
from delivery import supposing
from delivery.models import Message
from delivery.settings import DeliverySettings
from journeys.responding import DAY_US, Numbers, Response, features_of

_ORDERS: Table = Order.__table__  # type: ignore[assignment]
_LINES: Table = OrderLine.__table__  # type: ignore[assignment]
_EVENTS: Table = Event.__table__  # type: ignore[assignment]
SHOP = "forecast"
USUAL_BASKET_CENTS = 10_000
CALL_AFTER = timedelta(hours=4)
"""How long a call lies on the desk until an agent makes it."""
_BY_THEMSELVES, _BY_CODE = 0, 1
"""Which of a person's two baskets."""


@dataclass(frozen=True)
class Shopping:
    """What an order in the campaign's goal looks like."""

    category: str | None
    currency: str
    ends_us: int


@dataclass
class Living:
    """Everybody's draws, and what is still to come, by instant; one person orders at most once on top of redeeming."""

    database: Database
    response: Response
    shopping: Shopping
    people: list[int]
    begins_us: int
    seed: int
    coming: list[tuple[int, int, str, Any]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=counting)
    features: Numbers = field(init=False)
    orders: int = 0
    redemptions: int = 0
    refused: int = 0
    discount_cents: int = 0

    def __post_init__(self) -> None:
        self.chance = np.random.default_rng(self.seed)
        self.places = {customer_id: place for place, customer_id in enumerate(self.people)}
        self.seen = 0
        with self.database.reading() as session:
            self.features = features_of(session.connection(), self.people, before_us=self.begins_us)
            self.externals: dict[int, str] = dict(session.execute(select(Customer.id, Customer.external_id)).all())
        self.luck = self.chance.random((2, len(self.people)))
        if self.response.redeeming is not None:
            self.redeem_rates = self.response.redeeming.rates(self.features)
        self._draw_orders()
        # Drawn for everybody, needed or not: what one person does never hangs on who comes before them in a batch.
        self.delays_us = self.chance.exponential(self.response.delay_days * DAY_US, len(self.people))
        worth = self.response.baskets or (USUAL_BASKET_CENTS,)
        self.baskets = np.array(worth)[self.chance.integers(len(worth), size=(2, len(self.people)))]

    def _draw_orders(self) -> None:
        """Who orders by themselves in these days, and when."""
        if self.response.ordering is None:
            return
        length_us = self.shopping.ends_us - self.begins_us
        rates = self.response.ordering.rates(self.features, over_days=length_us / DAY_US)
        places = np.nonzero(self.luck[0] < rates)[0].tolist()
        for place, part in zip(places, self.chance.random(len(places)).tolist(), strict=True):
            self._plan(self.begins_us + int(part * length_us), "order", self.people[place])

    def _plan(self, at_us: int, what: str, about: Any) -> None:
        heapq.heappush(self.coming, (at_us, next(self.numbers), what, about))

    def replay(self, events: list[dict[str, Any]]) -> None:
        """Let these events happen, each at its own instant (`at_us`)."""
        for event in events:
            self._plan(event["at_us"], "event", event)

    def next_at_us(self) -> int | None:
        """When the next event that may let somebody in happens."""
        return min((at_us for at_us, _n, what, _about in self.coming if what == "event"), default=None)

    def catch_up(self, now: datetime, settings: DeliverySettings, zone: ZoneInfo) -> int:
        """Write down everything that has happened by now; returns how much."""
        due: list[tuple[int, str, Any]] = []
        while self.coming and self.coming[0][0] <= to_us(now):
            at_us, _number, what, about = heapq.heappop(self.coming)
            due.append((at_us, what, about))
        ordering = [(at_us, about, self._basket_cents(about, _BY_THEMSELVES))
                    for at_us, what, about in due if what == "order"]
        if ordering:
            with self.database.writing() as session:
                self._write_orders(session.connection(), ordering)
        self._redeem([(at_us, *about) for at_us, what, about in due if what == "redeem"])
        self._write_events([about for _at_us, what, about in due if what == "event"])
        return len(due) + self._call(now, settings, zone)

    def notice(self) -> None:
        """Draw for whoever was sent a code since last time whether and when it is redeemed: once per person."""
        with self.database.reading() as session:
            rows = session.execute(
                select(Message.id, Message.customer_id, Message.code, type_coerce(Message.expected_at, BigInteger))
                .where(Message.id > self.seen, Message.state == "sent", Message.code.is_not(None))
                .order_by(Message.id)).all()
            # What is queued still keeps the place: it is looked at again.
            waiting = session.scalar(select(func.min(Message.id)).where(
                Message.id > self.seen, Message.state.in_(("queued", "claimed", "handed_over"))))
            newest = session.scalar(select(func.max(Message.id))) or 0
        for message in rows:
            self._may_redeem(message.customer_id, message.code, message[3])
        self.seen = newest if waiting is None else min(waiting - 1, newest)

    def _may_redeem(self, customer_id: int, code: str, arrives_us: int | None) -> None:
        place = self.places.get(customer_id)
        if place is None or self.response.redeeming is None or self.luck[1, place] >= 1.0:
            return
        wants = self.luck[1, place] < self.redeem_rates[place]
        self.luck[1, place] = 1.0  # drawn once; a reminder is part of the same campaign
        if wants and arrives_us is not None:
            last_us = self.shopping.ends_us - 1
            self._plan(min(arrives_us + int(self.delays_us[place]), max(last_us, arrives_us)), "redeem",
                       (customer_id, code))

    def _basket_cents(self, customer_id: int, which: int) -> int:
        return int(self.baskets[which, self.places[customer_id]])

    def _redeem(self, wanted: list[tuple[int, int, str]]) -> None:
        """Go through the till with these codes: instant, customer and code. Nobody else is at it, so in one go."""
        if not wanted:
            return
        orders: list[tuple[int, int, int]] = []
        with self.database.writing() as session:
            connection = session.connection()
            for at_us, customer_id, code in wanted:
                at, cents, number = from_us(at_us), self._basket_cents(customer_id, _BY_CODE), f"r{customer_id}-{at_us}"
                request = RedemptionRequest(
                    code=code, shop=SHOP, customer_external_id=self.externals.get(customer_id), order=Basket(
                        number, cents, self.shopping.currency,
                        (Line(SHOP, self.shopping.category or SHOP, 1000, cents),)))
                answer = redeem(connection, request, client=SHOP, key=number, now=at)
                if answer.status >= 400:
                    # The till refuses: too late, a limit, a minimum. The person goes without.
                    self.refused += 1
                    continue
                self.redemptions += 1
                self.discount_cents += int(answer.body["discount_cents"])
                orders.append((at_us, customer_id, cents))
            self._write_orders(connection, orders)

    def _write_orders(self, connection: Connection, orders: list[tuple[int, int, int]]) -> None:
        """Orders: instant, customer and value."""
        if not orders:
            return
        count = len(orders)
        at, customers, values = (list(column) for column in zip(*orders, strict=True))
        ids = reserve_ids(connection, _ORDERS, count)
        same: dict[str, list[Any]] = {"customer_id": customers, "ordered_at": at, "cancelled": [False] * count,
                                      "total_cents": values, "currency": [self.shopping.currency] * count}
        bulk_insert(connection, _ORDERS, {"id": ids, "shop": [SHOP] * count,
                                          "external_id": [f"{number}" for number in ids], **same})
        bulk_insert(connection, _LINES, {
            "order_id": ids, "category": [self.shopping.category] * count, "quantity_milli": [1000] * count,
            "unit_price_cents": values, **same})
        self.orders += count

    def _write_events(self, events: list[dict[str, Any]]) -> None:
        if not events:
            return
        with self.database.writing() as session:
            session.execute(Event.__table__.insert(), [{  # type: ignore[attr-defined]
                "external_id": f"{SHOP}-{event['id']}", "customer_id": event["customer_id"], "name": event["name"],
                "at": from_us(event["at_us"]), "source": SHOP, "properties": event["properties"],
                "recorded_at": from_us(event["at_us"])} for event in events])

    def _call(self, now: datetime, settings: DeliverySettings, zone: ZoneInfo) -> int:
        """Agents make the calls that lay on the desk for a while, by day."""
        if not 9 <= now.astimezone(zone).hour < 20:
            return 0
        lying = [message_id for message_id, since_us in supposing.open_calls(self.database)
                 if since_us + CALL_AFTER // timedelta(microseconds=1) <= to_us(now)]
        if not lying:
            return 0
        found = self.chance.random(len(lying)) < self.response.reached
        return supposing.answer(self.database, dict(zip(lying, (bool(each) for each in found), strict=True)), now=now,
                                settings=settings)
