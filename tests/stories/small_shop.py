"""A small furniture shop with a journey ready to run: what the kill drills and the browser stories start from."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.clock import stand_at
from core.database import Database
from core.settings import Settings
from journeys.editing.editing import publish
from winback.context import Context
from winback.demo import generated, story
from winback.demo.plot import Plot, furniture_shop

ENDS_AT = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)


def open_shop(database: Database, settings: Settings, folder: Path, *, customers: int = 400) -> Plot:
    """Import a generated shop, enter what a marketer would, and publish the journey; the clock stands at its start."""
    plot = furniture_shop(ENDS_AT)
    context = Context(settings)
    context.__dict__["database"] = database
    files = generated.write_files(folder, customers=customers, as_of=plot.starts_at, progress=lambda _text: None)
    stage = story.Stage(context, plot, lambda _text: None, lambda _done, _total: None)
    story.import_all(stage, [(kind, path) for kind, path in files if kind not in ("campaigns", "redemptions")])
    story.set_up(stage)
    with database.writing() as session:
        stand_at(session.connection(), plot.starts_at)
        publish(session, plot.campaign, author="test", now=plot.starts_at)
    return plot


def last_day(plot: Plot) -> datetime:
    """An instant after the reminders and before the end."""
    return plot.starts_at + timedelta(days=16)
