"""Only the best enter: those of the highest expected contribution, by the model of the newest forecast."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from campaigns.problems import InvalidPlan
from core.database import Database
from journeys.editing.audience import BEYOND, audience, people_in
from journeys.entry.ranking import ranking_from
from journeys.forecasting.asking import Wish, ask, claim, settle
from journeys.graphs.reading import read_graph
from journeys.graphs.schema import graph_schema
from journeys.responding import Curve
from tests.delivery.ledger import KEY
from tests.journeys.shop import ONE_MAIL, add_order, enrolments, furnish, go, questions, walk
from tests.journeys.test_forecast import EVERYBODY, drafted, foreseen

BEST_TWO: dict[str, Any] = {
    **ONE_MAIL, "entry": {"segment": "lapsed", "top": {"count": 2, "by": "expected_contribution"}}}
OFTEN_REDEEMS_MORE = Curve((-3.0, 0.0, 1.0, 0.0), ((0.0,) * 4,) * 4, None, "given")
RANKING = ranking_from(OFTEN_REDEEMS_MORE, share=0.4, discount_cents=1_000, mean_cents=10_000)


def foretold(database: Database, *, now: datetime) -> None:
    """A forecast that knows who brings most."""
    with database.writing() as session:
        number = ask(session, "spring", Wish(), by=None, now=now).id
    assert claim(database, worker=3) is not None
    assert settle(database, number, worker=3, answer={"ranking": RANKING}, now=now)


def test_the_best_two_enter_and_the_reach_says_who_does_not(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 7), now=now)
    for customer, orders in ((2, 3), (4, 1), (5, 5)):
        for number in range(orders):
            add_order(database, customer, at=now - timedelta(days=30 + number), number=str(number))
    with pytest.raises(InvalidPlan, match="Nobody knows yet"):
        go(database, BEST_TWO, now=now)
    foretold(database, now=now)
    drafted(database, BEST_TWO, now=now)
    asker = questions(database, tmp_path)
    lines = {line.part: line.people for line in audience(asker, "spring", now=now, secret_key=KEY).lines}
    assert (lines[BEYOND], lines["reached"]) == (4, 2)
    assert people_in(asker, "spring", BEYOND, now=now, secret_key=KEY)[1] == [1, 3, 4, 6]
    assert foreseen(database, tmp_path, EVERYBODY, now=now, ranking=RANKING).tally.entered == 2
    go(database, BEST_TWO, now=now)
    walk(database, tmp_path, now=now)
    assert sorted(enrolments(database)) == [2, 5]


@pytest.mark.parametrize("entry", [
    {"segment": "lapsed", "top": 5}, {"segment": "lapsed", "top": {"count": 0, "by": "expected_contribution"}},
    {"segment": "lapsed", "top": {"count": 5, "by": "beauty"}},
    {"event": "visited", "top": {"count": 5, "by": "expected_contribution"}},
    {"segment": "lapsed", "on": "entering", "top": {"count": 5, "by": "expected_contribution"}},
])
def test_what_the_best_are_is_said_exactly(entry: dict[str, Any]) -> None:
    found = read_graph({**ONE_MAIL, "entry": entry})
    assert any(problem.place == "entry.top" for problem in found.problems)
    assert "top" in graph_schema()["properties"]["entry"]["properties"]
