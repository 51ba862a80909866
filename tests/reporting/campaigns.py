"""Small campaigns whose every number can be counted by hand, written straight into the tables."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy.orm import Session

from campaigns.models import Campaign, PastPerson
from coupons.models import Offer, Redemption
from customers.models import Customer, Order, OrderLine
from delivery.models import Message
from journeys.models import Enrolment, Journey, Version

_numbers = count(1)


def graph(arms: dict[str, float] | None, *, holdout: float = 10, offers: bool = True) -> dict[str, Any]:
    """A journey of one mail per arm; None: of one mail without a split."""
    offer = (lambda name: {"offer": f"offer-{name}"}) if offers else (lambda name: {})
    steps: dict[str, Any] = {"end": {"kind": "leave"}}
    if arms is None:
        steps["mail"] = {"kind": "send", "content": "c", "next": "end", **offer("all")}
    else:
        ways = {name: f"mail_{place}" for place, name in enumerate(arms)}
        steps["split"] = {"kind": "split", "arms": arms, "next": ways}
        for place, name in enumerate(arms):
            steps[f"mail_{place}"] = {"kind": "send", "content": "c", "next": "end", **offer(name)}
    return {"entry": {"segment": "s"}, "holdout_percent": holdout, "start": "mail" if arms is None else "split",
            "steps": steps}


class Shelf:
    """Adds rows for one campaign `spring`; `at` is when people entered it."""

    def __init__(
        self, session: Session, *, at: datetime, days: int | None = 30, arms: dict[str, float] | None = None,
        holdout: float = 10, split: bool = True, goal: tuple[str, ...] = (), planned: int | None = None,
        currency: str = "EUR", key: str = "spring", settings: dict[str, Any] | None = None,
    ) -> None:
        self.session, self.at, self.key, self.currency = session, at, key, currency
        chosen = (arms or {"A": 50, "B": 50}) if split else None
        self.campaign = Campaign(
            key=key, name="Spring", state="running", starts_at=at,
            ends_at=None if days is None else at + timedelta(days=days), timezone="UTC", goal_categories=list(goal),
            holdout_percent=holdout, currency=currency, planned_people=planned, settings=settings or {},
            created_at=at, updated_at=at)
        session.add(self.campaign)
        session.flush()
        self.journey = Journey(key=f"j-{key}", name="J", campaign_id=self.campaign.id, draft={}, state="running",
                               created_at=at, updated_at=at)
        session.add(self.journey)
        session.flush()
        self.version = Version(journey_id=self.journey.id, number=1, graph=graph(chosen, holdout=holdout),
                               pins={"contents": {}, "offers": {}, "segments": {}}, published_at=at)
        session.add(self.version)
        session.flush()

    def offer(self, arm: str, name: str) -> None:
        """Name the offer of an arm."""
        self.session.add(Offer(key=f"offer-{arm}", name=name, kind="percent", percent_bp=1000, currency=self.currency,
                               created_at=self.at, updated_at=self.at))

    def people(
        self, how_many: int, arm: str | None = None, *, held_out: bool = False, channel: str | None = "email",
        sent: bool = True, at: datetime | None = None, cost: int = 0, state: str = "sent",
    ) -> list[int]:
        """Enrol people; those not held out get a message (sent, or in `state`), the others a withheld row."""
        entered = at or self.at
        ids = [new_customer(self.session, now=self.at) for _ in range(how_many)]
        enrolments = [
            Enrolment(journey_id=self.journey.id, version_id=self.version.id, customer_id=number, held_out=held_out,
                      arm=arm, channel=None if held_out else channel, state="active", entered_at=entered)
            for number in ids
        ]
        self.session.add_all(enrolments)
        self.session.flush()
        for enrolment in enrolments:
            if held_out:
                self.message(enrolment, state="withheld", reason="left alone for comparison", channel=None)
            elif sent:
                self.message(enrolment, state=state, channel=channel, cost=cost,
                             reason=None if state == "sent" else "no consent")
        self.session.flush()
        return ids

    def message(
        self, enrolment: Enrolment, *, state: str = "sent", channel: str | None = "email", cost: int = 0,
        reason: str | None = None, occasion: str | None = None, step: str = "mail", expected_days: float = 0,
        bounced: bool = False, campaign: str | None = None,
    ) -> None:
        """One row of the ledger."""
        at = enrolment.entered_at
        self.session.add(Message(
            public_id=f"m{next(_numbers)}", occasion=occasion or f"{enrolment.id}.{step}.1.0",
            customer_id=enrolment.customer_id, origin=f"enrolment:{enrolment.id}", enrolment_ref=enrolment.id,
            campaign=campaign or self.key, arm=enrolment.arm, step=step, channel=channel, state=state, reason=reason,
            cost_cents=cost, queued_at=at, due_at=at, sent_at=at if state == "sent" else None,
            expected_at=at + timedelta(days=expected_days) if state == "sent" else None,
            bounced_at=at if bounced else None))

    def order(self, customer: int, *, day: float = 1, cents: int = 10_000, **more: Any) -> Order:
        """One order of one line; see `new_order`."""
        return new_order(self.session, customer, at=self.at + timedelta(days=day), cents=cents,
                         currency=more.pop("currency", self.currency), **more)

    def redeem(
        self, customer: int | None, *, day: float = 1, cents: int | None = 10_000, discount: int = 1_000,
        order: Order | None = None, state: str = "redeemed", rolled_back: int = 0, redeemer: int | None = None,
        history: bool = False,
    ) -> None:
        """One redemption of the campaign."""
        number = next(_numbers)
        self.session.add(Redemption(
            public_id=f"r{number}", code_text=f"CODE{number}", campaign=self.key, customer_id=customer,
            redeemer_id=redeemer, shop="" if order is None else order.shop,
            order_ref=f"o{number}" if order is None else order.external_id, order_total_cents=cents,
            discount_cents=discount, rolled_back_cents=rolled_back, currency=self.currency, state=state,
            history=history, redeemed_at=self.at + timedelta(days=day)))
        self.session.flush()


def new_customer(session: Session, *, now: datetime) -> int:
    """A bare customer's id."""
    customer = Customer(external_id=f"k{next(_numbers)}", imported_at=now, search="")
    session.add(customer)
    session.flush()
    return customer.id


def new_order(
    session: Session, customer: int, *, at: datetime, cents: int = 10_000, currency: str = "EUR",
    category: str = "furniture", cancelled: bool = False, quantity: int = 1, returned: int | None = None,
    discount: int | None = None, tax: float | None = None, unit_cost: int | None = None,
    delivered: datetime | None = None,
) -> Order:
    """One order of one line."""
    order = Order(external_id=f"x{next(_numbers)}", customer_id=customer, ordered_at=at, currency=currency,
                  cancelled=cancelled, total_cents=cents)
    session.add(order)
    session.flush()
    session.add(OrderLine(
        order_id=order.id, customer_id=customer, ordered_at=at, cancelled=cancelled, currency=currency,
        category=category, quantity_milli=quantity * 1000, unit_price_cents=cents // quantity, total_cents=cents,
        discount_cents=discount, tax_rate=tax, unit_cost_cents=unit_cost, delivered_at=delivered,
        returned_quantity_milli=None if returned is None else returned * 1000))
    session.flush()
    return order


def past_campaign(
    session: Session, key: str, *, starts: datetime, days: int, people: list[int], arms: list[str | None] | None = None,
    channel: str | None = None,
) -> Campaign:
    """An imported campaign and the people it addressed."""
    campaign = Campaign(key=key, name=f"Past {key}", kind="A", state="history", starts_on=starts.date(),
                        ends_on=(starts + timedelta(days=days - 1)).date(), timezone="UTC", goal_categories=[],
                        holdout_percent=0, currency="EUR", settings={}, created_at=starts, updated_at=starts)
    session.add(campaign)
    session.flush()
    for place, number in enumerate(people):
        session.add(PastPerson(campaign_id=campaign.id, customer_id=number, arm=arms[place] if arms else None,
                               channel=channel))
    session.flush()
    return campaign


def past_redemption(session: Session, key: str, customer: int | None, *, at: datetime) -> None:
    """An imported redemption."""
    number = next(_numbers)
    session.add(Redemption(public_id=f"r{number}", external_id=f"e{number}", code_text="X", campaign=key,
                           customer_id=customer, discount_cents=0, currency="EUR", state="redeemed", history=True,
                           redeemed_at=at))
    session.flush()
