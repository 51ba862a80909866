"""What a channel costs: once per run, per piece, cheaper from a volume on."""

from datetime import datetime

import pytest

from campaigns.costs import FIRST_PRICES, Price, Tier
from campaigns.house import House, house, save_house
from campaigns.problems import InvalidPlan
from core.database import Database


def test_a_tier_holds_for_the_whole_run_once_it_is_that_large() -> None:
    letter = Price(91, setup_cents=12_000, tiers=(Tier(1000, 85), Tier(5000, 79)))
    assert [letter.cents(pieces) for pieces in (0, 1, 999, 1000, 4999, 5000)] == [
        0, 12_091, 12_000 + 999 * 91, 12_000 + 85_000, 12_000 + 4999 * 85, 12_000 + 5000 * 79]


def test_the_rules_of_the_house_are_kept_and_changed_one_by_one(database: Database, now: datetime) -> None:
    with database.reading() as session:
        assert house(session) == House()
    dear = {**FIRST_PRICES, "letter": Price(95, 5000, (Tier(100, 90),))}
    with database.writing() as session:
        save_house(session, now=now, prices=dear, margin_rate=0.3)
        save_house(session, now=now, approval_required=True)
    with database.reading() as session:
        assert house(session) == House(True, 0.3, dear)


@pytest.mark.parametrize(("changed", "place"), [
    ({"margin_rate": 1.2}, "margin_rate"), ({"margin_rate": 0.0}, "margin_rate"),
    ({"prices": {"letter": Price(-1)}}, "letter.unit"), ({"prices": {"fax": Price(1)}}, "fax"),
    ({"prices": {"letter": Price(1, 0, (Tier(10, 1), Tier(10, 1)))}}, "letter.tiers"),
    ({"prices": {"letter": Price(1, 0, (Tier(1, 1),))}}, "letter.tiers"),
])
def test_rules_that_cannot_be_reckoned_with_are_refused(
    sqlite_database: Database, now: datetime, changed: dict[str, object], place: str
) -> None:
    with sqlite_database.writing() as session, pytest.raises(InvalidPlan) as refused:
        save_house(session, now=now, **changed)
    assert refused.value.problems[0].place == place
