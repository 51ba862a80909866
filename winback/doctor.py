"""Is this installation healthy?

Owns the self-checks behind `winback doctor`: the schema, the clock, the ledger, the coupon counters, the mirror, and
that what rows name is there.
Each check reads only and answers with a sentence.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, text

from campaigns.models import Campaign
from core import leases
from core.errors import NotReady
from core.models import Installation
from core.references import missing
from coupons.checks.invariants import drift
from delivery.models import Message
from delivery.standing import state_counts
from journeys.models import Enrolment, Journey
from segments.engines.mirrored import open_mirror
from winback.context import Context, check_schema

LATE = timedelta(minutes=15)
"""What is due for longer waits for a worker, not for its turn."""


@dataclass(frozen=True)
class Finding:
    """One check's answer."""

    area: str
    fine: bool
    text: str


def _database(context: Context) -> Iterable[Finding]:
    check_schema(context.raw_database)
    yield Finding("database", True, "the schema is the one this program needs")
    with context.database.reading() as session:
        if context.database.is_sqlite:
            result = session.execute(text("PRAGMA quick_check")).scalar_one()
            yield Finding("database", result == "ok", f"SQLite's quick check says {result}")
        else:
            database_time = session.execute(text("SELECT clock_timestamp()")).scalar_one()
            skew = abs((datetime.now(UTC) - database_time).total_seconds())
            yield Finding("database", skew < 2, f"this machine and the database differ by {skew:.1f} seconds")


def _clock(context: Context) -> Iterable[Finding]:
    with context.database.reading() as session:
        installation = session.execute(select(Installation)).scalar_one()
    hours = installation.clock_offset_us / 3.6e9
    fine = installation.kind != "live" or hours == 0
    yield Finding("clock", fine, f"a {installation.kind} installation, {hours:+.1f} hours from wall time")


def _delivery(context: Context) -> Iterable[Finding]:
    with context.database.reading() as session:
        counts = state_counts(session.connection())
        holders = set(
            session.execute(
                select(Message.worker).where(Message.state.in_(("claimed", "handed_over")), Message.worker.is_not(None))
            ).scalars()
        )
    lost = leases.dead(context.database, {number for number in holders if number is not None})
    yield Finding("delivery", not lost, f"{len(lost)} dead workers hold messages; the next tick settles them"
                  if lost else "no dead worker holds a message")
    uncertain = counts.get("uncertain", 0)
    yield Finding("delivery", True, f"{sum(counts.values())} ledger rows, {uncertain} uncertain")


def _coupons(context: Context) -> Iterable[Finding]:
    with context.database.reading() as session:
        problems = drift(session.connection())
    for problem in problems:
        yield Finding("coupons", False, problem)
    if not problems:
        yield Finding("coupons", True, "counters and ledger agree, no limit is exceeded")


def _mirror(context: Context) -> Iterable[Finding]:
    with closing(open_mirror(context.settings.home, context.database)) as opened:
        manifest = opened.manifest()
        if manifest is None:
            yield Finding("mirror", True, "there is none; the worker builds it when the base is large enough")
            return
        try:
            opened.check()
        except NotReady as error:
            yield Finding("mirror", False, error.message)
            return
    yield Finding("mirror", True, f"{manifest.total_rows} rows, {manifest.size_bytes // 1_000_000} MB, as of"
                                  f" {manifest.at:%Y-%m-%d %H:%M:%S} UTC; every block can be read")


def _references(context: Context) -> Iterable[Finding]:
    with context.database.reading() as session:
        problems = missing(session.connection())
    for problem in problems:
        yield Finding("references", False, problem)
    if not problems:
        yield Finding("references", True, "every person, journey, offer and text that the ledgers name is there")


def _workers(context: Context) -> Iterable[Finding]:
    """Nobody at work is worth a word; that something waits because of it is a fault."""
    late_since = context.now() - LATE
    if leases.led(context.database):
        yield Finding("workers", True, "a worker runs")
        return
    with context.database.reading() as session:
        running = select(Campaign.key).where(Campaign.state == "running")
        waiting = sum(session.execute(select(func.count()).where(*late)).scalar_one() for late in (
            (Message.state == "queued", Message.due_at < late_since, Message.campaign.in_(running)),
            (Enrolment.state == "active", Enrolment.due_at < late_since,
             Enrolment.journey_id.in_(select(Journey.id).where(Journey.state == "running")))))
    yield Finding("workers", not waiting, f"no worker runs, and {waiting} messages and people wait for one. Start it: "
                  "winback worker, or winback serve" if waiting else "no worker runs; nothing waits for one")


AREAS: dict[str, Callable[[Context], Iterable[Finding]]] = {
    "clock": _clock, "coupons": _coupons, "database": _database, "delivery": _delivery, "mirror": _mirror,
    "references": _references, "workers": _workers,
}


def examine(context: Context, *, areas: list[str]) -> list[Finding]:
    """Run the checks of these areas, in order."""
    return [finding for area in areas for finding in AREAS[area](context)]
