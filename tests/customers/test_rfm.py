"""Recency, frequency and monetary fifths of everybody at once."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text

from core.cursors import read_changes
from core.errors import Conflict
from core.leases import take
from customers.scores.keeping import known_scores
from customers.scores.rfm import NAMES, compute_rfm, fifths, run, tick
from tests.customers.files import Desk

ORDERS = "order_id,customer_id,ordered_at,status,currency,unit_price\n"


def _shop(desk: Desk) -> None:
    """C1 to C10: C1 the longest ago, once, and for the least money."""
    lines = [f"O{n}-{k},C{n},2025-{n:02d}-0{k + 1},,EUR,{10 * n}\n" for n in range(1, 11) for k in range(1 + n // 3)]
    desk.load("orders", ORDERS + "".join(lines) + "X1,C11,2025-12-01,cancelled,EUR,999\nX2,C12,2026-06-01,,EUR,999\n")


def _scores(desk: Desk) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for number, name, value in desk.rows("SELECT c.external_id, name, value FROM scores s JOIN customers c ON"
                                         " c.id = s.customer_id"):
        found.setdefault(number, {})[name] = int(value)
    return found


def test_fifths_count_the_whole_fifths_that_are_smaller_and_ties_share() -> None:
    assert fifths(np.arange(10)).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert fifths(np.array([1, 1, 1, 1, 1, 1, 2, 2, 3, 9])).tolist() == [1] * 6 + [4, 4, 5, 5]
    assert fifths(np.array([7])).tolist() == [1] and fifths(np.array([])).tolist() == []


def test_everybody_with_an_order_has_four_scores(desk: Desk, now: datetime) -> None:
    _shop(desk)
    with desk.database.writing() as session:
        assert compute_rfm(session, now=now) == 10
    found = _scores(desk)
    assert set(found) == {f"C{n}" for n in range(1, 11)}
    assert found["C1"] == {"recency": 1, "frequency": 1, "monetary": 1, "rfm": 111}
    assert found["C10"] == {"recency": 5, "frequency": 5, "monetary": 5, "rfm": 555}
    for each in found.values():
        assert each["rfm"] == 100 * each["recency"] + 10 * each["frequency"] + each["monetary"]


def test_only_changed_people_are_written_and_scores_of_nobody_go(desk: Desk, now: datetime) -> None:
    _shop(desk)
    run(desk.database, now=now, limit=3)
    before = _scores(desk)
    with desk.database.reading() as session:
        cursor = read_changes(session.connection(), after=0).cursor
    assert run(desk.database, now=now + timedelta(days=1), limit=3) == 0
    desk.load("orders", ORDERS + "N1,C2,2026-01-01,,EUR,1\n")
    changed = run(desk.database, now=now + timedelta(days=2), limit=3)
    after = _scores(desk)
    assert changed == sum(after[each] != before[each] for each in after) and 0 < changed < 7
    with desk.database.reading() as session:
        touched = read_changes(session.connection(), after=cursor, tables=("scores",)).keys["scores"]
    assert len(touched) == changed
    desk.load("orders", ORDERS + "O1-0,C1,2025-01-01,voided,EUR,10\n")
    run(desk.database, now=now + timedelta(days=3), limit=3)
    assert set(before) - set(_scores(desk)) == {"C1"}


def test_revenue_is_ranked_among_the_orders_of_one_currency(quick_desk: Desk, now: datetime) -> None:
    lines = [f"E{n},E{n},2025-01-01,,EUR,{n}\nJ{n},J{n},2025-01-01,,JPY,{n * 1000}\n" for n in range(1, 6)]
    quick_desk.load("orders", ORDERS + "".join(lines) + "B,E1,2025-01-01,,JPY,100000\n")
    run(quick_desk.database, now=now, limit=100)
    found = _scores(quick_desk)
    assert [found[f"E{n}"]["monetary"] for n in range(1, 6)] == [5, 2, 3, 4, 5]
    assert found["J1"]["monetary"] == 1 and found["J5"]["monetary"] == 4


def test_the_duty_computes_once_a_day_and_only_when_there_are_orders(desk: Desk, now: datetime) -> None:
    assert tick(desk.database, now=now, limit=100) == 0
    with desk.database.reading() as session:
        assert known_scores(session) == {}
    _shop(desk)
    assert tick(desk.database, now=now, limit=4) == 10
    desk.load("orders", ORDERS + "N1,C2,2026-01-01,,EUR,9999\n")
    assert tick(desk.database, now=now, limit=4) == 0
    assert tick(desk.database, now=now + timedelta(days=1), limit=4) > 0


def test_a_duty_that_died_in_the_middle_is_completed_by_the_next(desk: Desk, now: datetime) -> None:
    _shop(desk)
    run(desk.database, now=now, limit=100)
    whole = _scores(desk)
    with desk.database.writing() as session:
        session.execute(text("DELETE FROM score_names"))
        session.execute(text("DELETE FROM scores WHERE customer_id > 4 OR name = 'monetary'"))
    assert _scores(desk) != whole
    tick(desk.database, now=now, limit=2)
    assert _scores(desk) == whole


def test_two_processes_do_not_compute_at_once(desk: Desk, now: datetime) -> None:
    _shop(desk)
    lease = take(desk.database, "scores")
    assert lease is not None
    with pytest.raises(Conflict, match="another process"):
        run(desk.database, now=now, limit=100)
    lease.release()
    assert run(desk.database, now=now, limit=100) == 10


def test_the_shops_own_scores_are_left_alone_until_somebody_asks_for_ours(quick_desk: Desk, now: datetime) -> None:
    _shop(quick_desk)
    quick_desk.load("scores", "customer_id,name,value\nC1,rfm,555\n")
    assert tick(quick_desk.database, now=now, limit=100) == 0
    assert _scores(quick_desk) == {"C1": {"rfm": 555}}
    run(quick_desk.database, now=now, limit=100)
    assert _scores(quick_desk)["C1"]["rfm"] == 111
    with quick_desk.database.reading() as session:
        assert not any(each.told for each in known_scores(session).values())


def test_an_earlier_day_sees_only_what_was_ordered_by_then(quick_desk: Desk) -> None:
    _shop(quick_desk)
    then = datetime(2025, 3, 1, tzinfo=UTC)
    run(quick_desk.database, now=then, limit=100)
    assert set(_scores(quick_desk)) == {"C1", "C2"}
    with quick_desk.database.reading() as session:
        known = known_scores(session)
        assert set(known) == set(NAMES) and known["rfm"].first_at == then
        assert known_scores(session, as_of=datetime(2025, 2, 1, tzinfo=UTC)) == {}
