"""What a draft names must be there, and still be there when its version stands."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns.problems import InvalidPlan
from core.database import Database
from core.errors import Conflict, WinbackError
from core.types import to_us
from customers.scores.keeping import note_names, write_scores
from journeys.editing.checking_draft import check_draft
from journeys.editing.editing import journey_by_key, publish, save_draft
from journeys.uses import higher_uses, uses_of
from segments.language.rules import parse_rule
from segments.saving.filing import delete_segment
from segments.saving.saved import save_segment
from tests.journeys.shop import GRAPH, ONE_MAIL, furnish, go

CHURN: dict[str, Any] = {"score": "churn_risk", "at_least": 0.5}
ASKING: dict[str, Any] = {
    "mail": ONE_MAIL["steps"]["mail"] | {"next": "likely"}, "likely": {"kind": "branch", "if": CHURN,
                                                                     "next": {"yes": "end", "no": "end"}},
    "end": {"kind": "leave"}}


@pytest.mark.parametrize(("graph", "place"), [
    (ONE_MAIL | {"entry": {"segment": "risky"}}, "entry.segment"),
    (ONE_MAIL | {"steps": ASKING}, "steps.likely.if"),
    (ONE_MAIL | {"exit_when": [{"redeemed": True}, {"not": CHURN}]}, "exit_when[1]"),
    (ONE_MAIL | {"exit_when": [{"segment": "outer"}]}, "exit_when[0]"),
])
def test_a_score_that_nobody_has_is_named_by_the_check_and_not_at_run_time(
    database: Database, now: datetime, graph: dict[str, Any], place: str
) -> None:
    furnish(database, [1], now=now)
    with database.writing() as session:
        save_segment(session, "risky", name="Risky", rule=parse_rule(CHURN), now=now)
        save_segment(session, "outer", name="Outer", rule=parse_rule({"not": {"segment": "risky"}}), now=now)
    with pytest.raises(InvalidPlan) as error:
        go(database, graph, now=now)
    [problem] = error.value.problems
    assert (problem.place, "“churn_risk”" in problem.message) == (place, True)
    with database.writing() as session:
        write_scores(session.connection(), {(1, "churn_risk"): (0.7, to_us(now))})
        note_names(session.connection(), {"churn_risk": to_us(now)}, told=True)
    with database.reading() as session:
        assert check_draft(session, graph) == []


def test_a_segment_that_a_journey_is_published_on_meanwhile_is_not_deleted(database: Database, now: datetime) -> None:
    """Whichever comes first wins: the journey keeps its segment, or its publishing names the missing one."""
    furnish(database, [1], now=now)
    with database.writing() as session:
        save_segment(session, "other", name="Other", rule=parse_rule({"all": []}), now=now)
    go(database, ONE_MAIL, now=now)
    refusals: list[WinbackError] = []
    started = threading.Event()

    def delete() -> None:
        started.set()
        try:
            with database.writing() as session:
                delete_segment(session, "other", above=higher_uses)
        except WinbackError as error:
            refusals.append(error)

    other = ONE_MAIL | {"entry": {"segment": "other"}}
    deleting = threading.Thread(target=delete)
    with database.writing() as session:
        journey = journey_by_key(session, "winback")
        save_draft(session, "winback", other, campaign_id=journey.campaign_id, now=now)
        publish(session, "winback", now=now + timedelta(hours=1))
        deleting.start()
        started.wait()
        deleting.join(timeout=0.3)  # it waits for us, however long we take
        assert deleting.is_alive()
    deleting.join()
    assert [type(error) for error in refusals] == [Conflict]
    with database.reading() as session:
        assert [use.kind for use in uses_of(session, "other")] == ["campaign", "journey"]


def test_publishing_on_a_segment_that_is_being_deleted_names_it(database: Database, now: datetime) -> None:
    furnish(database, [1], now=now)
    with database.writing() as session:
        save_segment(session, "other", name="Other", rule=parse_rule({"all": []}), now=now)
    outcome: list[object] = []

    def start() -> None:
        try:
            go(database, GRAPH | {"exit_when": [{"segment": "other"}]}, now=now)
            outcome.append("published")
        except InvalidPlan as error:
            outcome.append([problem.place for problem in error.problems])

    starting = threading.Thread(target=start)
    with database.writing() as session:
        delete_segment(session, "other", above=higher_uses)
        starting.start()
        starting.join(timeout=0.3)
        assert outcome == []
    starting.join()
    assert outcome == [["exit_when[0]"]]
