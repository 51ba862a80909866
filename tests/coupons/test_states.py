"""The states document says what the tables of this room say."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from coupons.refusals import GERMAN, REASONS, refusal_words
from coupons.states import CODE_MOVES, REDEMPTION_MOVES, RESERVATION_MOVES

PAGE = (Path(__file__).parent.parent.parent / "docs" / "states.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("title", "moves"), [
    ("Codes", CODE_MOVES), ("Redemptions", REDEMPTION_MOVES), ("Reservations", RESERVATION_MOVES)])
def test_the_document_says_what_the_tables_say(title: str, moves: Mapping[str, tuple[str, ...]]) -> None:
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [tuple(part.strip() for part in line.strip("|").split("|")) for line in section.splitlines()
            if line.startswith("| ") and not line.startswith("| from")]
    assert rows == [(state, ", ".join(sorted(to))) for state, to in moves.items()]


def test_every_refusal_is_told_in_english_and_german() -> None:
    assert set(GERMAN) == set(REASONS)
    assert refusal_words("expired", "de-AT") != refusal_words("expired", "en")
