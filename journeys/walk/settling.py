"""What follows when a message has arrived, failed, or is taken back?

Owns the duty that follows settled messages: the code's validity counts from the first expected arrival; a message that
never went is followed by the next allowed channel where the step says `fallback`, else its code is withdrawn unless
another message carries it; whoever waits for a message to settle is looked at again. An uncertain message keeps its
code and is never followed by a fallback. Every act is harmless when repeated; the cursor moves after the work.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Row, select, type_coerce, update
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.bulk import chunks
from core.cursors import advance, position
from core.database import Database
from core.types import from_us
from coupons.codes.issuing import start_validity, take_back_unsent
from coupons.models import Code
from delivery.models import Message
from delivery.outbox import passages_settled_since
from journeys.graphs.plans import plans_of
from journeys.models import Enrolment, Journey, Version
from journeys.walk.falling_back import fall_back
from journeys.walk.speaking import GIVEN, Shelf

READER = "journeys.settling"
NEVER_WENT = ("failed", "suppressed", "expired", "cancelled")
CARRIES = ("queued", "claimed", "handed_over", "sent", "uncertain")
_IDLE_CHANGES = 500


def tick(database: Database, *, now: datetime, limit: int, secret_key: str) -> int:
    """Draw the consequences of every message settled since last time; returns how many passages were looked at.

    `limit` is the number of passages per transaction.
    """
    with database.reading() as session:
        connection = session.connection()
        after = position(connection, READER)
        refs, cursor = passages_settled_since(connection, cursor=after)
    shelf = Shelf()
    for part in chunks(refs, limit):
        with database.writing() as session:
            _settle(session, part, now=now, secret_key=secret_key, shelf=shelf)
    if refs or cursor - after > _IDLE_CHANGES:
        database.small(lambda connection: advance(connection, READER, cursor))
    return len(refs)


def _settle(session: Session, enrolment_ids: Sequence[int], *, now: datetime, secret_key: str, shelf: Shelf) -> None:
    connection = session.connection()
    # Locked first and judged afterwards: the runner may just be parking them, waiting for this very message.
    people = {row.id: row for row in connection.execute(
        select(Enrolment.id, Enrolment.customer_id, Enrolment.version_id, Enrolment.state, Enrolment.due_at,
               Enrolment.step)
        .where(in_ids(Enrolment.id, enrolment_ids)).order_by(Enrolment.id).with_for_update()).all()}
    messages = _messages(session, enrolment_ids)
    versions = sorted({row.version_id for row in people.values()})
    # Held, so that a pause waits for us and then holds back what we queue.
    connection.execute(
        select(Journey.id).join(Version, Version.journey_id == Journey.id).where(in_ids(Version.id, versions))
        .order_by(Journey.id).with_for_update(read=True, of=Journey))
    plans = plans_of(connection, versions)
    # A fallback carries the code on, so it comes before codes are withdrawn.
    if fall_back(session, messages, people, plans, now=now, secret_key=secret_key, shelf=shelf):
        messages = _messages(session, enrolment_ids)
    _start_and_withdraw(session, messages, [row.customer_id for row in people.values()], now=now)
    waiting = [row.id for row in people.values() if row.state == "active" and row.due_at is None]
    if waiting:
        connection.execute(update(Enrolment).where(in_ids(Enrolment.id, waiting)).values(due_at=now))


def _messages(session: Session, enrolment_ids: Sequence[int]) -> Sequence[Row[*tuple[Any, ...]]]:
    """Every ledger row of these enrolments, oldest first; columns only, since there may be very many."""
    return session.execute(
        select(Message.occasion, Message.enrolment_ref, Message.channel, Message.state, Message.code, Message.arm,
               type_coerce(Message.expected_at, BigInteger).label("expected_us"),
               type_coerce(Message.bounced_at, BigInteger).label("bounced_us"), Message.reason)
        .where(in_ids(Message.enrolment_ref, enrolment_ids)).order_by(Message.id)).all()


def _start_and_withdraw(
    session: Session, messages: Sequence[Row[*tuple[Any, ...]]], customer_ids: Sequence[int], *, now: datetime
) -> None:
    connection = session.connection()
    arrived: dict[str, int] = {}
    carried: set[str] = set()
    lost: dict[str, str] = {}
    for _occasion, _ref, _channel, state, code, _arm, expected_us, _bounced_us, _reason in messages:
        if code is None:
            continue
        if expected_us is not None and state in ("sent", "uncertain"):
            arrived[code] = min(arrived.get(code, expected_us), expected_us)
        if state in CARRIES:
            carried.add(code)
        elif state in NEVER_WENT:
            lost[code] = state
    lost = {code: state for code, state in lost.items() if code not in carried}
    if not arrived and not lost:
        return
    codes = connection.execute(
        select(Code.id, Code.code, type_coerce(Code.valid_from, BigInteger))
        .where(in_ids(Code.customer_id, sorted(set(customer_ids))), Code.state == "issued",
               ~Code.origin.contains(GIVEN)).order_by(Code.id)).all()
    starts = [(number, from_us(arrived[code])) for number, code, valid_us in codes
              if arrived.get(code, valid_us) != valid_us]
    if starts:
        ids, instants = zip(*starts, strict=True)
        start_validity(connection, ids, counts_from=instants, now=now)
    for state in sorted(set(lost.values())):
        withdrawn = [number for number, code, _valid_us in codes if lost.get(code) == state]
        if withdrawn:
            reason = "its message failed" if state == "failed" else f"its message was {state}"
            take_back_unsent(connection, withdrawn, reason=reason, now=now)
