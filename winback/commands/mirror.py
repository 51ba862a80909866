"""The column mirror from the shell: look at it, bring it up to now, build it anew, read it through."""

from contextlib import closing
from datetime import datetime

import click

from core.errors import Conflict
from core.mirror import How, Manifest, Mirror
from segments.engines.mirrored import open_mirror
from winback.context import Context

WAIT_SECONDS = 600.0


@click.group()
def mirror() -> None:
    """The copy of the facts that answers big questions; disposable."""


@mirror.command()
@click.pass_obj
def status(context: Context) -> None:
    """Say which generation counts, how fresh and how large it is."""
    with closing(open_mirror(context.settings.home, context.database)) as opened:
        _tell(opened.manifest(), context.now())


@mirror.command()
@click.pass_obj
def refresh(context: Context) -> None:
    """Bring the mirror up to now; build it if there is none."""
    _refreshed(context, "changes")


@mirror.command()
@click.pass_obj
def sort(context: Context) -> None:
    """Bring it up to now and put all its rows in order again, as every night."""
    _refreshed(context, "sorted")


@mirror.command()
@click.pass_obj
def rebuild(context: Context) -> None:
    """Build it anew from the database. Questions are answered from the old one meanwhile."""
    _refreshed(context, "anew")


@mirror.command()
@click.pass_obj
def check(context: Context) -> None:
    """Read every block of it; exit 1 when it is damaged, and it is built anew at the next refresh."""
    with closing(open_mirror(context.settings.home, context.database)) as opened:
        _tell(opened.check(), context.now())


def _refreshed(context: Context, how: How) -> None:
    now = context.now()
    with closing(open_mirror(context.settings.home, context.database)) as opened:
        _run(opened, now, how)
        _tell(opened.manifest(), now)


def _run(opened: Mirror, now: datetime, how: How) -> None:
    if not opened.refresh(now=now, how=how, wait_seconds=WAIT_SECONDS):
        raise Conflict("Another process has been refreshing the mirror for ten minutes. Try again later.")


def _tell(manifest: Manifest | None, now: datetime) -> None:
    if manifest is None:
        click.echo("There is no mirror yet. Build it: winback mirror refresh")
        return
    age = (now - manifest.at).total_seconds()
    click.echo(f"{manifest.file}: {manifest.size_bytes / 1e6:,.1f} MB, facts as of {manifest.at:%Y-%m-%d %H:%M:%S} UTC"
               f" ({age:,.0f} s ago)")
    click.echo(f"{manifest.changed:,} keys changed since the rows were put in order at"
               f" {datetime.fromisoformat(manifest.sorted_at):%Y-%m-%d %H:%M:%S} UTC;"
               f" the last refresh took {manifest.took_seconds:.1f} s")
    for name, rows in manifest.rows.items():
        click.echo(f"{name}: {rows:,} rows")
