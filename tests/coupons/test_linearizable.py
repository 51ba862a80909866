"""One code is a counter with a limit to everybody at once, and the checker that says so refuses what is none."""

import json
import random
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from core.database import Database
from coupons.checks.invariants import broken
from tests.conftest import PROOFS, only_postgresql
from tests.coupons import historian
from tests.coupons.factories import make_codes, make_customers, make_offer
from tests.coupons.linearizing import Counter, Operation, order_of

ROOT = Path(__file__).parent.parent.parent


def of(*calls: tuple[str, str, int, int, str | bool]) -> list[Operation]:
    return [Operation(verb, order, called, answered, answer) for verb, order, called, answered, answer in calls]


ALONE = ("redeem", "a", 0, 10, "new")
GOOD: dict[str, list[Operation]] = {
    "nothing": [],
    "one after the other": of(ALONE, ("redeem", "b", 20, 30, "full"), ("rollback", "a", 40, 50, "done"),
                              ("redeem", "b", 60, 70, "new")),
    "at once, the later call first": of(("redeem", "a", 0, 30, "full"), ("redeem", "b", 10, 20, "new")),
    "asked while it was taken": of(ALONE, ("validate", "b", 5, 20, True), ("validate", "b", 5, 20, False)),
    "the same order again": of(ALONE, ("redeem", "a", 20, 30, "same"), ("rollback", "a", 40, 50, "done"),
                               ("validate", "a", 60, 70, False), ("redeem", "a", 80, 90, "same")),
    "a killed use that happened": [*of(("redeem", "b", 20, 30, "full")), Operation("redeem", "a", 0)],
    "a killed use that did not": [*of(("redeem", "b", 20, 30, "new")), Operation("redeem", "a", 0)],
}
BAD: dict[str, list[Operation]] = {
    "two winners": of(ALONE, ("redeem", "b", 0, 10, "new")),
    "no winner": of(("redeem", "a", 0, 10, "full"), ("redeem", "b", 0, 10, "full")),
    "full before it was used": of(("redeem", "b", 0, 10, "full"), ("redeem", "a", 20, 30, "new")),
    "free again before it was given back": of(
        ALONE, ("redeem", "b", 20, 30, "new"), ("rollback", "a", 40, 50, "done")),
    "seen, then unseen": of(("redeem", "a", 0, 100, "new"), ("validate", "b", 10, 20, False),
                            ("validate", "b", 30, 40, True)),
    "given back and still full": of(ALONE, ("rollback", "a", 20, 30, "done"), ("redeem", "b", 40, 50, "full")),
    "one order twice": of(ALONE, ("redeem", "a", 20, 30, "new")),
    "a killed use that came before its call": [*of(("redeem", "b", 0, 10, "full")), Operation("redeem", "a", 20)],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_history_that_one_counter_explains_is_put_in_its_order(name: str) -> None:
    assert order_of(GOOD[name], 1) is not None


@pytest.mark.parametrize("name", BAD)
def test_a_history_that_no_counter_explains_is_refused(name: str) -> None:
    assert order_of(BAD[name], 1) is None


_calls = st.lists(st.tuples(st.sampled_from(["redeem", "rollback", "validate"]), st.sampled_from("abc"),
                            st.integers(0, 30), st.integers(0, 30)), max_size=12)


@given(calls=_calls, limit=st.integers(1, 2), place=st.integers(0, 11))
def test_what_a_counter_did_is_accepted_however_long_the_answers_took(
    calls: list[tuple[str, str, int, int]], limit: int, place: int
) -> None:
    counter, history = Counter(limit), []
    for number, (verb, order, early, late) in enumerate(calls):
        answer, counter = counter.after(verb, order)
        history.append(Operation(verb, order, number * 10 - early, number * 10 + late, answer))
    found = order_of(history, limit)
    assert found is not None
    assert sorted(found, key=repr) == sorted(history, key=repr)
    # One that comes after all others and says what the counter would not is refused, where they came one by one.
    truth, _counter = counter.after("validate", "abc"[place % 3])
    lie = Operation("validate", "abc"[place % 3], 10**6, 10**6 + 1, not truth)
    in_turn = [replace(operation, called_ns=number * 10, answered_ns=number * 10 + 5)
               for number, operation in enumerate(history)]
    assert order_of([*in_turn, lie], limit) is None


def _code(database: Database, now: datetime, uses: int) -> str:
    make_customers(database, 1, now=now)
    return make_codes(database, make_offer(database, now=now, limit_per_code=uses), [1], now=now)[0].code


def _processes(database_url: str, code: str, seeds: range, threads: int, steps: int, orders: int
               ) -> "list[subprocess.Popen[str]]":
    return [subprocess.Popen(
        [sys.executable, "-m", "tests.coupons.historian", database_url, code,
         *map(str, (seed, threads, steps, orders))], cwd=ROOT, stdout=subprocess.PIPE, text=True) for seed in seeds]


def _heard(process: "subprocess.Popen[str]") -> list[dict[str, Any]]:
    """What it noted; the last line may have been cut by its end."""
    lines = (process.communicate()[0] or "").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _fits(database: Database, notes: list[dict[str, Any]], uses: int) -> None:
    history = historian.history_of(notes)
    answers = {operation.answer for operation in history}
    assert {"new", "full", "done"} <= answers, "a history without a fight proves nothing"
    assert order_of(history, uses) is not None
    with database.reading() as session:
        assert broken(session.connection()) == []


@pytest.mark.deeper
def test_threads_and_another_process_see_one_counter(database: Database, database_url: str, now: datetime) -> None:
    """To PostgreSQL a thread with a connection is what a process is, so only SQLite has another one here."""
    code = _code(database, now, 2)
    others = _processes(database_url, code, range(1, 2), 3, 12, 20) if database.is_sqlite or PROOFS else []
    notes: list[dict[str, Any]] = []
    historian.run(database, code, seed=0, threads=4, steps=15, orders=20, note=notes.append)
    _fits(database, [*notes, *(note for other in others for note in _heard(other))], 2)


@only_postgresql
@pytest.mark.parametrize("mutated", [False, True])
def test_a_counter_that_is_asked_without_its_limit_is_seen_in_the_history(
    database: Database, now: datetime, mutated: bool
) -> None:
    """Two look, then both take: with the condition one wins, without it both do, and the checker says so."""
    code = _code(database, now, 1)
    looked = threading.Barrier(2)

    def meet(_connection: object, _cursor: object, statement: str, parameters: Any, _context: object, _many: bool
             ) -> tuple[str, Any]:
        if statement.startswith("UPDATE codes") and threading.get_ident() not in met:
            met.add(threading.get_ident())
            looked.wait(30)
        # The state says the same as the limit once a code is used up: both go.
        text = statement.replace("<= codes.use_limit", "<= 99").replace("codes.state = 'issued'::VARCHAR", "TRUE")
        return text if mutated else statement, parameters

    met: set[int] = set()
    event.listen(database.engine, "before_cursor_execute", meet, retval=True)
    notes: list[dict[str, Any]] = []

    def work(order: str) -> None:
        notes.append({"name": order, "verb": "redeem", "order": order, "at": 0})
        answer = historian.act(database, code, "redeem", order, order, {})
        notes.append({"name": order, "answer": answer, "at": 1})

    threads = [threading.Thread(target=work, args=(order,)) for order in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (order_of(historian.history_of(notes), 1) is None) is mutated


@pytest.mark.proofs
@pytest.mark.parametrize("uses", [1, 3])
def test_many_threads_of_many_processes_see_one_counter_and_some_are_killed(
    database: Database, database_url: str, now: datetime, uses: int
) -> None:
    code = _code(database, now, uses)
    running = _processes(database_url, code, range(4), 3, 40, 150)
    draw = random.Random(3)
    heard: list[dict[str, Any]] = []
    for process in draw.sample(running, 2):
        assert process.stdout is not None
        for _line in range(draw.randrange(20, 120)):  # so it is in the midst of its work
            line = process.stdout.readline()
            if line.endswith("\n"):
                heard.append(json.loads(line))
        process.kill()
    notes = [*heard, *(noted for process in running for noted in _heard(process))]
    _fits(database, notes, uses)
