"""Whom of an audience could we speak to, and on which channel?

Owns the numbers of the reach waterfall: who is in, who cannot be reached on any channel and why, and how many each
channel takes. It asks the same policy that decides when a message is claimed, so the forecast and the deed agree.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core.bulk import chunks
from delivery.policy import CHANNELS
from delivery.preference import reachable

CHUNK = 5_000


@dataclass(frozen=True)
class Reach:
    """People of an audience as things stand: `by_channel` counts everybody whom a channel may reach (people may be
    counted by several), `unreachable` holds the ids that no channel may reach."""

    people: int
    unreachable: tuple[int, ...]
    by_channel: dict[str, int]

    @property
    def reachable(self) -> int:
        """How many can be reached on at least one channel."""
        return self.people - len(self.unreachable)


def reach(connection: Connection, customer_ids: Sequence[int], *, now: datetime, secret_key: str) -> Reach:
    """The reach of these people for advertising, asked in chunks."""
    by_channel: Counter[str] = Counter()
    unreachable: list[int] = []
    for part in chunks(customer_ids, CHUNK):
        for customer_id, open_channels in zip(
            part, reachable(connection, part, now=now, secret_key=secret_key), strict=True
        ):
            by_channel.update(open_channels)
            if not open_channels:
                unreachable.append(customer_id)
    return Reach(len(customer_ids), tuple(unreachable), {channel: by_channel[channel] for channel in CHANNELS})


def reached_by(
    connection: Connection, customer_ids: Sequence[int], *, channel: str | None, now: datetime, secret_key: str
) -> list[int]:
    """Those of these people whom `channel` may reach, or, for None, those whom no channel may reach."""
    found: list[int] = []
    for part in chunks(customer_ids, CHUNK):
        for customer_id, open_channels in zip(
            part, reachable(connection, part, now=now, secret_key=secret_key), strict=True
        ):
            if (channel in open_channels) if channel is not None else not open_channels:
                found.append(customer_id)
    return found
