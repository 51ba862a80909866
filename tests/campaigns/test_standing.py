"""The house list: nine rules at first, each with a sentence; changed, added to, never overwritten by a second tab."""

from datetime import datetime

import pytest

from campaigns.problems import InvalidPlan
from campaigns.standing import list_standing, remove_standing, save_standing, standing_by_key
from campaigns.standing_numbers import numbers_of, with_numbers
from core.database import Database
from core.errors import Conflict, Invalid, NotFound
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from segments.telling.words import sentence


def test_a_new_house_begins_with_nine_exclusions_each_said_in_a_sentence(sqlite_database: Database) -> None:
    with sqlite_database.reading() as session:
        found = list_standing(session)
    assert [each.name for each in found] == [
        "open order", "delivered a few days ago", "open return", "unresolved complaint", "dunning", "deceased",
        "employee", "undeliverable", "had a coupon lately"]
    assert all(each.active and each.built_in and each.version == 0 for each in found)
    assert sentence(found[1].rule) == "Customers who got their last delivery at most 5 days ago."
    assert [each.key for each in found if not each.asked_again] == ["coupon_lately"]


def test_the_numbers_of_a_rule_are_fields_and_go_back_to_their_place(
    sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.writing() as session:
        complaint = standing_by_key(session, "complaint")
        assert [(each.place, each.value) for each in numbers_of(complaint.written)] == [
            ("any.0.window.last_days", 180), ("any.0.at_least", 1), ("any.1.window.last_days", 14),
            ("any.1.at_least", 1)]
        changed = save_standing(session, "complaint", now=now, expected_version=0,
                                rule=with_numbers(complaint.written, {"any.1.window.last_days": 30}))
    assert numbers_of(changed.written)[2].value == 30
    assert numbers_of(complaint.written)[2].value == 14, "what was read before is not changed"
    assert numbers_of({"orders": "revenue", "at_least": 150_000}) == [], "amounts are no such numbers"
    with pytest.raises(Invalid):
        with_numbers(complaint.written, {"any.0.window.last_days": -1})
    with pytest.raises(Invalid):
        with_numbers(complaint.written, {"any.0.where": 3})


def test_an_exclusion_can_be_switched_off_and_a_second_tab_overwrites_nothing(
    database: Database, now: datetime
) -> None:
    with database.writing() as session:
        save_standing(session, "dunning", active=False, expected_version=0, now=now)
        with pytest.raises(Conflict):
            save_standing(session, "dunning", active=True, expected_version=0, now=now)
    with database.reading() as session:
        assert "dunning" not in {each.key for each in list_standing(session, active=True)}
        assert "dunning" in {each.key for each in list_standing(session)}


def test_any_segment_can_be_left_out_and_only_own_ones_can_be_removed(database: Database, now: datetime) -> None:
    with database.writing() as session:
        save_segment(session, "key-accounts", name="Key accounts", rule=parse_rule({"all": []}), now=now)
        save_standing(session, "key_accounts", name="key account", rule={"segment": "key-accounts"}, now=now)
        assert list_standing(session)[-1].name == "key account"
        with pytest.raises(Conflict):
            remove_standing(session, "dunning")
        remove_standing(session, "key_accounts")
        with pytest.raises(NotFound):
            remove_standing(session, "key_accounts")


@pytest.mark.parametrize(("fields", "place"), [
    ({"name": "x", "rule": {"orders": "cuont"}}, "rule"), ({"name": "x", "rule": {"segment": "gone"}}, "rule"),
    ({"name": "x"}, "rule"), ({"rule": {"all": []}}, "name"), ({"name": "x" * 51, "rule": {"all": []}}, "name"),
    ({"name": " ", "rule": {"all": []}}, "name"),
    ({"name": "x", "rule": {"score": "churn_risk", "at_least": 1}}, "rule"),
])
def test_an_exclusion_that_could_not_be_asked_is_refused_when_it_is_saved(
    sqlite_database: Database, now: datetime, fields: dict[str, object], place: str
) -> None:
    with sqlite_database.writing() as session, pytest.raises(InvalidPlan) as refused:
        save_standing(session, "own", now=now, **fields)  # type: ignore[arg-type]
    assert any(problem.place.startswith(place) for problem in refused.value.problems)
