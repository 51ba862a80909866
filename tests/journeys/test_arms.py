"""Arms that learn, the winner that goes to the rest, and programs that are told who came to a step."""

import json
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import Conflict, Invalid
from coupons.models import Redemption
from delivery.hook_models import HookCall
from delivery.receivers import add_receiver
from journeys.arms import best_arms, deciding
from journeys.arms.best_arms import belief_of, evidence, shares_of
from journeys.arms.deciding import WON, decide, judge
from journeys.arms.outcomes import Came
from journeys.editing.checking_draft import check_draft
from journeys.editing.editing import pause, publish_problems, resume
from journeys.graphs.graph import BestArm, Rest, Split
from journeys.graphs.plans import load_plans
from journeys.graphs.schema import graph_schema
from journeys.models import ArmBelief, ArmDraw, Visit, Winner
from tests.conftest import only_postgresql
from tests.delivery.ledger import KEY
from tests.journeys.shop import add_order, codes, enrolments, everything, furnish, go, path_of, walk, with_steps

WAY = {"A": "pause", "B": "pause"}
PAUSE: dict[str, Any] = {"pause": {"kind": "wait", "days": 30, "next": "end"}, "end": {"kind": "leave"}}
LEARN: dict[str, Any] = {**with_steps(best={"kind": "best_arm", "arms": ["A", "B"], "days": 2, "next": WAY}, **PAUSE),
                         "exit_when": []}
REST: dict[str, Any] = {
    **with_steps(split={"kind": "split", "arms": {"A": 20, "B": 20}, "rest": {"percent": 60, "days": 2}, "next": WAY},
                 **PAUSE), "exit_when": []}
TELL: dict[str, Any] = {**with_steps(
    tell={"kind": "webhook", "receiver": "erp", "event": "winback.due", "data": {"priority": "high"}, "next": "pause"},
    **PAUSE), "exit_when": []}


def redeem(database: Database, people: Sequence[int], *, at: datetime) -> None:
    """These people redeem something of the campaign."""
    with database.writing() as session:
        session.add_all(Redemption(
            public_id=f"r{person}", code_text="X", campaign="spring", customer_id=person, shop="",
            order_ref=f"{person}", discount_cents=100, currency="EUR", state="redeemed", redeemed_at=at)
            for person in people)


def test_better_arms_are_drawn_more_often_none_below_the_floor_and_the_same_facts_give_the_same() -> None:
    step = BestArm("best", ("A", "B", "C"), {}, floor_percent=5)
    even = shares_of(step, {}, seed="x")
    assert all(0.28 < share < 0.39 for share in even.values())
    known = {"A": Came(1000, 20), "B": Came(1000, 80), "C": Came(1000, 25)}
    shares = shares_of(step, known, seed="x")
    assert shares["B"] > 0.89 and min(shares.values()) >= 0.05 and sum(shares.values()) == pytest.approx(1)
    assert shares == shares_of(step, known, seed="x")
    by_margin = BestArm("best", ("A", "B"), {}, by="margin")
    rich, poor = Came(500, 0, 60, 600_000, 9_000_000_000), Came(500, 0, 60, 60_000, 90_000_000)
    assert shares_of(by_margin, {"A": rich, "B": poor}, seed="x")["A"] > 0.9
    assert shares_of(by_margin, {"A": rich, "B": Came(500, 0, 60, 60_000, 90_000_000, 1)}, seed="x")["A"] == 0.5
    assert shares_of(by_margin, {"A": rich, "B": Came(500, 0, 4, 60_000, 90_000_000)}, seed="x")["A"] == 0.5


def test_a_learning_arm_is_kept_with_its_probability_and_follows_what_came_of_it(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 401), now=now)
    go(database, {**LEARN, "entry": {"segment": "lapsed", "manual": True}, "holdout_percent": 10}, now=now)
    walk(database, tmp_path, now=now)
    inside = enrolments(database)
    held = {person for person, each in inside.items() if each.held_out}
    with database.reading() as session:
        draws = {draw.customer_id: draw for draw in session.scalars(select(ArmDraw))}
    assert set(draws) == set(inside) - held and not any(inside[person].arm for person in held)
    assert all(inside[person].arm == draw.arm and 0.4 < draw.share < 0.6 for person, draw in draws.items())
    redeem(database, [person for person, draw in draws.items() if draw.arm == "B"][:60], at=now + timedelta(days=1))
    late = [person for person, draw in draws.items() if draw.arm == "A"][:60]
    with database.writing() as session:  # after their days are over: they count as nothing
        session.add_all(Redemption(public_id=f"l{person}", code_text="X", campaign="spring", customer_id=person,
                                   shop="", order_ref=f"l{person}", discount_cents=1, currency="EUR", state="redeemed",
                                   redeemed_at=now + timedelta(days=2, minutes=1)) for person in late)
    then = now + timedelta(days=3)
    assert best_arms.tick(database, now=now + timedelta(minutes=59)) == 0
    assert best_arms.tick(database, now=then) == 1 and best_arms.tick(database, now=then) == 0
    # It lasts, when nobody is drawn by it for a day, and when the clock goes back, too.
    assert best_arms.tick(database, now=then + timedelta(hours=23)) == 0
    assert best_arms.tick(database, now=then - timedelta(days=1)) == 0
    with database.writing() as session:
        plan = next(iter(load_plans(session.connection(), states=("running",)).values()))
        step = plan.graph.steps["best"]
        assert isinstance(step, BestArm)
        young = evidence(session.connection(), plan, step, now_us=int((now + timedelta(days=1)).timestamp() * 1e6))
        assert young == {}  # their days are not over
        assert belief_of(session.connection(), plan, step, now_us=int(then.timestamp() * 1e6)).shares["B"] > 0.9
        known = session.scalars(select(ArmBelief.evidence).where(ArmBelief.number == 2)).one()
        assert known["A"]["redeemers"] == 0 and known["B"]["redeemers"] == 60


def test_a_passage_keeps_its_arm_when_it_comes_to_the_step_again(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 61), now=now, ends_in_days=None)
    again = {**LEARN["steps"], "pause": {"kind": "wait", "days": 30, "next": "best"}}
    go(sqlite_database, {**LEARN, "steps": {name: step for name, step in again.items() if name != "end"}}, now=now)
    walk(sqlite_database, tmp_path, now=now)
    first = {person: each.arm for person, each in enrolments(sqlite_database).items()}
    redeem(sqlite_database, [person for person, arm in first.items() if arm == "B"], at=now + timedelta(days=1))
    walk(sqlite_database, tmp_path, now=now + timedelta(days=31))
    with sqlite_database.reading() as session:
        assert session.scalars(select(ArmBelief).order_by(ArmBelief.number.desc())).first().shares["B"] > 0.9  # type: ignore[union-attr]
    for person, arm in first.items():
        assert path_of(sqlite_database, person) == [("best", arm), ("pause", "waited"), ("best", arm)]
    assert set(first.values()) == {"A", "B"}


def test_a_decision_is_looked_at_again_after_the_clock_was_set_back(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 21), now=now)
    go(sqlite_database, REST, now=now)
    for at in (now + timedelta(days=2), now + timedelta(days=2, minutes=50), now + timedelta(hours=1)):
        walk(sqlite_database, tmp_path, now=at)
    with sqlite_database.reading() as session:
        assert session.scalars(select(Winner)).one().looked_at == now + timedelta(hours=1)


@pytest.mark.sqlite_first
def test_the_rest_waits_until_an_arm_has_won_and_belongs_to_no_arm(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 501), now=now)
    go(database, REST, now=now)
    walk(database, tmp_path, now=now)
    inside = enrolments(database)
    rest = [person for person, each in inside.items() if each.step == "split"]
    assert 250 < len(rest) < 350 and Counter(each.arm for each in inside.values())[None] == len(rest)
    redeem(database, [person for person, each in inside.items() if each.arm == "B"][:50], at=now + timedelta(hours=1))
    walk(database, tmp_path, now=now + timedelta(minutes=50))  # not an hour yet: nobody looks
    assert enrolments(database)[rest[0]].step == "split"
    walk(database, tmp_path, now=now + timedelta(hours=2))
    assert path_of(database, rest[0]) == [("split", "B")]
    assert {enrolments(database)[person].step for person in rest} == {"pause"}
    assert {enrolments(database)[person].arm for person in rest} == {None}
    with database.reading() as session:
        winner = session.scalars(select(Winner)).one()
        # Whoever went the winner's way is not counted among those who were drawn.
        assert len(list(session.scalars(select(Visit.id).where(Visit.detail == WON)))) == len(rest)
    assert winner.arm == "B" and winner.author is None and "always-valid" in winner.reason
    with database.writing() as session, pytest.raises(Conflict):
        decide(session, "winback", "split", "A", author="Ada", now=now)


def test_a_split_with_a_rest_keeps_the_names_of_its_arms_in_later_versions(
    sqlite_database: Database, now: datetime
) -> None:
    """One decision goes for all versions: a rest that knows no such arm would wait without end."""
    furnish(sqlite_database, (1,), now=now)
    go(sqlite_database, REST, now=now)
    renamed = {"kind": "split", "arms": {"A": 20, "C": 20}, "rest": {"percent": 60},
               "next": {"A": "pause", "C": "pause"}}
    with pytest.raises(Invalid, match=r"steps\.split\.arms.*called A and B"):
        go(sqlite_database, {**REST, "steps": {**REST["steps"], "split": renamed}}, now=now)
    with sqlite_database.reading() as session:
        told = publish_problems(session, "winback", {**REST, "steps": {**REST["steps"], "split": renamed}}, now=now)
    assert [problem.place for problem in told] == ["steps.split.arms"]
    anew = {**{key: step for key, step in REST["steps"].items() if key != "split"}, "second": renamed}
    assert go(sqlite_database, {**REST, "start": "second", "steps": anew}, now=now).number == 2
    shares = {**REST["steps"]["split"], "arms": {"A": 10, "B": 30}}
    assert go(sqlite_database, {**REST, "steps": {**REST["steps"], "split": shares}}, now=now).number == 3


def test_an_arm_wins_only_with_a_fair_drawing_and_a_sure_or_declared_result() -> None:
    split = Split("split", (("A", 10.0), ("B", 10.0)), {})
    rest = Rest(80)

    def arm(a: Came, b: Came, *, planned: int | None = None, ripe: bool = False, by: str = "redemptions") -> str | None:
        return judge(split, Rest(80, by), {"A": a, "B": b}, planned_people=planned, ripe=ripe)[0]

    assert arm(Came(1000, 20), Came(1000, 90)) == "B"
    assert arm(Came(1000, 20), Came(1000, 24)) is None
    assert arm(Came(1000, 20), Came(1500, 180)) is None  # drawn unlike planned
    assert arm(Came(1000, 20), Came(1000, 24), planned=2000) is None  # declared and reached, but days are open
    assert arm(Came(1000, 20), Came(1000, 24), planned=2000, ripe=True) == "B"
    assert arm(Came(1000, 20), Came(1000, 24), planned=2001, ripe=True) is None
    assert arm(Came(1, 1), Came(1000, 24), planned=2, ripe=True) is None
    rich, poor = Came(500, 0, 60, 600_000, 9_000_000_000), Came(500, 90, 60, 60_000, 90_000_000)
    assert arm(rich, poor, by="margin") == "A" and arm(rich, poor) == "B"
    assert arm(rich, Came(500, 90, 60, 60_000, 90_000_000, 1), by="margin") is None
    assert judge(split, rest, {}, planned_people=None, ripe=True)[0] is None


def test_somebody_may_choose_by_hand_and_their_name_stands_there(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 41), now=now)
    go(sqlite_database, REST, now=now)
    walk(sqlite_database, tmp_path, now=now)
    with sqlite_database.writing() as session:
        with pytest.raises(Invalid):
            decide(session, "winback", "split", "C", author="Ada", now=now)
        assert decide(session, "winback", "split", "A", author="Ada", now=now).author == "Ada"
    walk(sqlite_database, tmp_path, now=now)
    assert {each.step for each in enrolments(sqlite_database).values()} == {"pause"}


@only_postgresql
def test_of_two_who_choose_at_the_same_time_one_chooses(
    database: Database, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(database, range(1, 41), now=now)
    go(database, REST, now=now)
    walk(database, tmp_path, now=now)
    refused: list[str] = []

    def choose() -> None:
        with database.writing() as session:
            try:
                decide(session, "winback", "split", "B", author="Ben", now=now)
            except Conflict as error:
                refused.append(str(error))

    other, settle = threading.Thread(target=choose), deciding._settle

    def meanwhile(*given: Any, **named: Any) -> None:
        monkeypatch.setattr(deciding, "_settle", settle)
        other.start()
        other.join(0.5)
        settle(*given, **named)

    monkeypatch.setattr(deciding, "_settle", meanwhile)
    with database.writing() as session:
        decide(session, "winback", "split", "A", author="Ada", now=now)
    other.join(60)
    with database.reading() as session:
        [winner] = session.scalars(select(Winner))
    assert (winner.arm, winner.author, len(refused)) == ("A", "Ada", 1)


def test_a_program_is_told_once_per_visit_not_of_people_left_alone_and_not_during_a_pause(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 31), now=now)
    with database.writing() as session:
        assert "steps.tell.receiver" in {problem.place for problem in check_draft(session, TELL)}
        add_receiver(session, "erp", name="ERP", url="https://erp.example/in", secret_key=KEY, now=now)
    go(database, {**TELL, "holdout_percent": 30}, now=now)
    walk(database, tmp_path, now=now)
    held = {person for person, each in enrolments(database).items() if each.held_out}
    with database.writing() as session:
        calls = {call.customer_id: call for call in session.scalars(select(HookCall))}
        pause(session, "winback", now=now)
    assert set(calls) == set(range(1, 31)) - held and held
    some = next(iter(calls))
    assert json.loads(calls[some].body)["data"] == {
        "customer": f"c{some}", "journey": "winback", "campaign": "spring", "step": "tell", "arm": None,
        "data": {"priority": "high"}}
    with database.writing() as session:
        assert min(session.scalars(select(HookCall.due_at))).year == 9000
        resume(session, "winback", overdue="send", now=now)
        assert max(session.scalars(select(HookCall.due_at))) == now
    walk(database, tmp_path, now=now)
    with database.reading() as session:
        assert len(list(session.scalars(select(HookCall)))) == len(calls)


def test_whoever_leaves_is_not_told_of_any_more(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(sqlite_database, (1, 2), now=now)
    with sqlite_database.writing() as session:
        add_receiver(session, "erp", name="ERP", url="https://erp.example/in", secret_key=KEY, now=now)
    go(sqlite_database, {**TELL, "exit_when": [{"ordered": True}]}, now=now)
    walk(sqlite_database, tmp_path, now=now)
    add_order(sqlite_database, 1, at=now + timedelta(minutes=1))
    walk(sqlite_database, tmp_path, now=now + timedelta(minutes=2))
    with sqlite_database.reading() as session:
        states = dict(session.execute(select(HookCall.customer_id, HookCall.state)).all())
    assert states == {1: "cancelled", 2: "queued"} and codes(sqlite_database) == []


BAD: list[tuple[dict[str, Any], str]] = [
    ({"kind": "best_arm", "arms": ["A"], "next": {"A": "end"}}, "steps.x.arms"),
    ({"kind": "best_arm", "arms": ["A", "A"], "next": {"A": "end"}}, "steps.x.arms"),
    ({"kind": "best_arm", "arms": ["A", "B"], "by": "opens", "next": {"A": "end", "B": "end"}}, "steps.x.by"),
    ({"kind": "best_arm", "arms": ["A", "B"], "floor_percent": 60, "next": {"A": "end", "B": "end"}},
     "steps.x.floor_percent"),
    ({"kind": "split", "arms": {"A": 10, "B": 10}, "rest": {"percent": 70}, "next": {"A": "end", "B": "end"}},
     "steps.x.arms"),
    ({"kind": "split", "arms": {"A": 10, "B": 10}, "rest": {"percent": 80, "by": "clicks"},
      "next": {"A": "end", "B": "end"}}, "steps.x.rest.by"),
    ({"kind": "split", "arms": {"A": 10, "B": 10}, "rest": 80, "next": {"A": "end", "B": "end"}}, "steps.x.rest"),
    ({"kind": "webhook", "next": "end"}, "steps.x.receiver"),
    ({"kind": "webhook", "receiver": "erp", "event": "a b", "next": "end"}, "steps.x.event"),
    ({"kind": "webhook", "receiver": "erp", "data": {"a": []}, "next": "end"}, "steps.x.data.a"),
]


@pytest.mark.parametrize(("step", "place"), BAD, ids=[f"{bad[1]}-{number}" for number, bad in enumerate(BAD)])
def test_what_cannot_be_walked_is_told_by_its_place(
    sqlite_database: Database, step: dict[str, Any], place: str
) -> None:
    with sqlite_database.reading() as session:
        assert place in {problem.place for problem in check_draft(session, with_steps(x=step, end={"kind": "leave"}))}


def test_the_new_kinds_fit_the_schema() -> None:
    for graph in (LEARN, REST, TELL):
        assert jsonschema_rs.is_valid(graph_schema(), graph)
    assert not jsonschema_rs.is_valid(graph_schema(), {**LEARN, "steps": {"x": {"kind": "best_arms"}}})


def test_both_databases_draw_and_decide_alike(tmp_path: Path, database: Database, now: datetime) -> None:
    furnish(database, range(1, 61), now=now)
    go(database, LEARN, now=now)
    walk(database, tmp_path, now=now)
    arms = "".join(enrolments(database)[person].arm or "-" for person in range(1, 61))
    assert arms == EXPECTED and json.loads(everything(database))["enrolments"]


EXPECTED = "BBAAAAAAABABAAABABAABABABBABBBAAABBABAAAABABABABBAABBABBBBAA"
