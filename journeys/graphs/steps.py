"""Where does each person of a batch go next?

Owns the decisions of the steps as pure functions over columns: no database, no clock. The promises: a split is sticky
(the same person draws the same arm in every run, on every machine), and local time means what the wall clock says,
also on the two nights a year when it jumps.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from core.types import from_us, to_us
from core.wall_clock import local_instant, zone_named
from journeys.graphs.graph import Split, Wait

DRAWS = 2**32
_HOUR_US = 3_600_000_000


def drawn(salt: str, external_ids: Sequence[str]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """One number per person, evenly spread over 0 to 2^32 - 1: the first 8 hex digits of md5(`salt:external id`)."""
    md5, prefix = hashlib.md5, f"{salt}:".encode()
    digests = b"".join([md5(prefix + key.encode(), usedforsecurity=False).digest()[:4] for key in external_ids])
    return np.frombuffer(digests, dtype=">u4").astype(np.int64)


def held_out(journey_key: str, external_ids: Sequence[str], *, percent: float) -> list[bool]:
    """Who is left alone for comparison; sticky per journey."""
    kept: list[bool] = (drawn(f"{journey_key}:holdout", external_ids) < percent / 100 * DRAWS).tolist()
    return kept


def arms(step: Split, journey_key: str, external_ids: Sequence[str]) -> list[str | None]:
    """The arm of each person, None for the rest; sticky per journey and step, and the same whatever order a database
    keeps keys in."""
    listed: list[tuple[str | None, float]] = [*sorted(step.arms)]
    if step.rest is not None:
        listed.append((None, step.rest.percent))
    weights = np.array([weight for _, weight in listed])
    ends = np.cumsum(weights) / weights.sum() * DRAWS
    ends[-1] = DRAWS  # the shares may miss 100 by a rounding
    names = [name for name, _ in listed]
    places = np.searchsorted(ends, drawn(f"{journey_key}:{step.key}", external_ids), side="right")
    return [names[place] for place in places.tolist()]


def due(step: Wait, bases_us: Sequence[int], zones: Sequence[str]) -> list[int]:
    """When each wait is over, in microseconds, counted from its base in the person's own time zone.

    Days are days of the local calendar, hours are hours. With `at_local_time` people go on at the first such time of
    day that is not earlier; a step with nothing but a time of day means the next one after the base.
    """
    if step.until is not None:
        return [to_us(step.until)] * len(bases_us)
    if not step.days and step.at_local_time is None:
        lag = int(step.hours * _HOUR_US)
        return [base + lag for base in bases_us]
    known: dict[tuple[int, str], int] = {}
    result = []
    for pair in zip(bases_us, zones, strict=True):
        found = known.get(pair)
        if found is None:
            found = known[pair] = _due(step, *pair)
        result.append(found)
    return result


def due_before_end(step: Wait, ends_us: Sequence[int], zones: Sequence[str]) -> list[int]:
    """When a wait for the end of the code is over: `minus_days` local days before it, at the wished time of day, and
    never once the code has ended."""
    result = []
    for end_us, name in zip(ends_us, zones, strict=True):
        zone = zone_named(name)
        local = from_us(end_us).astimezone(zone).replace(tzinfo=None) - timedelta(days=step.minus_days)
        if step.at_local_time is not None:
            local = datetime.combine(local.date(), step.at_local_time)
            if local_instant(local, zone) >= from_us(end_us):
                local -= timedelta(days=1)
        result.append(to_us(local_instant(local, zone)))
    return result


def _due(step: Wait, base_us: int, name: str) -> int:
    zone = zone_named(name)
    local = from_us(base_us).astimezone(zone).replace(tzinfo=None) + timedelta(days=step.days)
    earliest = local_instant(local, zone) if step.days else from_us(base_us)
    earliest += timedelta(hours=step.hours)
    if step.at_local_time is None:
        return to_us(earliest)
    strictly = not step.days and not step.hours
    return to_us(_next_time_of_day(earliest, step.at_local_time, zone, strictly))


def _next_time_of_day(earliest: datetime, at: time, zone: ZoneInfo, strictly: bool) -> datetime:
    day = earliest.astimezone(zone).date()
    while True:
        moment = local_instant(datetime.combine(day, at), zone)
        if moment > earliest or (moment == earliest and not strictly):
            return moment
        day += timedelta(days=1)
