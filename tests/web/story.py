"""A small furniture shop with everything in it, for the tests of pages: a campaign that ran, one planned, history."""

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from campaigns.models import Campaign, PastPerson
from campaigns.planning import save_campaign
from core.clock import stand_at
from core.database import Database
from coupons.models import Code, Redemption
from coupons.till.redeeming import redeem
from coupons.till.requests import Order, RedemptionRequest
from delivery.channels import Channel
from delivery.channels.memory import MemoryChannel
from journeys.editing.editing import save_draft
from tests.journeys.shop import GRAPH, add_order, day, furnish, go

HOSTILE = "<script>alert('x')</script> & \"Möbel\" {{ 7*7 }} \u202e"

SPOKEN = {**GRAPH, "holdout_percent": 20, "name": "Furniture win-back", "steps": {
    **GRAPH["steps"], "remind": {**GRAPH["steps"]["remind"], "name": "Reminder, same code"}}}


def play(database: Database, folder: Path, *, now: datetime, people: int = 60) -> None:
    """The campaign `spring` with two offers and a hold-out, ten days in: written to, reminded, redeemed, refused."""
    furnish(database, range(1, people + 1), now=now)
    with database.writing() as session:
        save_campaign(session, "spring", now=now, fields={
            "holdout_percent": 20, "segment": "lapsed", "objective": "Bring back people who stopped buying furniture.",
            "owner": "Mara Lindner", "budget_cents": 120_000})
    go(database, SPOKEN, now=now)
    channels: dict[str, Channel] = {"email": MemoryChannel(folder / "sink.db", name="email")}
    day(database, folder, channels, now=now)
    use_codes(database, now=now + timedelta(days=2), every=4)
    for number in range(2, people, 9):
        add_order(database, number, at=now + timedelta(days=1), number="own")
    day(database, folder, channels, now=now + timedelta(days=3))
    day(database, folder, channels, now=now + timedelta(days=8))
    with database.writing() as session:
        stand_at(session.connection(), now + timedelta(days=10))


def use_codes(database: Database, *, now: datetime, every: int) -> None:
    """Every n-th code is redeemed with an order of 200 euros, and one is tried twice."""
    with database.reading() as session:
        held = list(session.execute(select(Code.code, Code.customer_id).order_by(Code.id)).all())
    with database.writing() as session:
        for place, (code, _customer) in enumerate(held[::every]):
            request = RedemptionRequest(code, Order(f"o{place}", 20_000, "EUR", ()))
            redeem(session.connection(), request, client="test", key=f"k{place}", now=now)
        again = RedemptionRequest(held[0][0], Order("another", 9_400, "EUR", ()))
        redeem(session.connection(), again, client="test", key="again", now=now + timedelta(minutes=1))
    for place, (_code, customer) in enumerate(held[::every]):
        add_order(database, customer or 1, at=now, number=f"code{place}")


def plan(database: Database, *, now: datetime, name: str = "Second purchase") -> None:
    """The campaign `second`, planned, with a draft of a journey."""
    with database.writing() as session:
        campaign = save_campaign(session, "second", now=now, fields={
            "name": name, "segment": "lapsed", "goal_categories": ["furniture"], "holdout_percent": 10,
            "ends_at": now + timedelta(days=60)})
        save_draft(session, "second", {**GRAPH, "name": name}, campaign_id=campaign.id, now=now)


def add_history(database: Database, *, now: datetime, people: int = 60) -> None:
    """Two campaigns of the past, with people and redemptions."""
    with database.writing() as session:
        for number in (1, 2):
            past = Campaign(
                key=f"past-{number}", name=f"Past {number}", kind="TypeA", state="history", timezone="UTC",
                starts_on=(now - timedelta(days=200 * number)).date(), goal_categories=[],
                ends_on=(now - timedelta(days=200 * number - 30)).date(), created_at=now, updated_at=now)
            session.add(past)
            session.flush()
            session.add_all(PastPerson(campaign_id=past.id, customer_id=each) for each in range(1, people + 1))
            session.add_all(
                Redemption(public_id=f"h{number}-{each}", external_id=f"h{number}-{each}", code_text=f"OLD{each}",
                           campaign=past.key, customer_id=each, discount_cents=500, currency="EUR", state="redeemed",
                           history=True, redeemed_at=now - timedelta(days=200 * number - 5))
                for each in range(1, people + 1, 5))
