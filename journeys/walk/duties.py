"""In which order does a worker do the journeys' work?

Owns the order: exits first, so that nobody is written to who has just redeemed; then what lets people in or was waited
for, closed windows, new audiences, people whose pool was filled, arms that have won, errands too large for
one transaction, steps, and what follows from
settled messages. Sending comes after, from the door.
"""

from datetime import datetime

from core.database import Database
from journeys.arms import best_arms, deciding
from journeys.entry import enrolling, following, noticing
from journeys.exits import closing, exits
from journeys.walk import errands, refilling, running, settling
from journeys.walk.running import POSTGRESQL_CHUNK, SQLITE_CHUNK, Services
from segments.engines.questions import Questions


def tick(
    database: Database, *, now: datetime, limit: int, services: Services, questions: Questions
) -> int:
    """Do each duty once; returns how much was done, 0 when there was nothing. `limit` bounds the people walked."""
    chunk = services.chunk or (SQLITE_CHUNK if database.is_sqlite else POSTGRESQL_CHUNK)
    done = exits.tick(database, now=now, limit=chunk)
    done += noticing.tick(database, now=now, limit=chunk)
    done += closing.tick(database, now=now, limit=chunk)
    done += enrolling.tick(database, now=now, limit=chunk, questions=questions,
                           secret_key=services.secret_key)
    done += following.tick(database, now=now, limit=chunk)
    done += refilling.tick(database, now=now, limit=chunk)
    done += deciding.tick(database, now=now) + best_arms.tick(database, now=now)
    done += errands.tick(database, now=now, limit=chunk)
    done += running.tick(database, now=now, limit=limit, services=services)
    return done + settling.tick(database, now=now, limit=chunk, secret_key=services.secret_key)
