"""Do counters and ledger agree, asked every night without anybody asking?

Owns the nightly duty: once per day of the installation, at the first tick after 03:00 UTC, the five invariants are
checked on the row store, and how many places broke one is kept for the home page. `winback doctor coupons` names them.
"""

import logging
from datetime import datetime

from sqlalchemy.orm import Session

from core.cursors import advance, position
from core.database import Database
from coupons.invariants import broken

log = logging.getLogger("winback.coupons")

CHECKED = "coupons.checked"
"""Cursor: the number of the day that was checked last, since 1970."""
FOUND = "coupons.drift"
"""Cursor: how many places were found wrong then."""
HOUR = 3


def tick(database: Database, *, now: datetime) -> int:
    """Check once a day; returns 1 when it did. Two workers at once check twice and find the same."""
    day = (int(now.timestamp()) - HOUR * 3600) // 86_400
    with database.reading() as session:
        connection = session.connection()
        if position(connection, CHECKED) >= day:
            return 0
        found = broken(connection)
    for one in found:
        log.error("%s: %s", one.invariant, one.text)
    with database.writing() as session:
        advance(session.connection(), CHECKED, day)
        advance(session.connection(), FOUND, len(found))
    return 1


def places_broken(session: Session) -> int:
    """How many places the last nightly check found wrong."""
    return position(session.connection(), FOUND)
