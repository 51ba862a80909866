"""Where organisations were drawn, the report says so, and its ranges are those of organisations."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from campaigns.planning import save_campaign
from core.database import Database
from core.statistics.proportions import Count, compare_rates, rate
from customers.models import Organisation, Relation
from journeys.editing.editing import save_draft
from journeys.forecasting.asking import Wish
from journeys.models import Version
from reporting.forecasting import forecast
from reporting.reports import campaign_report
from tests.journeys.shop import ONE_MAIL, add_order, furnish
from tests.journeys.test_forecast import around
from tests.reporting.campaigns import Shelf

DAYS = timedelta(days=40)


def employ(session: Session, firms: Sequence[Sequence[int]], *, now: datetime) -> None:
    """These people belong to an organisation each; some belonged to another once, or will."""
    for number, people in enumerate(firms):
        firm = Organisation(external_id=f"F{number}", name=f"Firm {number}")
        session.add(firm)
        session.flush()
        for person in people:
            session.add(Relation(external_id=f"r{person}", customer_id=person, organisation_id=firm.id, kind="partner"))
            session.add(Relation(external_id=f"old{person}", customer_id=person, organisation_id=1, kind="partner",
                                 until_at=now - timedelta(days=1)))
            session.add(Relation(external_id=f"new{person}", customer_id=person, organisation_id=1, kind="partner",
                                 since_at=now + timedelta(days=1)))


def campaign(session: Session, sizes: dict[str, list[tuple[int, int]]], *, now: datetime, unit: str) -> list[list[int]]:
    """Per group (`held` or an arm) organisations of (people, of whom so many order and redeem)."""
    shelf = Shelf(session, at=now, holdout=20)
    session.execute(update(Version).values(graph={**shelf.version.graph, "unit": unit}))
    firms = []
    for group, found in sizes.items():
        for people, hits in found:
            ids = shelf.people(people, None if group == "held" else group, held_out=group == "held")
            firms.append(ids)
            for person in ids[:hits]:
                shelf.order(person, cents=1_000 * (1 + person % 7))
                if group != "held":
                    shelf.redeem(person)
    return firms


ALIKE = {"A": [(5, 5), (5, 0), (5, 4), (5, 0), (4, 1), (1, 1)] * 4, "B": [(5, 4), (5, 1), (5, 0), (5, 0), (5, 1)] * 5,
         "held": [(5, 0), (5, 1), (5, 3)] * 4}


def test_a_report_by_organisation_counts_people_and_is_as_sure_as_its_organisations(
    database: Database, now: datetime
) -> None:
    with database.writing() as session:
        employ(session, campaign(session, ALIKE, now=now, unit="organisation"), now=now)
    with database.reading() as session:
        report = campaign_report(session, "spring", now=now + DAYS)
        found = report.to_dict()
    first, second = found["arms"]
    assert (first["assigned"], second["assigned"], found["holdout"]["assigned"]) == (100, 125, 60)
    assert (first["ordered"], second["ordered"], found["holdout"]["ordered"]) == (44, 30, 16)
    assert first["rate"] == 0.44 and first["rate_high"] - first["rate_low"] > 1.5 * _width(44, 100)
    drawn = found["drawn"]
    assert (drawn["unit"], drawn["units"], drawn["average_size"]) == ("organisation", 61, pytest.approx(285 / 61))
    assert 2 < drawn["design_effect"] < 5.5
    assert "61 units of 4.7 people on average" in drawn["sentence"] and "design effect on orders" in drawn["sentence"]
    effect, alone = found["effect"], compare_rates(Count(74, 225), against=Count(16, 60))
    assert effect["estimate"] == pytest.approx(alone.estimate)
    assert effect["high"] - effect["low"] > 1.4 * (alone.high - alone.low)
    assert report.effect is not None and report.effect.always_valid.n == 49  # organisations, not people
    # 24 : 25 : 12 organisations were meant 24 : 24 : 12; of people it would be 100 : 125 : 60.
    assert next(check for check in found["integrity"] if check["key"] == "split")["evidence"].startswith("24 : 25 : 12")
    assert found["channels"][0]["rate_high"] - found["channels"][0]["rate_low"] > 1.4 * _width(74, 225)


def _width(hits: int, people: int) -> float:
    found = rate(Count(hits, people))
    return found.high - found.low


def test_organisations_of_one_give_the_very_report_of_people(database: Database, now: datetime) -> None:
    sizes = {"A": [(1, 1)] * 12 + [(1, 0)] * 30, "B": [(1, 1)] * 20 + [(1, 0)] * 25,
             "held": [(1, 1)] * 4 + [(1, 0)] * 9}
    with database.writing() as session:
        firms = campaign(session, sizes, now=now, unit="organisation")
        employ(session, firms[::2], now=now)  # who belongs to none is a unit alone
    with database.reading() as session:
        together = campaign_report(session, "spring", now=now + DAYS).to_dict()
    with database.writing() as session:
        graph = session.query(Version).one().graph
        session.execute(update(Version).values(graph={**graph, "unit": "customer"}))
    with database.reading() as session:
        apart = campaign_report(session, "spring", now=now + DAYS).to_dict()
    drawn: dict[str, Any] = together.pop("drawn")
    assert (drawn["units"], drawn["design_effect"]) == (100, 1.0)
    assert apart.pop("drawn")["unit"] == "customer"
    assert together == apart


def test_the_forecast_s_power_is_that_of_organisations(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 101), now=now)
    firms = [range(start, start + 5) for start in range(1, 101, 5)]
    for people in firms[::4]:  # every fourth organisation orders as a whole
        for person in people:
            add_order(sqlite_database, person, at=now - timedelta(days=4))
    powers = {}
    for unit in ("customer", "organisation"):
        with sqlite_database.writing() as session:
            chosen = save_campaign(session, "spring", fields={}, now=now)
            save_draft(session, "winback", {**ONE_MAIL, "holdout_percent": 40, "unit": unit}, campaign_id=chosen.id,
                       now=now)
            if unit == "organisation":
                employ(session, firms, now=now)
        found = forecast(around(sqlite_database, tmp_path), "spring", Wish(7, 0.1, 0.2), now=now)
        powers[unit] = found["power"][0]
    assert powers["customer"]["design_effect"] == 1.0 and "Organisations" not in powers["customer"]["sentence"]
    assert powers["organisation"]["design_effect"] == pytest.approx(5, rel=0.2)
    assert "the design effect is 5" in powers["organisation"]["sentence"]
    lifts = [powers[unit]["smallest_lift"] for unit in ("customer", "organisation")]
    assert lifts[1] is None or lifts[1] > 1.8 * lifts[0]
