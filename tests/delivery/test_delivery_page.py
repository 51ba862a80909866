"""docs/delivery.md says what the code does."""

import re
from pathlib import Path

from delivery.channels import letter
from delivery.policy import CHANNEL_COST_CENTS, CHANNELS, CONSENT_NEEDED, MINDS_A_NO

PAGE = (Path(__file__).parent.parent.parent / "docs" / "delivery.md").read_text(encoding="utf-8")


def _rows(first: str) -> dict[str, list[str]]:
    """The rows of the table whose head begins with this word, by their first cell."""
    table = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.group(1).splitlines()]
    return {row[0]: row[1:] for row in cells}


def test_the_policy_table_is_the_policy() -> None:
    assert _rows("class") == {
        name: [*("needs consent" if channel in needed else "allowed" for channel in CHANNELS),
               "silences" if MINDS_A_NO[name] else "does not matter"]
        for name, needed in CONSENT_NEEDED.items()
    }


def test_the_channels_and_their_costs_are_named() -> None:
    costs = {name: int(row[-1].split()[0]) for name, row in _rows("channel").items()}
    assert costs == dict(CHANNEL_COST_CENTS)


def test_the_measures_of_a_letter_are_those_it_is_drawn_with() -> None:
    part = {name: row[0] for name, row in _rows("part").items()}
    window = (letter.WINDOW_LEFT_MM, letter.WINDOW_TOP_MM, letter.WINDOW_WIDTH_MM, letter.WINDOW_HEIGHT_MM)
    assert part["window"] == "left {:g} mm, top {:g} mm, {:g} x {:g} mm".format(*window)
    assert part["address"].startswith(f"from {letter.ADDRESS_TOP_MM:g} mm, left {letter.TEXT_LEFT_MM:g} mm")
    assert part["fold marks, punch mark"] == "{:g} and {:g} mm, {:g} mm".format(
        *letter.FOLD_MARKS_MM, letter.PUNCH_MARK_MM)
