"""How does a request reach the database, and what time is it for this request?

Owns the way from a Flask request to `core.database`: `reading()`, `writing()`, `request_now()`. The promise: one `now`
per request, from the installation's clock; a block that raises leaves nothing behind.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from flask import current_app, g
from sqlalchemy.orm import Session

from core.clock import current_now
from core.database import Database


def database() -> Database:
    """The row store of this application."""
    found = current_app.extensions["winback.database"]
    assert isinstance(found, Database)
    return found


def request_now() -> datetime:
    """The installation's time when this request first asked; call it before opening `writing()`."""
    if "now" not in g:
        with database().reading() as session:
            g.now = current_now(session.connection())
    now: datetime = g.now
    return now


@contextmanager
def reading() -> Iterator[Session]:
    """One consistent, read-only view for this request; any write in it raises."""
    with database().reading() as session:
        yield session


@contextmanager
def writing() -> Iterator[Session]:
    """One write transaction for this request: committed when the block ends, rolled back when it raises."""
    with database().writing() as session:
        yield session
