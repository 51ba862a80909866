"""Which drafts does somebody still wait for figures about?

Owns, for each page of the builder that is open, whoever waits for its figures. The page names itself in its form. When
its draft changes, when it is left or told to stop, questions under way for it are stopped and the database works for
others. Another web process may be the one that is asked: a small file in the home tells it, and it looks there while
it works on an answer.
"""

import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from threading import Event, Lock, Thread

from flask import current_app

from segments.engines.limits import Waiting, asked_for
from web.requests.wired import settings
from web.security.access import person

MOST_PAGES = 2_000
LOOK_SECONDS = 0.25
"""How often a process looks whether another one was told that nobody waits any more."""
KEPT_SECONDS = 3_600
"""A file older than this is about no question that could still be under way."""
Page = tuple[int, str]


class Pages:
    """The open pages, as one process knows them; `folder` is what all processes of an installation share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: OrderedDict[Page, tuple[str, Waiting]] = OrderedDict()
        self._lock = Lock()

    @contextmanager
    def awaited(self, page: Page) -> Iterator[Waiting]:
        """Whatever this thread asks within the block is asked for this page, until it moves on in any process."""
        moved, waiting = self._now(page)
        over = Event()
        watch = Thread(target=self._watch, args=(page, moved, waiting, over), daemon=True)
        watch.start()
        try:
            with asked_for(waiting):
                yield waiting
        finally:
            over.set()

    def move_on(self, page: Page) -> None:
        """Nobody waits for what this page has asked so far; what it asks from now on is another matter."""
        with self._lock:
            _moved, found = self._waiting.pop(page, ("", None))
            with suppress(OSError):  # a home that cannot be written to: then it is known here only
                self._tell(page)
        if found is not None:
            found.go()

    def _now(self, page: Page) -> tuple[str, Waiting]:
        """When it last moved on, and whoever waits at this page since."""
        with self._lock:
            moved = self._moved(page)
            then, before = self._waiting.pop(page, ("", None))
            waiting = before if before is not None and then == moved else Waiting()
            self._waiting[page] = moved, waiting
            while len(self._waiting) > MOST_PAGES:
                self._waiting.popitem(last=False)
        if before is not None and before is not waiting:
            before.go()
        return moved, waiting

    def _watch(self, page: Page, moved: str, waiting: Waiting, over: Event) -> None:
        while not over.wait(LOOK_SECONDS):
            if self._moved(page) != moved:
                waiting.go()
                return

    def _tell(self, page: Page) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        written = self._folder / f"{uuid.uuid4().hex}.new"
        written.write_text(written.stem, encoding="ascii")
        written.replace(self._file(page))
        for file in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another process was quicker
                if file.stat().st_mtime < time.time() - KEPT_SECONDS:
                    file.unlink()

    def _moved(self, page: Page) -> str:
        """A word that is another one each time the page moves on."""
        try:
            return self._file(page).read_text(encoding="ascii")
        except OSError:
            return ""

    def _file(self, page: Page) -> Path:
        return self._folder / sha256(f"{page[0]} {page[1]}".encode()).hexdigest()[:32]


@contextmanager
def awaited(page: str) -> Iterator[None]:
    """Ask for the page that calls itself so; a page without a name waits to the end."""
    if not page:
        yield
        return
    with _pages().awaited(_named(page)):
        yield


def moved_on(page: str) -> None:
    """Stop what this page has asked so far, in whichever web process."""
    if page:
        _pages().move_on(_named(page))


def _named(page: str) -> Page:
    who = person()
    return (who.id if who else 0), page[:40]


def _pages() -> Pages:
    found = current_app.extensions.get("winback.pages")
    if found is None:
        found = current_app.extensions.setdefault("winback.pages", Pages(settings().home / "pages"))
    assert isinstance(found, Pages)
    return found
