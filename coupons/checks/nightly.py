"""Do counters and ledger agree, asked every night without anybody asking?

Owns the nightly duty: once per day of the installation, at the first tick after 03:00 UTC, the five invariants are
checked on the row store, and how many places broke one is kept for the home page. `winback doctor coupons` names them.
Answers kept for programs that might ask again are forgotten then, too, a month after they were given: a redemption
asked for once more is still the same one, by its shop, order and code.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from core.cursors import advance, position
from core.database import Database
from coupons.checks.invariants import broken
from coupons.models import KeptAnswer

log = logging.getLogger("winback.coupons")

CHECKED = "coupons.checked"
"""Cursor: the number of the day that was checked last, since 1970."""
FOUND = "coupons.drift"
"""Cursor: how many places were found wrong then."""
HOUR = 3
ANSWERS_KEPT = timedelta(days=30)
_PART = 5_000
_NAMES = (KeptAnswer.client, KeptAnswer.key)


def tick(database: Database, *, now: datetime) -> int:
    """Check once a day; returns 1 when it did. Two workers at once check twice and find the same."""
    day = (int(now.timestamp()) - HOUR * 3600) // 86_400
    with database.reading() as session:
        connection = session.connection()
        if position(connection, CHECKED) >= day:
            return 0
        found = broken(connection)
    forget_answers(database, now=now)
    for one in found:
        log.error("%s: %s", one.invariant, one.text)
    with database.writing() as session:
        advance(session.connection(), CHECKED, day)
        advance(session.connection(), FOUND, len(found))
    return 1


def forget_answers(database: Database, *, now: datetime) -> int:
    """Delete what was answered to API keys more than `ANSWERS_KEPT` ago; returns how many.

    Those of roll-backs stay: without them the same amount, sent again, would be taken back again.
    """
    old = select(*_NAMES).where(KeptAnswer.at < now - ANSWERS_KEPT, KeptAnswer.client.startswith("key:")).limit(_PART)
    done = 0
    while True:
        with database.writing() as session:
            count = session.connection().execute(delete(KeptAnswer).where(tuple_(*_NAMES).in_(old))).rowcount
        done += count
        if count < _PART:
            return done


def places_broken(session: Session) -> int:
    """How many places the last nightly check found wrong."""
    return position(session.connection(), FOUND)
