"""Does every check fail when it should, and does a broken one take the verdict's place?"""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from core.database import Database
from core.statistics.samples import sample_ratio
from journeys.models import Enrolment
from reporting.reports import campaign_report
from reporting.results import CampaignReport, Check
from tests.reporting.campaigns import Shelf, new_customer

Break = Callable[[Shelf, list[int], list[int]], None]


def report_with(database: Database, now: datetime, harm: Break | None, *, days: int = 40) -> CampaignReport:
    """A sound campaign of 60 people with 20 left alone, after something was done to it."""
    with database.writing() as session:
        shelf = Shelf(session, at=now, holdout=100 / 3)
        treated = shelf.people(20, "A") + shelf.people(20, "B")
        kept = shelf.people(20, held_out=True)
        shelf.redeem(treated[0])
        if harm is not None:
            harm(shelf, treated, kept)
    with database.reading() as session:
        return campaign_report(session, "spring", now=now + timedelta(days=days))


def check(report: CampaignReport, key: str) -> Check:
    return next(one for one in report.checks if one.key == key)


def enrolment(shelf: Shelf, customer: int) -> Enrolment:
    return shelf.session.scalars(select(Enrolment).where(Enrolment.customer_id == customer)).one()


def test_a_sound_campaign_passes_every_check_in_a_fixed_order(database: Database, now: datetime) -> None:
    report = report_with(database, now, None)
    assert [one.key for one in report.checks] == ["split", "holdout", "twice", "redemptions", "judged", "final"]
    assert all(one.fine for one in report.checks)
    assert report.verdict.kind != "failed"


def message_to_a_held_out_person(shelf: Shelf, treated: list[int], kept: list[int]) -> None:
    shelf.message(enrolment(shelf, kept[0]), step="other")


def uncertain_message_to_a_held_out_person(shelf: Shelf, treated: list[int], kept: list[int]) -> None:
    shelf.message(enrolment(shelf, kept[0]), step="other", state="uncertain")


def code_redeemed_by_a_held_out_person(shelf: Shelf, treated: list[int], kept: list[int]) -> None:
    shelf.redeem(kept[0])


def code_shared_with_a_held_out_person(shelf: Shelf, treated: list[int], kept: list[int]) -> None:
    shelf.redeem(treated[1], redeemer=kept[0])


def same_step_twice_at_one_visit(shelf: Shelf, treated: list[int], kept: list[int]) -> None:
    row = enrolment(shelf, treated[0])
    shelf.message(row, occasion=f"{row.id}.mail.1.1")


def redemption_of_a_stranger(shelf: Shelf, treated: list[int], kept: list[int]) -> None:
    shelf.redeem(new_customer(shelf.session, now=shelf.at))


def redemption_of_nobody(shelf: Shelf, treated: list[int], kept: list[int]) -> None:
    shelf.redeem(None)


def redemption_before_entry(shelf: Shelf, treated: list[int], kept: list[int]) -> None:
    shelf.redeem(treated[1], day=-1)


def lost_people(shelf: Shelf, treated: list[int], kept: list[int]) -> None:
    shelf.people(60, "A")


@pytest.mark.parametrize(("key", "harm"), [
    ("holdout", message_to_a_held_out_person), ("holdout", uncertain_message_to_a_held_out_person),
    ("holdout", code_redeemed_by_a_held_out_person), ("holdout", code_shared_with_a_held_out_person),
    ("twice", same_step_twice_at_one_visit), ("redemptions", redemption_of_a_stranger),
    ("redemptions", redemption_of_nobody), ("redemptions", redemption_before_entry), ("split", lost_people),
])
def test_a_broken_check_takes_the_place_of_the_verdict(
    database: Database, now: datetime, key: str, harm: Break
) -> None:
    report = report_with(database, now, harm)
    assert [one.key for one in report.checks if not one.fine] == [key]
    assert check(report, key).blocking
    assert report.verdict.kind == "failed"
    assert check(report, key).evidence in report.verdict.sentence


def test_a_bounced_message_and_the_one_that_followed_it_are_not_a_double(database: Database, now: datetime) -> None:
    def bounce(shelf: Shelf, treated: list[int], kept: list[int]) -> None:
        row = enrolment(shelf, shelf.people(1, "A", sent=False)[0])
        shelf.message(row, bounced=True)
        shelf.message(row, occasion=f"{row.id}.mail.1.1", channel="letter")

    assert check(report_with(database, now, bounce), "twice").fine


def test_the_second_visit_to_a_step_is_not_a_double(database: Database, now: datetime) -> None:
    def again(shelf: Shelf, treated: list[int], kept: list[int]) -> None:
        row = enrolment(shelf, treated[0])
        shelf.message(row, occasion=f"{row.id}.mail.3.0")

    assert check(report_with(database, now, again), "twice").fine


def test_a_late_redemption_is_not_counted_and_said_without_taking_the_verdict(
    database: Database, now: datetime
) -> None:
    report = report_with(database, now, lambda shelf, treated, kept: shelf.redeem(treated[1], day=31))
    late = check(report, "redemptions")
    assert (late.fine, late.blocking) == (False, False)
    assert "1 after the end, not counted" in late.evidence
    assert sum(arm.redeemed for arm in report.arms) == 1


def test_other_post_to_people_left_alone_is_said_and_breaks_nothing(database: Database, now: datetime) -> None:
    def post(shelf: Shelf, treated: list[int], kept: list[int]) -> None:
        shelf.message(enrolment(shelf, kept[0]), campaign="newsletter", occasion="n1")

    line = check(report_with(database, now, post), "holdout")
    assert line.fine
    assert line.evidence.startswith("1 of 20 got other post")


def test_the_split_is_held_against_the_configured_shares_of_arms_and_hold_out(
    database: Database, now: datetime
) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now, arms={"A": 95, "B": 5}, holdout=20)
        shelf.people(180, "A")
        shelf.people(20, "B")
        shelf.people(50, held_out=True)
    with database.reading() as session:
        report = campaign_report(session, "spring", now=now)
    ratio = sample_ratio({"A": 180, "B": 20, "kept": 50}, {"A": 190, "B": 10, "kept": 50})
    assert report.srm_p_value == ratio.p_value
    assert check(report, "split").fine is (not ratio.mismatch)


def test_nobody_left_alone_though_some_should_be_is_a_broken_split(database: Database, now: datetime) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now, holdout=20)
        shelf.people(100, "A")
        shelf.people(100, "B")
    with database.reading() as session:
        report = campaign_report(session, "spring", now=now)
    assert not check(report, "split").fine
    assert report.verdict.kind == "failed"
