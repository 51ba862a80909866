"""A page that moves on is not awaited any more in any web process, and what it asks afterwards is answered."""

import os
from pathlib import Path
from threading import Event

from web.requests.awaited import KEPT_SECONDS, Pages

PAGE = (7, "builder")


def test_a_question_is_stopped_by_whichever_process_hears_that_nobody_waits(tmp_path: Path) -> None:
    asking, hearing = Pages(tmp_path / "pages"), Pages(tmp_path / "pages")
    stopped = Event()
    with asking.awaited(PAGE) as waiting, waiting.stopping(stopped.set):
        hearing.move_on((7, "another page"))
        hearing.move_on((8, "builder"))  # somebody else's page of the same name
        hearing.move_on(PAGE)
        assert stopped.wait(60)
    with asking.awaited(PAGE) as later, hearing.awaited(PAGE) as beside:
        assert not later.gone and not beside.gone


def test_what_is_asked_after_a_page_moved_on_is_not_taken_for_what_came_before(tmp_path: Path) -> None:
    asking, hearing = Pages(tmp_path), Pages(tmp_path)
    with asking.awaited(PAGE) as before:
        for pages in (hearing, asking):
            pages.move_on(PAGE)
            with asking.awaited(PAGE) as after:  # at once: the other process may not have looked yet
                assert before.gone and after is not before and not after.gone
            before = after


def test_old_words_are_cleared_away_and_a_home_that_cannot_be_written_to_stops_nobody(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    pages.move_on((1, "old"))
    (old,) = tmp_path.iterdir()
    long_ago = old.stat().st_mtime - KEPT_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    pages.move_on(PAGE)
    assert len(list(tmp_path.iterdir())) == 1 and not old.exists()
    old.write_text("in the way", encoding="ascii")
    nowhere = Pages(old / "pages")
    with nowhere.awaited(PAGE) as waiting:
        nowhere.move_on(PAGE)
    assert waiting.gone
