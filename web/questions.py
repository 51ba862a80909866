"""Who counts people for this web process?

Owns the one `Questions` of an application: it keeps prepared statements and the mirror between requests.
"""

from threading import Lock

from flask import current_app

from core.settings import Settings
from segments.questions import Questions
from web.transactions import database

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
