"""Does the report count what lies in the tables, on both databases, and judge it as it says?"""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from campaigns.models import Campaign
from core.database import Database
from core.errors import NotFound
from core.statistics.means import Moments, compare_means
from core.statistics.multiplicity import adjust
from core.statistics.proportions import Count, compare_rates, rate
from core.statistics.samples import sample_ratio
from core.statistics.sequential import always_valid_rates
from customers.models import OrderLine
from journeys.models import Enrolment
from reporting.reports import campaign_report
from reporting.results import CampaignReport
from tests.reporting.campaigns import Shelf, new_customer, past_campaign, past_redemption


def reported(database: Database, now: datetime, key: str = "spring") -> CampaignReport:
    with database.reading() as session:
        return campaign_report(session, key, now=now)


def as_json(database: Database, now: datetime, key: str = "spring") -> dict[str, Any]:
    """The report as JSON that a strict reader takes."""
    written = json.dumps(reported(database, now, key).to_dict(), allow_nan=False)
    found: dict[str, Any] = json.loads(written)
    return found


def by_name(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {arm["name"]: arm for arm in report["arms"]}


def three_groups(database: Database, now: datetime) -> None:
    """A: 45 people, 9 redeem, 12 order. B: 45, 4 redeem, 8 order. Left alone: 10, 1 orders."""
    with database.writing() as session:
        shelf = Shelf(session, at=now, goal=("furniture",))
        for arm, redeemers, buyers in (("A", 9, 12), ("B", 4, 8)):
            people = shelf.people(45, arm, channel="email" if arm == "A" else "letter", cost=50)
            for number in people[:redeemers]:
                shelf.redeem(number, day=3, cents=20_000, discount=2_000)
            for number in people[:buyers]:
                shelf.order(number, day=3, cents=20_000)
        kept = shelf.people(10, held_out=True)
        shelf.order(kept[0], day=5, cents=7_000)


def test_every_number_of_the_contract_is_the_one_counted_by_hand(database: Database, now: datetime) -> None:
    three_groups(database, now)
    report = as_json(database, now + timedelta(days=40))
    a, b = by_name(report)["A"], by_name(report)["B"]
    assert [(x["assigned"], x["sent"], x["redeemed"], x["ordered"]) for x in (a, b)] == [
        (45, 45, 9, 12), (45, 45, 4, 8)]
    assert (a["revenue_cents"], a["redeemed_revenue_cents"], a["discount_cents"]) == (240_000, 180_000, 18_000)
    wilson = rate(Count(9, 45))
    assert (a["rate"], a["rate_low"], a["rate_high"]) == (0.2, wilson.low, wilson.high)
    assert (a["p_value"], a["ordered_rate"]) == (None, 12 / 45)
    test = compare_rates(Count(4, 45), against=Count(9, 45))
    assert b["p_value"] == pytest.approx(test.p_value)
    assert (b["against_first"]["low"], b["against_first"]["high"]) == (test.low, test.high)
    assert (report["holdout"]["assigned"], report["holdout"]["ordered"], report["holdout"]["ordered_rate"]) == (
        10, 1, 0.1)
    effect = compare_rates(Count(20, 90), against=Count(1, 10))
    assert [report["effect"][name] for name in ("estimate", "low", "high", "p_value")] == [
        effect.estimate, effect.low, effect.high, effect.p_value]
    ratio = sample_ratio({"A": 45, "B": 45, "kept": 10}, {"A": 45, "B": 45, "kept": 10})
    assert report["srm"]["p_value"] == ratio.p_value == 1.0
    assert report["messages"] == {"sent": 90, "withheld": 10, "suppressed": 0, "failed": 0, "uncertain": 0}
    assert report["silences"] == [{"state": "withheld", "reason": "left alone for comparison", "messages": 10}]


def test_channels_are_response_only_and_say_so(database: Database, now: datetime) -> None:
    three_groups(database, now)
    report = as_json(database, now + timedelta(days=40))
    assert [(line["channel"], line["people"], line["redeemed"]) for line in report["channels"]] == [
        ("email", 45, 9), ("letter", 45, 4)]
    assert report["channel_note"] == "Channels were chosen, not drawn: do not compare them as causes."


def test_p_values_are_corrected_for_all_arms_together(database: Database, now: datetime) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now, arms={"A": 25, "B": 25, "C": 25, "D": 25}, holdout=0)
        for arm, redeemers in {"A": 5, "B": 12, "C": 14, "D": 6}.items():
            for number in shelf.people(40, arm)[:redeemers]:
                shelf.redeem(number)
    found = by_name(as_json(database, now + timedelta(days=40)))
    plain = [compare_rates(Count(hits, 40), against=Count(5, 40)).p_value for hits in (12, 14, 6)]
    assert [found[name]["p_value"] for name in "BCD"] == pytest.approx(list(adjust(plain)))
    assert found["A"]["p_value"] is None


def test_a_person_counts_once_and_only_within_the_window(database: Database, now: datetime) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now, split=False, holdout=0, goal=("furniture",))
        twice, early, late, other, cancelled = shelf.people(5)
        for day in (1, 2):
            shelf.redeem(twice, day=day)
            shelf.order(twice, day=day)
        shelf.order(early, day=-0.01)
        shelf.order(late, day=30)
        shelf.order(other, category="lighting", cents=500)
        shelf.order(cancelled, cancelled=True)
        shelf.redeem(cancelled, state="rolled_back", rolled_back=1_000)
    arm = by_name(as_json(database, now + timedelta(days=40)))["all"]
    assert (arm["redeemed"], arm["redemptions"], arm["ordered"], arm["orders"]) == (1, 2, 1, 3)
    assert arm["revenue_cents"] == 20_500


def test_what_happens_at_this_instant_counts_and_what_comes_later_does_not(database: Database, now: datetime) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now, split=False, holdout=0)
        first, second = shelf.people(2)
        for number, day in ((first, 5), (second, 5.001)):
            shelf.order(number, day=day)
            shelf.redeem(number, day=day)
    arm = by_name(as_json(database, now + timedelta(days=5)))["all"]
    assert (arm["redeemed"], arm["ordered"]) == (1, 1)


def test_net_revenue_and_contribution_are_after_discount_returns_tax_and_cost(
    database: Database, now: datetime
) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now, split=False, holdout=50)
        people = shelf.people(3, cost=80)
        known: dict[str, Any] = {"tax": 0.25, "unit_cost": 2_000}
        # 10,000 less 1,000 discount, untaxed 7,200, cost 2 x 2,000, half of it came back: 1,600 stay
        shelf.order(people[0], cents=10_000, discount=1_000, quantity=2, returned=1, **known)
        # the line knows no discount: that of the redemption counts; (10,000 - 2,500) / 1.25 - 2,000 = 4,000
        bought = shelf.order(people[1], cents=10_000, **known)
        shelf.redeem(people[1], order=bought, discount=3_000, rolled_back=500)
        shelf.people(3, held_out=True)
    report = as_json(database, now + timedelta(days=40))
    arm = by_name(report)["all"]
    assert report["money_measure"] == "contribution"
    assert (arm["net_revenue_cents"], arm["contribution_cents"], arm["message_cost_cents"]) == (12_000, 5_600, 240)
    assert arm["returned_rate"] == 0.5
    assert arm["per_person_cents"] == pytest.approx((5_600 - 240) / 3)
    gain = compare_means(Moments.from_values([1_520, 3_920, -80]), against=Moments.from_values([0, 0, 0]))
    assert report["gain_per_person_cents"]["estimate"] == pytest.approx(gain.estimate)


def test_money_is_compared_only_where_both_groups_have_ordered_often_enough(database: Database, now: datetime) -> None:
    spent = [10_000, 2_500, 4_000, 7_700, 9_100, 0]
    kept = [1_000, 2_000, 3_500, 800, 4_400, 0]
    known: dict[str, Any] = {"tax": 0.0, "unit_cost": 0}
    with database.writing() as session:
        shelf = Shelf(session, at=now, split=False, holdout=50)
        groups = [(shelf.people(6), spent), (shelf.people(6, held_out=True), kept)]
        for people, amounts in groups:
            for person, cents in list(zip(people, amounts, strict=True))[:4]:
                shelf.order(person, cents=cents, **known)
    report = as_json(database, now + timedelta(days=40))
    assert report["gain_per_person_cents"]["low"] is None and report["gained_cents"]["low"] is None
    with database.writing() as session:
        for people, amounts in groups:
            shelf.session = session
            shelf.order(people[4], cents=amounts[4], **known)
    report = as_json(database, now + timedelta(days=40))
    gain = compare_means(Moments.from_values(spent), against=Moments.from_values(kept))
    assert report["gain_per_person_cents"]["p_value"] == pytest.approx(gain.p_value)
    assert report["gained_cents"]["low"] == pytest.approx(gain.low * 6)


def test_contribution_is_left_out_and_said_where_costs_are_unknown(database: Database, now: datetime) -> None:
    three_groups(database, now)
    report = as_json(database, now + timedelta(days=40))
    assert report["money_measure"] == "net_revenue"
    assert by_name(report)["A"]["contribution_cents"] is None
    assert any("Contribution is left out" in note for note in report["notes"])


def test_orders_in_the_currency_of_most_are_summed_and_the_rest_is_said(database: Database, now: datetime) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now, split=False, holdout=0)
        first, second, third = shelf.people(3)
        shelf.order(first, cents=100)
        shelf.order(second, cents=200)
        shelf.order(third, cents=9_900, currency="SEK")
    report = as_json(database, now + timedelta(days=40))
    arm = by_name(report)["all"]
    assert (report["campaign"]["currency"], arm["revenue_cents"], arm["ordered"]) == ("EUR", 300, 3)
    assert any(note.startswith("1 orders in other currencies") for note in report["notes"])


def test_the_usual_wait_counts_from_the_expected_arrival_and_allows_for_those_still_in_time(
    database: Database, now: datetime
) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now, split=False, holdout=0)
        people = shelf.people(4, sent=False)
        for enrolment in _enrolments(session):
            shelf.message(enrolment, expected_days=2)
        for number, day in zip(people, (4, 6, 8), strict=False):
            shelf.redeem(number, day=day)
    wait = as_json(database, now + timedelta(days=20))["redemption_wait"]
    assert (wait["usual_days"], wait["redeemed"], wait["watched"]) == (4, 3, 4)
    shares = [point["share"] for point in wait["curve"] if point["day"] in (1, 2, 4, 6)]
    assert shares == pytest.approx([0, 0.25, 0.5, 0.75])


def _enrolments(session: Any) -> list[Any]:
    return list(session.scalars(select(Enrolment).order_by(Enrolment.id)))


@pytest.mark.parametrize(("planned", "days", "judged"), [
    (100, 10, "fixed"), (101, 10, "always valid"), (101, 31, "fixed"), (None, 10, "always valid")])
def test_a_fixed_p_value_decides_only_when_the_declared_people_are_reached_or_the_window_is_over(
    sqlite_database: Database, now: datetime, planned: int | None, days: int, judged: str
) -> None:
    three_groups(sqlite_database, now)
    with sqlite_database.writing() as session:
        session.execute(update(Campaign).values(planned_people=planned))
    report = as_json(sqlite_database, now + timedelta(days=days))
    assert report["judged"] == judged
    valid = always_valid_rates(Count(20, 90), against=Count(1, 10), planned_people=planned or 5000)
    assert report["effect"]["always_valid_p"] == pytest.approx(valid.p_value)
    width = report["extra_people"]["high"] - report["extra_people"]["low"]
    one = compare_rates(Count(20, 90), against=Count(1, 10)) if judged == "fixed" else valid
    assert width == pytest.approx((one.high - one.low) * 90)


def test_people_not_drawn_yet_count_in_the_effect_and_in_no_arm(database: Database, now: datetime) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now, holdout=20)
        shelf.people(20, "A")
        shelf.people(20, "B")
        waiting = shelf.people(40, None, sent=False)
        shelf.order(waiting[0])
        shelf.people(20, held_out=True)
    report = as_json(database, now + timedelta(days=40))
    assert [(arm["name"], arm["assigned"]) for arm in report["arms"]] == [("A", 20), ("B", 20)]
    assert report["undrawn"] == 40
    assert report["effect"]["estimate"] == pytest.approx(1 / 80)
    assert report["srm"]["p_value"] == 1.0


def test_an_offer_names_its_arm(database: Database, now: datetime) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now)
        shelf.offer("A", "10 %")
        shelf.offer("B", "15 EUR")
        shelf.people(2, "A")
    assert [arm["label"] for arm in as_json(database, now)["arms"]] == ["10 %", "15 EUR"]


def test_a_campaign_nobody_entered_has_an_empty_report(database: Database, now: datetime) -> None:
    with database.writing() as session:
        Shelf(session, at=now)
    report = as_json(database, now)
    assert [arm["assigned"] for arm in report["arms"]] == [0, 0]
    assert report["verdict"]["kind"] == "empty"
    assert report["holdout"]["assigned"] == 0
    assert report["effect"] == {**report["effect"], "estimate": None, "low": None, "high": None, "p_value": None}
    assert report["srm"] == {"p_value": None}


def test_one_arm_without_hold_out_and_nothing_sent_reports_response_only(database: Database, now: datetime) -> None:
    with database.writing() as session:
        Shelf(session, at=now, split=False, holdout=0).people(5, state="suppressed")
    report = as_json(database, now + timedelta(days=40))
    arm = by_name(report)["all"]
    assert (arm["assigned"], arm["sent"], arm["rate"], arm["rate_among_sent"]) == (5, 0, 0, None)
    assert report["silences"] == [{"state": "suppressed", "reason": "no consent", "messages": 5}]
    assert report["verdict"]["kind"] == "no_holdout"


def test_a_draft_without_a_journey_has_a_report_too(database: Database, now: datetime) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now)
        session.delete(shelf.version)
        session.flush()
    assert as_json(database, now)["arms"] == []


def test_an_unknown_campaign_is_named(sqlite_database: Database, now: datetime) -> None:
    with pytest.raises(NotFound, match="no campaign called autumn"):
        reported(sqlite_database, now, "autumn")


def test_a_campaign_of_the_past_is_reported_from_its_imported_people(database: Database, now: datetime) -> None:
    with database.writing() as session:
        people = [new_customer(session, now=now) for _ in range(6)]
        past_campaign(session, "18", starts=now - timedelta(days=60), days=30, people=people, channel="letter",
                      arms=["a", "a", "a", "b", "b", "b"])
        for number, day in ((people[0], 10), (people[0], 11), (people[3], 29)):
            past_redemption(session, "18", number, at=now - timedelta(days=60) + timedelta(days=day))
    report = as_json(database, now, "18")
    assert [(arm["name"], arm["assigned"], arm["redeemed"], arm["redemptions"]) for arm in report["arms"]] == [
        ("a", 3, 1, 2), ("b", 3, 1, 1)]
    assert (report["verdict"]["kind"], report["holdout"]["assigned"]) == ("no_holdout", 0)
    assert [check["key"] for check in report["integrity"]] == ["redemptions", "final"]
    assert report["maturity"]["final"]


def test_a_campaign_of_the_past_without_arms_has_one(database: Database, now: datetime) -> None:
    with database.writing() as session:
        past_campaign(session, "9", starts=now, days=3, people=[new_customer(session, now=now)])
    assert [arm["name"] for arm in as_json(database, now, "9")["arms"]] == ["all"]


def test_numbers_are_not_final_before_the_window_deliveries_and_returns_are_over(
    database: Database, now: datetime
) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now, split=False, holdout=0)
        first, second = shelf.people(2)
        shelf.order(first, day=1, delivered=now + timedelta(days=5))
        line = shelf.order(second, day=1, delivered=None)
        order_id = line.id
    open_window = as_json(database, now + timedelta(days=15))["maturity"]
    assert (open_window["final"], open_window["window_share"], open_window["delivered_share"]) == (False, 0.5, 0.5)
    waiting = as_json(database, now + timedelta(days=100))["maturity"]
    assert (waiting["final"], waiting["final_at"]) == (False, None)
    with database.writing() as session:
        session.execute(update(OrderLine).where(OrderLine.order_id == order_id)
                        .values(delivered_at=now + timedelta(days=90)))
    returns = as_json(database, now + timedelta(days=100))["maturity"]
    assert (returns["final"], returns["final_at"]) == (False, "2026-06-14T10:00:00Z")
    assert as_json(database, now + timedelta(days=104))["maturity"]["final"]
