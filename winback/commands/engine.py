"""Which engine answers big questions, and are its facts at hand?

`winback engine show` says who answers and how fresh the facts are; `winback engine export` writes the facts as Parquet
files for Spark or a warehouse. The worker exports by itself when WINBACK_ENGINE_URL names Spark.
"""

import json
from contextlib import closing
from pathlib import Path

import click

from core.errors import Conflict
from segments.engines.exporting import export_facts, newest_export, spark_address
from segments.engines.questions import Questions
from winback.context import Context


@click.group()
def engine() -> None:
    """The engine that answers big questions."""


def _folder(context: Context, given: Path | None) -> Path:
    if given is not None:
        return given.resolve()
    url = context.settings.engine_url
    home = context.settings.home
    return spark_address(url, home).folder if url.startswith("spark:") else home / "facts"


@engine.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False),
              help="Where to; default: facts= of WINBACK_ENGINE_URL, else facts/ in the home.")
@click.pass_obj
def export(context: Context, folder: Path | None) -> None:
    """Write the facts as Parquet files and print the new folder."""
    place = _folder(context, folder)
    exported = export_facts(context.database, place, now=context.now())
    if exported is None:
        raise Conflict("Another process is exporting the facts. Try again when it has finished.")
    click.echo(f"{sum(exported.rows.values())} rows of {len(exported.rows)} tables.", err=True)
    click.echo(place / exported.folder)


@engine.command()
@click.pass_obj
def show(context: Context) -> None:
    """Print as JSON who answers for a base of this size and how fresh the facts are."""
    with closing(Questions(context.database, context.settings)) as questions:
        who = questions.engine()
        fresh = {"rows": None, "mirror": questions.mirror.as_of}.get(who)
    if who == "spark":
        found = newest_export(_folder(context, None))
        fresh = found.at if found else None
    click.echo(json.dumps({"engine": who, "facts_at": fresh.isoformat() if fresh else None}))
