"""Arms that were drawn more and more unevenly are compared without a bias, by the probabilities that were kept."""

import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from core.database import Database
from coupons.models import Redemption
from journeys.models import ArmBelief, ArmDraw
from reporting.reports import campaign_report
from tests.journeys.shop import enrolments, furnish, go, walk
from tests.journeys.test_arms import LEARN


def tell(database: Database, *, now: datetime, people: int) -> None:
    """Two times of 200 people: at the first both arms are even and everybody redeems well, at the second B is drawn
    nine times of ten and everybody redeems badly. The arms themselves are equally good."""
    dice = random.Random(4)
    with database.writing() as session:
        session.execute(delete(ArmDraw))
        session.execute(delete(ArmBelief))
        journey = 1
        for number, share in ((1, 0.5), (2, 0.9)):
            session.add(ArmBelief(id=number, journey_id=journey, step="best", number=number, evidence={},
                                  shares={"A": 1 - share, "B": share}, formed_at=now))
        session.flush()
        for person, each in enrolments(database).items():
            late = person > people // 2
            share = 0.9 if late else 0.5
            arm = "B" if dice.random() < share else "A"
            session.add(ArmDraw(enrolment_id=each.id, step="best", belief_id=2 if late else 1, customer_id=person,
                                arm=arm, share=share if arm == "B" else 1 - share, drawn_at=now))
            if dice.random() < (0.05 if late else 0.45):
                session.add(Redemption(
                    public_id=f"r{person}", code_text="X", campaign="spring", customer_id=person, shop="",
                    order_ref=f"{person}", discount_cents=1, currency="EUR", state="redeemed",
                    redeemed_at=now + timedelta(hours=1)))


def test_weights_take_out_the_time_at_which_an_arm_was_drawn(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 401), now=now)
    go(database, LEARN, now=now)
    walk(database, tmp_path, now=now)
    tell(database, now=now, people=400)
    with database.reading() as session:
        report = campaign_report(session, "spring", now=now + timedelta(days=2))
    a, b = report.learned
    plain = {arm.name: arm.redeemed / arm.assigned for arm in report.learned}
    assert plain["A"] - plain["B"] > 0.1  # the plain rates blame B for the bad time
    assert abs(a.rate.estimate - b.rate.estimate) < 0.06
    assert a.rate.low < 0.25 < a.rate.high and b.rate.low < 0.25 < b.rate.high
    assert a.expected + b.expected == pytest.approx(400) and abs(a.assigned - a.expected) < 40
    body = report.to_dict()
    assert [arm["name"] for arm in body["learned_arms"]] == ["A", "B"] and body["offers_compared"] == []
    assert any("weighted numbers" in note for note in body["notes"])


def test_with_nobody_redeeming_nothing_is_claimed(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(sqlite_database, range(1, 11), now=now)
    go(sqlite_database, LEARN, now=now)
    walk(sqlite_database, tmp_path, now=now)
    with sqlite_database.reading() as session:
        arms = campaign_report(session, "spring", now=now).to_dict()["learned_arms"]
    assert all(arm["rate"] == 0 and arm["rate_low"] is None for arm in arms) and len(arms) == 2
