"""On which channel does this person want to hear from us?

Owns the choice of a channel: the explicit wish if it is allowed, else the channel this person has used to contact the
shop (complaints and service requests aside, recent contacts weigh more), else the cheapest allowed one. The promise: a
wish, asked for or inferred, is never a consent; every choice says why in words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, select, type_coerce

from core.arrays import in_ids
from core.types import to_us
from customers.models import Contact, Customer
from delivery.policy import CHANNEL_COST_CENTS, CHANNELS, channel_words, verdicts

HALF_LIFE = timedelta(days=180)
"""A contact counts half as much as one that is this much younger."""

ASIDE = ("complaint", "service_request")
"""Kinds of contact that say where something went wrong, not how somebody likes to hear from the shop."""

CHANNEL_OF_KIND = {"email": "email", "mail": "email", "letter": "letter", "call": "phone", "phone": "phone"}
"""Kind of contact (or the channel noted with it) -> the channel it speaks for. The noted channel comes first."""


@dataclass(frozen=True)
class Choice:
    """The chosen channel, or None when none is allowed; `why` says it in words."""

    channel: str | None
    why: str


def reachable(
    connection: Connection, customer_ids: Sequence[int], *, now: datetime, secret_key: str,
    message_class: str = "marketing",
) -> list[list[str]]:
    """Per person the channels we may use now and have an address for, cheapest first."""
    silent = _verdicts_by_channel(connection, customer_ids, CHANNELS, message_class, now, secret_key)
    return [[channel for channel in CHANNELS if silent[channel][place] is None] for place in range(len(customer_ids))]


def choose_channels(
    connection: Connection, customer_ids: Sequence[int], *, wish: str, allowed: tuple[str, ...], now: datetime,
    secret_key: str, message_class: str = "marketing",
) -> list[Choice]:
    """One choice per person, in the same order, among the `allowed` channels.

    `wish` is "preferred", or a channel: then that channel or none.
    """
    considered = allowed if wish == "preferred" else (wish,)
    by_cost = tuple(sorted(considered, key=lambda channel: CHANNEL_COST_CENTS.get(channel, 0)))
    silent = _verdicts_by_channel(connection, customer_ids, by_cost, message_class, now, secret_key)
    if wish != "preferred":
        chosen = Choice(wish, f"the step asks for {channel_words(wish)}")
        return [Choice(None, reason) if reason else chosen for reason in silent[wish]]
    wishes = _explicit_wishes(connection, customer_ids)
    weights = contact_weights(connection, customer_ids, now=now)
    has_spoken: list[bool] = (weights.max(axis=1, initial=0.0) > 0).tolist()
    reasons = zip(*(silent[channel] for channel in by_cost), strict=True) if by_cost else repeat(())
    known: dict[tuple[Any, ...], Choice] = {}  # most of a batch are alike, and alike is decided alike
    result = []
    for place, (customer_id, why) in enumerate(zip(customer_ids, reasons, strict=False)):
        key = (why, wishes.get(customer_id), tuple(weights[place].tolist()) if has_spoken[place] else _NO_CONTACT)
        choice = known.get(key)
        if choice is None:
            choice = known[key] = _chosen(by_cost, dict(zip(by_cost, why, strict=True)), key[1], key[2])
        result.append(choice)
    return result


_NO_CONTACT = (0.0,) * len(CHANNELS)


def _chosen(
    by_cost: tuple[str, ...], silent: Mapping[str, str | None], wish: str | None, weights: Sequence[float]
) -> Choice:
    """Decide for one person: pure, from the reasons to be silent, the explicit wish and the weights per channel."""
    open_channels = [channel for channel in by_cost if silent[channel] is None]
    if not open_channels:
        return Choice(None, "; ".join(dict.fromkeys(reason for reason in silent.values() if reason)))
    before = ""
    if wish is not None:
        if wish in open_channels:
            return Choice(wish, f"asked for {channel_words(wish)}")
        before = f"asked for {_named(wish)}, but {silent.get(wish) or 'this is not used here'}; "
    weight = {channel: weights[CHANNELS.index(channel)] for channel in open_channels if channel in CHANNELS}
    # max() keeps the first of equals, so a tie goes to the cheaper channel.
    used = max(weight, key=lambda channel: weight[channel], default=None)
    if used is not None and weight[used] > 0:
        return Choice(used, f"{before}has contacted the shop by {_SINGULAR[used]}")
    return Choice(open_channels[0], f"{before}the cheapest allowed channel")


_SINGULAR = {"email": "e-mail", "letter": "letter", "phone": "phone"}


def _named(channel: str) -> str:
    return channel_words(channel) if channel in CHANNELS else channel


def _verdicts_by_channel(
    connection: Connection, ids: Sequence[int], channels: Sequence[str], message_class: str, now: datetime,
    secret_key: str,
) -> dict[str, list[str | None]]:
    return {
        channel: verdicts(connection, ids, [channel] * len(ids), message_class=message_class, now=now,
                          secret_key=secret_key)
        for channel in channels
    }


def _explicit_wishes(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    rows = connection.execute(
        select(Customer.id, Customer.preferred_channel)
        .where(in_ids(Customer.id, ids), Customer.preferred_channel.is_not(None))
    )
    return {row[0]: str(row[1]) for row in rows}


def contact_weights(connection: Connection, ids: Sequence[int], *, now: datetime) -> NDArray[np.float64]:
    """Per person (row) and channel (column, as in CHANNELS) the sum of the weights of this person's own contacts."""
    rows = connection.execute(
        select(Contact.customer_id, type_coerce(Contact.at, BigInteger), Contact.channel, Contact.kind)
        .where(in_ids(Contact.customer_id, ids), Contact.direction == "in", Contact.at <= now,
               Contact.kind.not_in(ASIDE))
    ).all()
    total = np.zeros((len(ids), len(CHANNELS)))
    if not rows:
        return total
    people, at_us, noted, kinds = zip(*rows, strict=True)
    spoken = {pair: _column(*pair) for pair in set(zip(noted, kinds, strict=True))}
    columns = np.array([spoken[pair] for pair in zip(noted, kinds, strict=True)])
    weights = np.exp2((np.array(at_us) - to_us(now)) / (HALF_LIFE / timedelta(microseconds=1)))
    order = np.argsort(np.array(ids))
    places = order[np.searchsorted(np.array(ids), np.array(people), sorter=order)]
    known = columns >= 0
    np.add.at(total, (places[known], columns[known]), weights[known])
    return total


def _column(noted: str | None, kind: str) -> int:
    """Which channel (its place in CHANNELS) a contact speaks for, -1 for none."""
    channel = CHANNEL_OF_KIND.get(noted or "") or CHANNEL_OF_KIND.get(kind)
    return CHANNELS.index(channel) if channel is not None else -1
