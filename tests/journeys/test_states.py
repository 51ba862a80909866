"""The states document says what the tables say, and no move skips the table."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from campaigns import states as campaign_states
from core.database import Database
from journeys import states
from tests.journeys.shop import ONE_MAIL, enrolments, furnish, go, walk

PAGE = (Path(__file__).parent.parent.parent / "docs" / "states.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("title", "moves", "sentences"), [
    ("Campaigns", campaign_states.MOVES, campaign_states.SENTENCES), ("Journeys", states.JOURNEY_MOVES, {}),
    ("Enrolments", states.MOVES, states.SENTENCES)])
def test_the_document_says_what_the_tables_say(
    title: str, moves: Mapping[str, frozenset[str]], sentences: Mapping[str, str]
) -> None:
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [tuple(part.strip() for part in line.strip("|").split("|")) for line in section.splitlines()
            if line.startswith("| ") and not line.startswith(("| from", "| state"))]
    assert rows == [*((state, ", ".join(sorted(to))) for state, to in moves.items()), *sentences.items()]


def test_an_unknown_move_is_refused_and_a_row_that_moved_meanwhile_is_left_alone(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1], now=now)
    go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    with database.writing() as session:
        connection, ids = session.connection(), [enrolments(database)[1].id]
        with pytest.raises(ValueError, match="cannot go from finished to active"):
            states.move(connection, ids, "active", from_="finished", now=now)
        assert states.move(connection, ids, "exited", from_="active", now=now, left_reason="ordered") == ids
        assert states.move(connection, ids, "over", from_="active", now=now) == []
