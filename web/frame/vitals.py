"""Which few numbers tell an operator how this installation is doing?

Owns asking the rooms for them; nothing here names a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from core import cursors
from core.mirror import Manifest
from coupons.till.standing import redemption_counts
from delivery.standing import due_count, state_counts


@dataclass(frozen=True)
class Vital:
    """One number, or one per label value."""

    name: str
    meaning: str
    values: Mapping[tuple[str, ...], float]
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


def mirror_vitals(manifest: Manifest | None, *, now: datetime) -> list[Vital]:
    """Size and freshness of the newest generation of the mirror; nothing when there is none."""
    if manifest is None:
        return []
    return [
        Vital("mirror_bytes", "Size of the newest generation of the mirror", {(): manifest.size_bytes}),
        Vital("mirror_age_seconds", "How old its facts are", {(): (now - manifest.at).total_seconds()}),
        Vital("mirror_rows", "Its rows by table", {(name,): rows for name, rows in manifest.rows.items()}, ("table",)),
        Vital("mirror_changed", "Keys changed since its rows were put in order", {(): manifest.changed}),
        Vital("mirror_refresh_seconds", "What its last refresh took", {(): manifest.took_seconds}),
    ]
