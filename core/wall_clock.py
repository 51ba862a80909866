"""Which instant does a reading of a wall clock mean, also on the two nights a year when the clock jumps?

Owns that one conversion. The promise: a reading that comes twice means the first of the two, one that is jumped over
means the jump itself, so nothing planned by local time is lost or done twice.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


def local_instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a wall clock reading: the first of two when it comes twice, the first valid one in a gap."""
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == local:
        return first
    # The clock jumps over this reading; `first` lies after the jump. Find the jump itself.
    before, after = local.replace(tzinfo=zone, fold=1).astimezone(UTC), first
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


@lru_cache(maxsize=600)
def zone_named(name: str) -> ZoneInfo:
    """The zone of this name; UTC when it is unknown, so that one person's zone never stops a batch."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")
