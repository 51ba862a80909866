"""Who counts people for this web process?

Owns the one `Questions` of an application: it keeps prepared statements and the mirror between requests; and beside
it the sizes and overlaps counted so far.
"""

from threading import Lock

from flask import current_app

from core.settings import Settings
from segments.engines.questions import Questions
from segments.figures.over_time import Sizes
from segments.figures.overlap import Overlaps
from web.requests.transactions import database

_lock = Lock()


def questions() -> Questions:
    """The asker of this application, made at the first question."""
    with _lock:
        found = current_app.extensions.get("winback.questions")
        if found is None:
            settings = current_app.extensions["winback.settings"]
            assert isinstance(settings, Settings)
            found = current_app.extensions["winback.questions"] = Questions(database(), settings)
    assert isinstance(found, Questions)
    return found


def sizes() -> Sizes:
    """The past sizes this application has counted."""
    return _kept()[0]


def overlaps() -> Overlaps:
    """The segments this application has compared."""
    return _kept()[1]


def _kept() -> tuple[Sizes, Overlaps]:
    asker = questions()
    with _lock:
        found = current_app.extensions.get("winback.counted")
        if found is None or found[0] is not asker:  # what another asker counted was about other facts
            found = current_app.extensions["winback.counted"] = (asker, Sizes(), Overlaps())
    return found[1], found[2]
