"""Which drafts does somebody still wait for figures about?

Owns, for each page of the builder that is open, whoever waits for its figures. The page names itself in its form. When
its draft changes, when it is left or told to stop, questions under way for it are stopped and the database works for
others. Known within one web process; what another process is asked ends at its time limit.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from flask import current_app

from segments.engines.limits import Waiting, asked_for
from web.access import person

MOST_PAGES = 2_000


class Pages:
    """The open pages of one application."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[int, str], Waiting] = OrderedDict()
        self._lock = Lock()

    def waiting(self, page: tuple[int, str]) -> Waiting:
        """Whoever waits at this page now."""
        with self._lock:
            found = self._waiting.setdefault(page, Waiting())
            self._waiting.move_to_end(page)
            while len(self._waiting) > MOST_PAGES:
                self._waiting.popitem(last=False)
        return found

    def move_on(self, page: tuple[int, str]) -> None:
        """Nobody waits for what this page has asked so far; what it asks from now on is another matter."""
        with self._lock:
            found = self._waiting.pop(page, None)
        if found is not None:
            found.go()


@contextmanager
def awaited(page: str) -> Iterator[None]:
    """Ask for the page that calls itself so; a page without a name waits to the end."""
    if not page:
        yield
        return
    with asked_for(_pages().waiting(_named(page))):
        yield


def moved_on(page: str) -> None:
    """Stop what this page has asked so far."""
    if page:
        _pages().move_on(_named(page))


def _named(page: str) -> tuple[int, str]:
    who = person()
    return (who.id if who else 0), page[:40]


def _pages() -> Pages:
    found = current_app.extensions.setdefault("winback.pages", Pages())
    assert isinstance(found, Pages)
    return found
