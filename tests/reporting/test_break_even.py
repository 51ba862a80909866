"""Break-even: costs by channel and run, an order's contribution less the discount, what earlier campaigns caused."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from campaigns.costs import FIRST_PRICES, Price
from campaigns.house import save_house
from campaigns.planning import save_campaign
from core.database import Database
from customers.models import OrderLine
from journeys.editing.audience import audience
from journeys.editing.editing import save_draft
from reporting.break_even import BreakEven, break_even
from tests.delivery.ledger import KEY
from tests.journeys.shop import GRAPH, add_order, furnish, questions


@pytest.fixture
def planned(database: Database, now: datetime) -> Database:
    """Twenty people reached by e-mail, ten orders of 200 euros with known costs, a draft with a reminder."""
    furnish(database, range(1, 21), now=now)
    for number in range(1, 11):
        add_order(database, number, at=now - timedelta(days=200))
    with database.writing() as session:
        session.execute(update(OrderLine).values(tax_rate=0.25, unit_cost_cents=10_000))
        save_house(session, now=now, prices={**FIRST_PRICES, "email": Price(100, 1_000)})
        campaign = save_campaign(session, "spring", fields={"segment": "lapsed"}, now=now)
        save_draft(session, "winback", GRAPH, campaign_id=campaign.id, now=now)
    return database


def reckoned(database: Database, folder: Path, now: datetime) -> BreakEven:
    asker = questions(database, folder)
    return break_even(asker, "spring", audience(asker, "spring", now=now, secret_key=KEY), now=now)


def test_it_needs_as_many_extra_orders_as_pay_for_every_message_of_the_longest_way(
    planned: Database, tmp_path: Path, now: datetime
) -> None:
    found = reckoned(planned, tmp_path, now)
    # Two runs of 20 e-mails at 1.00 and 10.00 each. An order of 200: 160 without VAT, 100 cost, 60 contribution; the
    # offers take 10 % (20.00) and 15.00 off, 17.50 in the mean.
    assert (found.people, found.sends, found.cost_cents) == (20, 2, 2 * (1_000 + 20 * 100))
    assert (found.per_order_cents, found.discount_cents) == (6_000, 1_750)
    assert (found.orders, found.rate) == (2, 0.1)
    assert found.sentence == "Needs 2 extra orders, 10.0 % of the 20 people written to."
    assert found.past == ()


def test_without_costs_of_goods_it_asks_for_the_houses_share_and_then_uses_it(
    planned: Database, tmp_path: Path, now: datetime
) -> None:
    with planned.writing() as session:
        session.execute(update(OrderLine).values(unit_cost_cents=None))
    unknown = reckoned(planned, tmp_path, now)
    assert (unknown.orders, unknown.per_order_cents) == (None, None) and "House rules" in unknown.sentence
    with planned.writing() as session:
        save_house(session, now=now, margin_rate=0.3)
    known = reckoned(planned, tmp_path, now)
    assert (known.per_order_cents, known.orders) == (6_000, 2)


def test_a_discount_larger_than_the_contribution_is_said(planned: Database, tmp_path: Path, now: datetime) -> None:
    with planned.writing() as session:
        session.execute(update(OrderLine).values(unit_cost_cents=15_500))
    found = reckoned(planned, tmp_path, now)
    assert found.orders is None and "no number of orders pays for it" in found.sentence
