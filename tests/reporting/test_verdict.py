"""Does the verdict say what the numbers allow, effect first, then money, then what to do?"""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert

from core.database import Database
from core.statistics.power import people_needed_for_rate
from core.statistics.proportions import Count, compare_rates
from core.types import to_us
from customers.models import Customer, Order
from journeys.models import Enrolment
from reporting.reports import campaign_report
from reporting.results import CampaignReport
from tests.reporting.campaigns import Shelf

NBSP = "\N{NO-BREAK SPACE}"
Buyers = tuple[int, int]


def judged(
    database: Database, now: datetime, arms: dict[str, Buyers], kept: Buyers | None, *, days: int = 40, **more: Any
) -> CampaignReport:
    """The report of arms of (people, people who order); more: cents per arm."""
    cents: dict[str, int] = more.pop("cents", {})
    with database.writing() as session:
        people = sum(count for count, _buyers in arms.values())
        weights = {name: 100 * count / people for name, (count, _buyers) in arms.items()}
        shelf = Shelf(session, at=now, arms=weights, split=len(arms) > 1, goal=("furniture",),
                      holdout=0 if kept is None else 100 * kept[0] / (kept[0] + people), **more)
        for name, (count, buyers) in arms.items():
            for number in shelf.people(count, name if len(arms) > 1 else None, sent=False)[:buyers]:
                shelf.order(number, cents=cents.get(name, 10_000))
        if kept is not None:
            for number in shelf.people(kept[0], held_out=True)[:kept[1]]:
                shelf.order(number)
    with database.reading() as session:
        return campaign_report(session, "spring", now=now + timedelta(days=days))


def test_a_clear_effect_is_told_with_its_range_and_its_money(sqlite_database: Database, now: datetime) -> None:
    verdict = judged(sqlite_database, now, {"all": (200, 100)}, (100, 10)).verdict
    effect = compare_rates(Count(100, 200), against=Count(10, 100))
    low, high = round(effect.low * 200), round(effect.high * 200)
    assert verdict.kind == "caused"
    assert verdict.sentence == ("The campaign caused about 80 people to order furniture who would not have ordered"
                                f" without it (95{NBSP}%: {low} to {high}).")
    assert verdict.money.startswith("It brought in €8,000 more than without it, after returns, discounts")
    assert verdict.advice == "Do it again, and leave people alone again to keep knowing."


def test_a_range_that_holds_0_is_no_effect_yet_and_names_the_people_needed(
    sqlite_database: Database, now: datetime
) -> None:
    verdict = judged(sqlite_database, now, {"all": (180, 22)}, (20, 2)).verdict
    needed = people_needed_for_rate(0.1, lift=(22 / 180 - 0.1) / 0.1, treated_per_control=9)
    assert verdict.kind == "cannot_tell"
    assert verdict.sentence.startswith("We cannot tell yet")
    assert verdict.people_needed == needed.total
    assert f"about {int(needed.total):,} people" in verdict.advice


def test_fewer_orders_than_without_it_is_said(sqlite_database: Database, now: datetime) -> None:
    verdict = judged(sqlite_database, now, {"all": (200, 20)}, (200, 80)).verdict
    assert verdict.kind == "harmed"
    assert verdict.sentence.startswith("The campaign kept about 60 people from ordering furniture (")


def test_the_offer_that_earns_more_is_preferred_over_the_one_that_is_used_more(
    sqlite_database: Database, now: datetime
) -> None:
    report = judged(sqlite_database, now, {"A": (200, 80), "B": (200, 90)}, (100, 10),
                    cents={"A": 50_000, "B": 10_000})
    assert report.verdict.prefer == "A"
    assert report.verdict.advice.startswith("A brought in €155 more per person (95")
    assert report.verdict.advice.endswith("Prefer A next time.")


def test_offers_that_cannot_be_told_apart_are_both_kept(sqlite_database: Database, now: datetime) -> None:
    verdict = judged(sqlite_database, now, {"A": (100, 50), "B": (100, 52)}, (100, 10)).verdict
    assert (verdict.kind, verdict.prefer) == ("caused", None)
    assert "cannot be told yet" in verdict.advice


def test_without_people_left_alone_there_is_no_effect(sqlite_database: Database, now: datetime) -> None:
    report = judged(sqlite_database, now, {"all": (50, 20)}, None)
    assert (report.verdict.kind, report.effect, report.extra_people) == ("no_holdout", None, None)
    assert "Nobody was left alone" in report.verdict.sentence


def test_nobody_ordering_anywhere_is_no_evidence_of_no_effect(sqlite_database: Database, now: datetime) -> None:
    assert judged(sqlite_database, now, {"all": (50, 0)}, (50, 0)).verdict.kind == "cannot_tell"


@pytest.mark.slow
def test_twenty_looks_at_campaigns_without_any_effect_cause_no_verdict(
    sqlite_database: Database, now: datetime
) -> None:
    """A/A: everybody orders alike. Deciding on the fixed p value at each look would call an effect in some of them."""
    random, campaigns, people, days = np.random.default_rng(20), 8, 400, 30
    with sqlite_database.writing() as session:
        for number in range(campaigns):
            shelf = Shelf(session, at=now, key=f"aa{number}", split=False, holdout=30)
            first = number * people + 1
            ids = range(first, first + people)
            session.execute(insert(Customer), [{"id": i, "external_id": f"a{i}", "imported_at": now, "search": "",
                                                "attributes": {}} for i in ids])
            session.execute(insert(Enrolment), [
                {"journey_id": shelf.journey.id, "version_id": shelf.version.id, "customer_id": i, "entry": 1,
                 "held_out": place < people * 0.3, "visit": 1, "state": "active", "entered_at": now}
                for place, i in enumerate(ids)])
            buyers = [i for i in ids if random.random() < 0.25]
            session.execute(insert(Order), [
                {"external_id": f"o{i}", "shop": "", "customer_id": i, "cancelled": False, "currency": "EUR",
                 "total_cents": 1000, "ordered_at": to_us(now + timedelta(days=days * float(random.random())))}
                for i in buyers])
    kinds, fixed_alarms = [], 0
    with sqlite_database.reading() as session:
        for number in range(campaigns):
            looks = [campaign_report(session, f"aa{number}", now=now + timedelta(days=day)) for day in range(2, 30, 4)]
            kinds += [look.verdict.kind for look in looks]
            fixed_alarms += any(look.effect is not None and look.effect.fixed.p_value < 0.05 for look in looks)
    assert set(kinds) == {"cannot_tell"}
    assert fixed_alarms >= 1
