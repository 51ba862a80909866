"""A copy of a campaign takes the plan and the draft along, and nothing that happened."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from campaigns.planning import save_campaign
from core.database import Database
from core.errors import Conflict
from journeys.editing.duplicating import duplicate
from journeys.models import Journey, Version
from tests.journeys.shop import ONE_MAIL, furnish, go, walk


def test_a_copy_keeps_the_plan_and_the_draft_and_leaves_the_days_open(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, [1], now=now)
    with database.writing() as session:
        save_campaign(session, "spring", now=now, fields={
            "segment": "lapsed", "not_to": ["lapsed"], "budget_cents": 5000, "owner": "Mara"})
    window = {"from": now.isoformat(), "until": (now + timedelta(days=20)).isoformat()}
    go(database, {**ONE_MAIL, "window": window}, now=now)
    walk(database, tmp_path, now=now)
    with database.writing() as session:
        copy = duplicate(session, "spring", new_key="autumn", name="Autumn", owner="Jonas", now=now)
        assert (copy.state, copy.starts_at, copy.ends_at, copy.version) == ("draft", None, None, 1)
        assert (copy.budget_cents, copy.not_to, copy.owner) == (5000, ["lapsed"], "Jonas")
        journey = session.scalars(select(Journey).where(Journey.campaign_id == copy.id)).one()
        assert (journey.key, journey.state, journey.draft["name"]) == ("autumn", "draft", "Autumn")
        assert "window" not in journey.draft and journey.draft["steps"] == ONE_MAIL["steps"]
        assert session.scalars(select(Version.id).where(Version.journey_id == journey.id)).all() == []
        with pytest.raises(Conflict):
            duplicate(session, "spring", new_key="autumn", name="Autumn", now=now)
