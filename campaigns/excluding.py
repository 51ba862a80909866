"""Who of these people does a campaign leave out, and for which reason?

Owns the list of exclusions of one campaign (the segments it is not sent to, then the house's standing ones) and asking
it of a batch on the row store. The promise: everybody is counted out at the first reason only, in one fixed order, the
same at entry, in the waterfall and before each message.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from campaigns.approving import approved_off
from campaigns.models import Campaign
from campaigns.standing import list_standing
from segments.engines.members import matching
from segments.language.conditions import InSegment, Rule
from segments.models import Segment

STANDING = "standing"
"""The word in a journey's `exclude` that applies the house list."""
LONGEST_REASON = 60


@dataclass(frozen=True)
class Exclusion:
    """One reason to leave people out: `key` names it in addresses, `reason` is said to people, at most 60 letters."""

    key: str
    reason: str
    rule: Rule
    asked_again: bool


def exclusions(session: Session, campaign: Campaign, *, standing: bool) -> list[Exclusion]:
    """What leaves people out of a campaign, in the order in which they are counted out.

    A segment it is not sent to that is gone meanwhile leaves nobody out. `standing`: the house list applies, but for
    lines that are switched off for this campaign with an approval.
    """
    found, not_to = [], campaign.not_to
    if not_to:
        names = dict(session.execute(select(Segment.key, Segment.name).where(Segment.key.in_(not_to))).all())
        found = [Exclusion(f"segment:{key}", f"in “{names[key]}”"[:LONGEST_REASON], InSegment(key), True)
                 for key in not_to if key in names]
    if standing:
        off = approved_off(session, campaign)
        found += [Exclusion(each.key, each.name, each.rule, each.asked_again)
                  for each in list_standing(session, active=True) if each.key not in off]
    return found


def left_out(
    connection: Connection, customer_ids: Sequence[int], reasons: Sequence[Exclusion], *, now: datetime
) -> dict[int, str]:
    """Customer id -> the first reason that holds, for those of a batch who are left out; one statement per reason."""
    found: dict[int, str] = {}
    remaining = list(dict.fromkeys(customer_ids))
    for exclusion in reasons:
        hit = matching(connection, exclusion.rule, remaining, as_of=now)
        if hit:
            found |= dict.fromkeys(hit, exclusion.reason)
            remaining = [customer_id for customer_id in remaining if customer_id not in hit]
    return found
