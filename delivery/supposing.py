"""What if everything that is due were accepted outside?

Owns sending in a world that is only imagined: the same claim as in earnest, with its locks, consents and objections,
and the same marks of a message that went, without composing anything and without any channel. The promise: nothing
leaves this module but rows of the store it is given.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import BigInteger, select, type_coerce, update

from core.arrays import in_ids
from core.database import Database
from delivery.arrival import expected_arrival
from delivery.claiming import claim
from delivery.models import CallTask
from delivery.objections import Objecting
from delivery.settings import DeliverySettings
from delivery.states import accepted_at_once, moved

CHANNELS = ("email", "letter")
"""What needs a channel in earnest; calls lie on the desk."""


def tick(
    database: Database, *, now: datetime, limit: int, settings: DeliverySettings, objecting: Objecting | None = None
) -> int:
    """Take what is due, at most `limit` messages, as accepted; returns how many rows were decided on."""
    with database.writing() as session:
        connection = session.connection()
        claimed = claim(connection, now=now, limit=limit, worker=1, channels=CHANNELS,
                        secret_key=settings.secret_key, objecting=objecting)
        for channel in CHANNELS if claimed.going else ():
            accepted_at_once(connection, claimed.going, channel=channel, now=now, released_at=now, reason=None,
                             expected_at=expected_arrival(channel, now, lead_days=settings.print_lead_days),
                             cost_cents=settings.cost_cents.get(channel, 0))
    return claimed.decided


def open_calls(database: Database) -> list[tuple[int, int]]:
    """The calls on the desk: message id, and since when it lies there in microseconds; by person."""
    with database.reading() as session:
        return [(row[0], row[1]) for row in session.execute(
            select(CallTask.message_id, type_coerce(CallTask.due_at, BigInteger))
            .where(CallTask.state == "open").order_by(CallTask.customer_id, CallTask.message_id))]


def answer(database: Database, reached: Mapping[int, bool], *, now: datetime, settings: DeliverySettings) -> int:
    """Calls by message id that were made, and whether the person was reached; returns how many."""
    with database.writing() as session:
        connection = session.connection()
        for spoken in (True, False):
            ids = [message_id for message_id, was in reached.items() if was == spoken]
            if not ids:
                continue
            connection.execute(update(CallTask).where(in_ids(CallTask.message_id, ids)).values(
                state="done", outcome="reached" if spoken else "no_answer", attempts=CallTask.attempts + 1,
                done_at=now))
            stamps = {"released_at": now, "expected_at": now} if spoken else {"reason": "not reached"}
            moved(connection, ids, "sent" if spoken else "failed", from_="handed_over", now=now,
                  cost_cents=settings.cost_cents.get("phone", 0), **stamps)
    return len(reached)
