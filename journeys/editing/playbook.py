"""Which campaigns lie ready, so that nobody begins with an empty page?

Owns the plays in `journeys/plays/`: each one JSON file with a segment, offers, contents and a journey. Using one makes
a planned campaign with its journey's draft. The promise: what the house already has under the same key is used as it is
and never overwritten, and nothing runs before somebody starts it.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import save_campaign
from core.errors import Conflict, NotFound
from coupons.models import Offer
from coupons.offers.offers import save_offer
from delivery.contents import save_content
from delivery.models import Content
from journeys.editing.editing import save_draft
from journeys.models import Journey
from segments.language.rules import parse_rule
from segments.models import Segment
from segments.saving.saved import save_segment

_FOLDER = Path(__file__).parent.parent / "plays"
_ORDER = ("furniture-win-back", "abandoned-cart", "welcome", "second-purchase", "complaint-follow-up")


@dataclass(frozen=True)
class Play:
    """One ready campaign: `says` is what it does in one sentence, `written` the whole file."""

    key: str
    name: str
    says: str
    written: dict[str, Any]


@cache
def plays() -> tuple[Play, ...]:
    """Every play, the win-back first."""
    found = [json.loads((_FOLDER / f"{key}.json").read_text(encoding="utf-8")) for key in _ORDER]
    return tuple(Play(each["key"], each["name"], each["says"], each) for each in found)


def play_by_key(key: str) -> Play:
    """The play with this key. Raises NotFound."""
    for play in plays():
        if play.key == key:
            return play
    raise NotFound(f"There is no play {key}. Known are {', '.join(each.key for each in plays())}.")


def use_play(
    session: Session, play: Play, key: str, *, name: str, owner: str | None = None, author: str | None = None,
    now: datetime,
) -> Campaign:
    """Plan the play's campaign under this key and name, with whatever it needs that the house does not have yet.

    Raises Conflict when the key is taken.
    """
    if session.scalar(select(Campaign.id).where(Campaign.key == key)) is not None:
        raise Conflict(f"There is a campaign {key} already. Choose another key.", place="key")
    written = play.written
    _bring_what_is_missing(session, written, author=author, now=now)
    campaign = save_campaign(session, key, expected_version=0, now=now, fields={
        "name": name, "objective": written["objective"], "goal_categories": written["goal_categories"],
        "holdout_percent": written["holdout_percent"], "segment": written["segment"]["key"], "owner": owner})
    taken = set(session.scalars(select(Journey.key)))
    graph = {"name": name, **json.loads(json.dumps(written["journey"]))}
    save_draft(session, key if key not in taken else f"{key[:90]}-{campaign.id}", graph, campaign_id=campaign.id,
               expected_version=0, now=now)
    return campaign


def _bring_what_is_missing(session: Session, written: dict[str, Any], *, author: str | None, now: datetime) -> None:
    segment = written["segment"]
    if session.scalar(select(Segment.id).where(Segment.key == segment["key"])) is None:
        save_segment(session, segment["key"], name=segment["name"], rule=parse_rule(segment["rule"]), author=author,
                     description=written["says"], now=now)
    for offer in written["offers"]:
        if session.scalar(select(Offer.id).where(Offer.key == offer["key"])) is None:
            save_offer(session, offer["key"], now=now,
                       **{name: value for name, value in offer.items() if name != "key"})
    for content in written["contents"]:
        if session.scalar(select(Content.id).where(Content.key == content["key"])) is None:
            save_content(session, content["key"], author=author, now=now,
                         **{name: value for name, value in content.items() if name != "key"})
