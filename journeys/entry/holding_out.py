"""Who is left alone, so that we learn what would have come anyway?

Owns the share of all customers that every journey leaves alone. It is drawn by a sticky hash of the customer's number
(the sample with the salt `global-holdout`, which segments can ask for), so it is always the same people. A version
keeps the share that held when it was published; raising the share adds people and takes nobody out.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.planning import HIGHEST_HOLDOUT_PERCENT
from core.errors import Invalid
from journeys.graphs.steps import DRAWS, drawn, held_out
from journeys.models import GlobalHoldout

SALT = "global-holdout"


def global_percent(session: Session) -> float:
    """The share of all customers left alone by every journey that is published now; 0: nobody."""
    found = session.get(GlobalHoldout, 1)
    return 0.0 if found is None else found.percent


def set_global_percent(session: Session, percent: float, *, author: str | None = None, now: datetime) -> GlobalHoldout:
    """Set that share. Raises Invalid outside 0 to 50."""
    if not 0 <= percent <= HIGHEST_HOLDOUT_PERCENT:
        raise Invalid(f"Use a number from 0 to {HIGHEST_HOLDOUT_PERCENT}; 2 to 5 is usual.", place="percent")
    found = session.get(GlobalHoldout, 1, with_for_update=True)
    if found is None:
        found = GlobalHoldout(id=1)
        session.add(found)
    found.percent, found.author, found.changed_at = float(percent), author, now
    session.flush()
    return found


def left_alone(
    journey_key: str, external_ids: Sequence[str], *, percent: float, global_percent: float,
    units: Sequence[str] | None = None,
) -> list[bool]:
    """Per person whether they are left alone: by this journey, which may draw for `units` such as households, or by
    all; sticky."""
    kept = held_out(journey_key, external_ids if units is None else units, percent=percent)
    if not global_percent:
        return kept
    everywhere = left_alone_by_all(external_ids, global_percent)
    return [mine or all_ for mine, all_ in zip(kept, everywhere, strict=True)]


def left_alone_by_all(external_ids: Sequence[str], global_percent: float) -> list[bool]:
    """Per person whether every journey leaves them alone."""
    everywhere: list[bool] = (drawn(SALT, external_ids) < global_percent / 100 * DRAWS).tolist()
    return everywhere


def share_left_alone(percent: float, global_percent: float) -> float:
    """The share of people expected in the hold-out, 0 to 1: the two draws are independent."""
    return 1 - (1 - percent / 100) * (1 - global_percent / 100)
