"""Which few numbers tell an operator how this installation is doing?

Owns asking the rooms for them; nothing here names a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from core import cursors
from coupons.standing import redemption_counts
from delivery.standing import due_count, state_counts


@dataclass(frozen=True)
class Vital:
    """One number, or one per label value."""

    name: str
    meaning: str
    values: Mapping[tuple[str, ...], int]
    labels: tuple[str, ...] = field(default=())


def vitals(session: Session, *, now: datetime) -> list[Vital]:
    """The numbers as of `now`."""
    connection = session.connection()
    accepted, refused = redemption_counts(connection)
    return [
        Vital("messages", "Ledger rows by state", {(state,): n for state, n in state_counts(connection).items()},
              ("state",)),
        Vital("messages_due", "Queued messages whose time has come", {(): due_count(connection, now=now)}),
        Vital("changes", "Rows in the list of changes", {(): cursors.length(connection)}),
        Vital("redemptions", "Codes redeemed", {(): accepted}),
        Vital("refusals", "Requests to redeem that were refused", {(): refused}),
    ]
