"""How does a queued message get out, once?

Owns the sender's tick: claim (one transaction), build (none open), then for at most 50 messages at a time: commit
`handed_over`, give them to the channel, settle. The promise: whatever dies wherever, no message goes out twice; only
those in the hands of the outside at that moment are `uncertain`, and they are never repeated by themselves.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from core.arrays import in_ids
from core.bulk import chunks
from core.database import Database
from delivery import calls
from delivery.arrival import expected_arrival
from delivery.channels import Channel, Envelope, Outcome, unknown
from delivery.claiming import claim, give_back, rescue
from delivery.composing import compose, gather
from delivery.feedback import address_is_dead
from delivery.holding import Resting, kept_back
from delivery.models import Message
from delivery.objections import Objecting
from delivery.settings import DeliverySettings
from delivery.states import moved

__all__ = ["DeliverySettings", "rescue", "tick"]

log = logging.getLogger("winback.delivery")

HANDED_OVER_AT_ONCE = 50
"""Messages committed as handed over before the outside gets them: the most that a crash leaves uncertain."""

LONGEST_REASON = 200


def tick(
    database: Database, *, now: datetime, limit: int, worker: int, channels: Mapping[str, Channel],
    settings: DeliverySettings, objecting: Objecting | None = None, resting: Resting = lambda _connection: {},
) -> int:
    """Send what is due, at most `limit` messages; returns how many rows were decided on (0: nothing is due).

    One worker number runs one tick at a time. A channel that is not in `channels` keeps its messages queued.
    `objecting` is asked once more whether a message may go (delivery/objections.py), and `resting`, at the claim and
    again before each hand-over, of which campaigns nothing goes out (delivery/holding.py).
    """
    with database.writing() as session:
        connection = session.connection()
        # What this worker still holds is left over from a tick of its own that broke off.
        give_back(connection, [worker], now=now)
        tidied = calls.tidy(connection, now=now, limit=limit)
        claimed = claim(connection, now=now, limit=limit, worker=worker, channels=channels,
                        secret_key=settings.secret_key, objecting=objecting, resting=resting(connection))
    for ids in chunks(claimed.going, HANDED_OVER_AT_ONCE):
        _build_and_send(database, ids, now=now, worker=worker, channels=channels, settings=settings, resting=resting)
    return claimed.decided + tidied


def _build_and_send(
    database: Database, ids: Sequence[int], *, now: datetime, worker: int, channels: Mapping[str, Channel],
    settings: DeliverySettings, resting: Resting,
) -> None:
    with database.reading() as session:
        gathered = gather(session, ids)
    composed = compose(gathered, settings=settings, now=now)
    if composed.failures:
        with database.writing() as session:
            for message_id, reason in composed.failures.items():
                moved(session.connection(), [message_id], "failed", from_="claimed", now=now, of_worker=worker,
                      reason=reason)
    for name, envelopes in sorted(composed.envelopes.items()):
        _send(database, channels[name], envelopes, now=now, worker=worker, settings=settings, resting=resting)


def _send(
    database: Database, channel: Channel, envelopes: Sequence[Envelope], *, now: datetime, worker: int,
    settings: DeliverySettings, resting: Resting,
) -> None:
    """Hand one channel its envelopes and write down what came of them."""
    with database.writing() as session:
        connection, ids = session.connection(), [envelope.ledger_id for envelope in envelopes]
        kept = kept_back(connection, ids, resting(connection), worker=worker, now=now)
        ours = set(moved(connection, [number for number in ids if number not in kept], "handed_over",
                         from_="claimed", now=now, of_worker=worker, attempt=Message.attempt + 1))
    # What was cancelled or rescued since the claim is not ours any more and stays here.
    leaving = [envelope for envelope in envelopes if envelope.ledger_id in ours]
    if not leaving:
        return
    try:
        outcomes = channel.send_many(leaving, now=now)
        if len(outcomes) != len(leaving):
            raise RuntimeError(f"{channel.name} answered {len(outcomes)} outcomes for {len(leaving)} messages")
    except Exception as error:  # a channel that breaks has told us nothing about any of them
        log.exception("the channel %s broke off", channel.name)
        outcomes = [unknown(f"the channel broke off: {type(error).__name__}")] * len(leaving)
    with database.writing() as session:
        settle(session.connection(), {envelope.ledger_id: outcome
                                      for envelope, outcome in zip(leaving, outcomes, strict=True)},
               now=now, worker=worker, settings=settings)


def settle(
    connection: Connection, outcomes: Mapping[int, Outcome], *, now: datetime, worker: int,
    settings: DeliverySettings,
) -> int:
    """Write down what became of messages this worker handed over; returns how many rows took it.

    A row that a rescuer declared uncertain meanwhile still becomes sent or failed; no row ever goes back to the queue
    from there. A row that is not this worker's is left alone.
    """
    dead = [message_id for message_id, outcome in outcomes.items() if outcome.suppresses_address]
    if dead:
        # Before any message is locked: whoever needs both locks takes the customers first.
        address_is_dead(connection, dead, now=now, secret_key=settings.secret_key)
    rows = connection.execute(
        select(Message.id, Message.state, Message.channel, Message.attempt, Message.due_at)
        .where(in_ids(Message.id, outcomes), Message.worker == worker,
               Message.state.in_(("handed_over", "uncertain")))
        .order_by(Message.id)
        .with_for_update(key_share=True)
    ).all()
    settled = _write_down(connection, rows, outcomes, now=now, worker=worker, settings=settings)
    held = [row.id for row in rows if row.due_at > now]
    if held:  # what went all the same stands in no queue any more
        connection.execute(update(Message).where(in_ids(Message.id, held), Message.state != "queued")
                           .values(due_at=now))
    if settled != len(outcomes):
        log.warning("%s of %s settled messages were not ours any more", len(outcomes) - settled, len(outcomes))
    return settled


def _write_down(
    connection: Connection, rows: Sequence[Any], outcomes: Mapping[int, Outcome], *, now: datetime, worker: int,
    settings: DeliverySettings,
) -> int:
    settled = 0
    sent: dict[str, list[int]] = defaultdict(list)
    failed: dict[str, list[int]] = defaultdict(list)
    again: dict[tuple[int, str, bool], list[int]] = defaultdict(list)
    lost: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        outcome = outcomes[row.id]
        words = _words(outcome)
        if outcome.kind == "accepted":
            sent[row.channel].append(row.id)
        elif outcome.kind == "unknown":
            lost[words].append(row.id)
        elif outcome.kind == "refused_for_now" and row.state == "handed_over" and row.attempt < settings.attempts_limit:
            again[row.attempt, words, row.due_at > now].append(row.id)
        else:
            failed[words].append(row.id)
    for channel, ids in sent.items():
        settled += len(moved(
            connection, ids, "sent", from_=("handed_over", "uncertain"), now=now, of_worker=worker, released_at=now,
            expected_at=expected_arrival(channel, now, lead_days=settings.print_lead_days),
            cost_cents=settings.cost_cents.get(channel, 0), reason=None,
        ))
    for words, ids in failed.items():
        settled += len(moved(connection, ids, "failed", from_=("handed_over", "uncertain"), now=now,
                             of_worker=worker, reason=words))
    for (attempt, words, held), ids in again.items():
        # Whose campaign was paused while they were handed over is held like all that waits (delivery/holding.py).
        due = {} if held else {"due_at": now + settings.pause_after(attempt)}
        settled += len(moved(connection, ids, "queued", from_="handed_over", now=now, of_worker=worker, reason=words,
                             **due))
    for words, ids in lost.items():
        settled += len(moved(connection, ids, "uncertain", from_="handed_over", now=now, of_worker=worker,
                             reason=words))
    return settled


def _words(outcome: Outcome) -> str:
    """The other side's own words, with the code in front if they do not begin with it."""
    code = "" if outcome.code is None or outcome.text.startswith(str(outcome.code)) else f"{outcome.code} "
    return f"{code}{outcome.text}"[:LONGEST_REASON] or outcome.kind.replace("_", " ")
