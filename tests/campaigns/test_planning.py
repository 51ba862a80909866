"""Plans are checked as a whole, guarded against two tabs, and fixed once results rest on them."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns.planning import check_campaign, end, list_campaigns, pause, save_campaign, start
from campaigns.problems import InvalidPlan
from campaigns.states import MOVES
from core.database import Database
from core.errors import Conflict
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment


def test_a_campaign_is_created_and_edited(database: Database, now: datetime) -> None:
    with database.writing() as session:
        segment = save_segment(session, "lapsed", name="Lapsed", rule=parse_rule({"all": []}), now=now)
        made = save_campaign(session, "spring", now=now, expected_version=0, fields={
            "name": "Spring ", "starts_at": "2026-03-03", "ends_at": "2026-04-01T00:00+02:00",
            "timezone": "Europe/Vienna", "goal_categories": ["furniture", "furniture "], "segment": "lapsed",
            "holdout_percent": 12.5, "budget_cents": 100_000, "currency": "CHF"})
        assert (made.name, made.state, made.version, made.segment_id) == ("Spring", "draft", 1, segment.id)
        assert made.goal_categories == ["furniture"] and made.ends_at.isoformat() == "2026-03-31T22:00:00+00:00"
        changed = save_campaign(session, "spring", fields={"budget_cents": None}, expected_version=1, now=now)
        assert (changed.version, changed.budget_cents, changed.currency) == (2, None, "CHF")
        assert [campaign.key for campaign in list_campaigns(session, kind="journey")] == ["spring"]


BAD: list[tuple[str, Any]] = [
    ("name", " "), ("name", "x\0"), ("timezone", "Mars/Olympus"), ("timezone", None), ("holdout_percent", 51),
    ("holdout_percent", -1), ("holdout_percent", "10"), ("holdout_percent", True), ("holdout_percent", float("nan")),
    ("budget_cents", -5), ("budget_cents", 1.5), ("budget_cents", 10**18), ("goal_categories", "furniture"),
    ("goal_categories", [""]), ("currency", "euro"), ("currency", "XQX"), ("segment", "gone"), ("starts_at", "soon"),
    ("ends_at", "2026-13-01"), ("planned_people", 0), ("settings", []), ("state", "running"), ("colour", "red"),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_each_wrong_field_is_named(sqlite_database: Database, now: datetime, field: str, value: object) -> None:
    with sqlite_database.writing() as session:
        [problem] = check_campaign(session, {field: value})
        assert problem.place == field and problem.fix
        with pytest.raises(InvalidPlan):
            save_campaign(session, "spring", fields={"name": "Spring", field: value}, now=now)


def test_all_problems_are_told_at_once(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session:
        with pytest.raises(InvalidPlan) as raised:
            save_campaign(session, "Spring!", now=now, fields={
                "holdout_percent": 80, "starts_at": "2026-03-02", "ends_at": "2026-03-01"})
        assert {problem.place for problem in raised.value.problems} == {"key", "name", "holdout_percent", "ends_at"}
        assert str(raised.value).startswith("key: 'Spring!' cannot be a key.")


def test_the_later_of_two_tabs_is_told_and_changes_nothing(database: Database, now: datetime) -> None:
    with database.writing() as session:
        save_campaign(session, "spring", fields={"name": "Spring"}, now=now)
        save_campaign(session, "spring", fields={"name": "First"}, expected_version=1, now=now)
        with pytest.raises(Conflict, match="another tab"):
            save_campaign(session, "spring", fields={"name": "Second"}, expected_version=1, now=now)
        assert save_campaign(session, "spring", fields={}, now=now).name == "First"
        with pytest.raises(Conflict, match="does not exist any more"):
            save_campaign(session, "gone", fields={"name": "x"}, expected_version=3, now=now)


def test_what_results_rest_on_is_fixed_once_the_campaign_runs(database: Database, now: datetime) -> None:
    with database.writing() as session:
        save_campaign(session, "spring", fields={"name": "Spring", "goal_categories": ["furniture"]}, now=now)
        start(session, "spring", now=now)
        for field, value in (("goal_categories", []), ("holdout_percent", 20), ("timezone", "UTC"),
                             ("starts_at", now - timedelta(days=1)), ("currency", "CHF")):
            with pytest.raises(InvalidPlan, match="can no longer be changed"):
                save_campaign(session, "spring", fields={field: value}, now=now)
        later = now + timedelta(days=9)
        assert save_campaign(session, "spring", fields={"ends_at": later, "name": "S"}, now=now).ends_at == later
        end(session, "spring", now=now)
        with pytest.raises(InvalidPlan, match="It is over"):
            save_campaign(session, "spring", fields={"ends_at": later}, now=now)


def test_a_campaign_starts_pauses_and_ends_once(database: Database, now: datetime) -> None:
    with database.writing() as session:
        save_campaign(session, "spring", fields={"name": "Spring"}, now=now)
        assert start(session, "spring", now=now).starts_at == now
        assert pause(session, "spring", now=now).state == "paused"
        assert start(session, "spring", now=now + timedelta(days=1)).starts_at == now
        assert end(session, "spring", now=now + timedelta(days=2)).ends_at == now + timedelta(days=2)
        for verb in (start, pause, end):
            with pytest.raises(Conflict, match="is ended and cannot become"):
                verb(session, "spring", now=now + timedelta(days=3))


def test_a_campaign_whose_window_is_over_does_not_start(database: Database, now: datetime) -> None:
    with database.writing() as session:
        save_campaign(session, "spring", fields={"name": "Spring", "ends_at": now}, now=now - timedelta(days=1))
        with pytest.raises(Conflict, match="is over"):
            start(session, "spring", now=now)


def test_no_move_leads_out_of_an_end_or_out_of_history() -> None:
    assert MOVES["ended"] == MOVES["history"] == frozenset()
    assert all(target in MOVES for targets in MOVES.values() for target in targets)
