"""The ledger's moves: one table, one verb, one page that says the same."""

import re
from datetime import datetime
from pathlib import Path

import pytest

from core.database import Database
from delivery.states import FIRST, MOVES, SENTENCES, SETTLED, move, moved
from tests.delivery.ledger import messages, prepared, states

PAGE = Path(__file__).parent.parent.parent / "docs" / "states.md"


def _section() -> str:
    return PAGE.read_text(encoding="utf-8").split("## Messages")[1].split("\n## ")[0]


def _table(heading: str) -> dict[str, str]:
    body = _section().split(heading)[1].split("\n\n")[0]
    return {row[0]: row[1].strip() for row in re.findall(r"^\| (\w+) \|(.*)\|$", body, re.MULTILINE)}


def test_the_page_about_states_shows_exactly_the_moves_there_are() -> None:
    shown = {state: frozenset(filter(None, to.split(", "))) for state, to in _table("| from | to |\n").items()}
    assert shown == MOVES
    assert _table("| state | meaning |\n") == SENTENCES


def test_every_move_leads_to_a_known_state_and_no_way_leads_from_the_outside_back_but_a_refusal() -> None:
    assert set().union(*MOVES.values()) | FIRST <= set(MOVES)
    assert {state for state, to in MOVES.items() if "queued" in to} == {"claimed", "handed_over"}
    assert all(not MOVES[state] for state in SETTLED - {"uncertain"})


def test_a_move_that_is_not_in_the_table_is_refused(database: Database, now: datetime) -> None:
    ids = prepared(database, [1], now=now)
    with database.writing() as session, pytest.raises(ValueError, match="cannot go from sent to queued"):
        move(session.connection(), ids, "queued", from_=("claimed", "sent"), now=now)


def test_only_rows_in_the_named_state_and_of_the_named_worker_move(database: Database, now: datetime) -> None:
    ids = prepared(database, [1, 2, 3], now=now)
    with database.writing() as session:
        connection = session.connection()
        assert moved(connection, ids[:2], "claimed", from_="queued", now=now, worker=7) == ids[:2]
        assert move(connection, ids, "handed_over", from_="claimed", now=now, of_worker=8) == 0
        assert moved(connection, ids, "handed_over", from_="claimed", now=now, of_worker=7) == ids[:2]
        assert move(connection, ids, "claimed", from_="queued", now=now) == 1
    assert states(database) == {1: "handed_over", 2: "handed_over", 3: "claimed"}


def test_each_move_stamps_its_own_time(database: Database, now: datetime) -> None:
    ids = prepared(database, [1], now=now)
    with database.writing() as session:
        connection = session.connection()
        move(connection, ids, "claimed", from_="queued", now=now, worker=7)
        move(connection, ids, "handed_over", from_="claimed", now=now)
        move(connection, ids, "queued", from_="handed_over", now=now)
    message = messages(database)[1]
    assert (message.worker, message.claimed_at, message.handed_over_at, message.settled_at) == (None, None, None, None)
    with database.writing() as session:
        move(session.connection(), ids, "cancelled", from_="queued", now=now, reason="ended")
    message = messages(database)[1]
    assert (message.settled_at, message.reason) == (now, "ended")
