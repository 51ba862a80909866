"""The whole story on real purchase history: set up, play, report, serve."""

import hashlib
import hmac
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import select

from core.clock import wall_now
from core.codes import grouped
from core.errors import Invalid
from winback.commands.serving import HOST, PORT, own_address, supervise
from winback.context import Context
from winback.demo import journeydata, story
from winback.demo.plot import Plot, complete_journey, furniture_shop
from winback.schema import upgrade

LOGIN = "demo@example.com"


@click.command()
@click.option("--data", type=click.Choice(["completejourney", "generated"]), default="completejourney",
              show_default=True)
@click.option("--customers", type=click.IntRange(200, 5_000_000), help="How many, for generated data; default 20000.")
@click.option("--serve/--no-serve", default=True, help="Serve the web builder at the end.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the numbers here.")
@HOST
@PORT
@click.pass_obj
def demo(context: Context, data: str, customers: int | None, serve: bool, json_path: Path | None, host: str,
         port: int) -> None:
    """Load purchase history, find the lapsed, write to them for 30 simulated days, report, serve."""
    if customers is not None and data != "generated":
        raise Invalid("Only generated data has a size to choose.", place="--customers")
    if json_path is not None and not json_path.resolve().parent.is_dir():
        raise Invalid(f"The folder of {json_path} does not exist.", place="--json")
    upgrade(context.raw_database)
    size = (customers or _stored_size(context) or 20_000) if data == "generated" else None
    story.open_home(context, data, customers=size)
    plot = _plot(context, data)
    if story.is_done(context, "second"):
        click.echo("The demo was already played in this home: nothing was done again.", err=True)
    else:
        _play(context, plot, size)
    _answer(context, plot, json_path)
    if serve:
        _serve(context, plot, host, port)


def _plot(context: Context, data: str) -> Plot:
    if data == "completejourney":
        return complete_journey()
    ends_on = story.mark_of(context, "ends")
    if not ends_on:
        ends_on = int(wall_now().replace(minute=0, second=0, microsecond=0).timestamp())
        story.leave_mark(context, "ends", ends_on)
    return furniture_shop(datetime.fromtimestamp(ends_on, UTC))


def _stored_size(context: Context) -> int:
    return max(story.mark_of(context, "data:generated") - 1, 0)


def _play(context: Context, plot: Plot, size: int | None) -> None:
    columns = (TextColumn("{task.description:<32}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
               TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars: list[int] = []

        def say(text: str) -> None:
            bars.append(progress.add_task(text, total=None))
            if len(bars) > 1:
                progress.update(bars[-2], total=1, completed=1)  # type: ignore[arg-type]

        def step(done: int, total: int) -> None:
            progress.update(bars[-1], completed=done, total=max(total, 1))  # type: ignore[arg-type]

        stage = story.Stage(context, plot, say, step)
        if not story.is_done(context, "set_up"):
            story.import_all(stage, _files(context, plot, size, say))
            say("Segment, offers, contents, journey")
            story.set_up(stage)
        say("Thirty days")
        story.play(stage)
        if bars:
            progress.update(bars[-1], total=1, completed=1)  # type: ignore[arg-type]


def _files(context: Context, plot: Plot, size: int | None, say: Callable[[str], None]) -> list[tuple[str, Path]]:
    folder = context.settings.home / "demo"
    if size is None:
        return journeydata.write_files(folder, progress=say)
    from winback.demo import generated

    return generated.write_files(folder, customers=size, as_of=plot.starts_at, progress=say)


def _answer(context: Context, plot: Plot, json_path: Path | None) -> None:
    from reporting.exporting import text_report
    from reporting.reports import campaign_report
    from winback.demo.output import numbers

    now = plot.ends_at + timedelta(microseconds=1)
    with context.database.reading() as session:
        click.echo(text_report(campaign_report(session, plot.campaign, now=now)))
        found = numbers(session, plot, now=now)
    click.echo(f"Segment {plot.segment}: {found['segment']['size']} people. {found['codes']['live']} codes are live.",
               err=True)
    if json_path is not None:
        json_path.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _serve(context: Context, plot: Plot, host: str, port: int) -> None:
    from web.models import User
    from web.security.logins import add_user
    from winback.demo.example_shop import code_to_try, example_shop

    # Derived from this home's own secret, so that a second run can print it again and no two homes share it.
    password = hmac.new(context.settings.secret_key.encode(), b"demo login", hashlib.sha256).hexdigest()[:16]
    with context.database.writing() as session:
        if session.execute(select(User.id).where(User.email == LOGIN)).first() is None:
            add_user(session, LOGIN, name="Demo", password=password, role="admin", now=wall_now())
    click.echo(f"\nThe web builder: http://{host}:{port}\nLog in as {LOGIN} with the password {password}\n"
               "End it with Ctrl-C.")
    os.environ.update(own_address(os.environ, host, port))
    shop = example_shop(context, plot, winback_url=f"http://{host}:{port}")
    if shop is not None:
        live = code_to_try(context)
        hint = f" Try the code {grouped(live[0])} as customer {live[1]}." if live else ""
        click.echo(f"The example shop: {shop[1]}{hint}")
    supervise([["web", "--host", host, "--port", str(port)], ["worker"]], [shop[0]] if shop else [])
