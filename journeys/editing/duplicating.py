"""How does a campaign that worked become the template of the next one?

Owns copying a campaign with its journey: what was decided once is kept, its days are to be chosen anew, nobody is in
it. The promise: the copy is a draft of its own; nothing of what happened in the first one comes along.
"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key, save_campaign
from campaigns.showing import segment_key
from core.errors import Conflict
from journeys.editing.editing import save_draft
from journeys.models import Journey

_KEPT = ("objective", "timezone", "goal_categories", "holdout_percent", "budget_cents", "currency", "planned_people",
         "not_to", "standing_off")


def duplicate(
    session: Session, key: str, *, new_key: str, name: str, owner: str | None = None, now: datetime
) -> Campaign:
    """Copy a campaign and the draft of its journey under a new key and name; window left open, exclusions kept.

    Exclusions that were switched off stay wished for and need an approval of their own. Raises NotFound, Conflict for a
    campaign of the past or a key that is taken, Invalid.
    """
    first = campaign_by_key(session, key)
    if first.state == "history":
        raise Conflict(f"{first.name} was imported from the past; there is no plan to copy.")
    if session.scalar(select(Campaign.id).where(Campaign.key == new_key)) is not None:
        raise Conflict(f"There is a campaign {new_key} already. Choose another key.", place="key")
    fields: dict[str, Any] = {field: getattr(first, field) for field in _KEPT}
    fields |= {"name": name, "owner": owner or first.owner, "segment": segment_key(session, first)}
    copy = save_campaign(session, new_key, fields=fields, expected_version=0, now=now)
    journey = session.scalars(select(Journey).where(Journey.campaign_id == first.id)).one_or_none()
    if journey is not None:
        graph = json.loads(json.dumps(journey.draft)) | {"name": name}
        graph.pop("window", None)
        taken = set(session.scalars(select(Journey.key)))
        save_draft(session, _free(new_key, taken), graph, campaign_id=copy.id, expected_version=0, now=now)
    return copy


def _free(key: str, taken: set[str]) -> str:
    number, found = 1, key
    while found in taken:
        number += 1
        found = f"{key[:95]}-{number}"
    return found
