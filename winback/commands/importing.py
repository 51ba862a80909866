"""`winback import KIND FILE`: facts from the shop's files.

Owns the command's words: a progress bar and notes on stderr, one summary line on stdout. Rejected lines are no
failure (exit 0); a file of which nothing could be read is one (exit 1).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from campaigns.importing import KIND as CAMPAIGNS
from core.errors import WinbackError
from coupons.codes.importing import KIND as REDEMPTIONS
from customers.importing import KINDS, ImportResult, Kind, import_file

if TYPE_CHECKING:
    from winback.context import Context

ALL_KINDS: dict[str, Kind] = {**KINDS, CAMPAIGNS.name: CAMPAIGNS, REDEMPTIONS.name: REDEMPTIONS}


def _mapping(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for value in values:
        theirs, equals, ours = value.rpartition("=")
        if not equals or not theirs.strip() or not ours.strip():
            raise click.BadParameter(f"{value!r} is not of the form theirs=ours.")
        if theirs.strip() in mapping:
            raise click.BadParameter(f"{theirs.strip()!r} is mapped twice.")
        mapping[theirs.strip()] = ours.strip()
    return mapping


def summary(result: ImportResult) -> str:
    """The one line that says what happened."""
    lines = "line" if result.read == 1 else "lines"
    doing = "would be imported" if result.dry_run else "imported"
    text = (f"{result.kind}: {result.read:,} {lines} read, {result.imported:,} {doing}, {result.rejected:,} rejected")
    return f"{text} (see {result.rejected_path})" if result.rejected_path else text


@click.command("import")
@click.argument("kind", type=click.Choice(list(ALL_KINDS)))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--map", "mapping", multiple=True, metavar="THEIRS=OURS", callback=_mapping,
              help="The file's column THEIRS is our column OURS. May be repeated.")
@click.option("--dry-run", is_flag=True, help="Check the file and count, but store nothing.")
@click.option("--rejected", "rejected_path", type=click.Path(path_type=Path, dir_okay=False), default=None,
              help="Where rejected lines go. Default: FILE's name with .rejected.csv, beside it.")
@click.pass_context
def import_command(
    context: click.Context, kind: str, file: Path, mapping: dict[str, str], dry_run: bool, rejected_path: Path | None
) -> None:
    """Import a CSV or Parquet FILE of one KIND of facts."""
    held: Context = context.obj
    console = Console(stderr=True)
    try:
        result = _with_bar(held, console, ALL_KINDS[kind], file, mapping, dry_run, rejected_path)
    except WinbackError as error:
        click.echo(f"{file.name}: {error}", err=True)
        sys.exit(1)
    for note in result.notes:
        click.echo(note, err=True)
    for line, reason in result.first_rejects:
        click.echo(f"line {line:,}: {reason}", err=True)
    if result.rejected > len(result.first_rejects):
        click.echo(f"and {result.rejected - len(result.first_rejects):,} more", err=True)
    click.echo(summary(result))
    if result.read and not result.imported:
        sys.exit(1)


def _with_bar(
    held: "Context", console: Console, kind: Kind, file: Path, mapping: dict[str, str], dry_run: bool,
    rejected_path: Path | None,
) -> ImportResult:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"Importing {kind.name}", total=None)
        return import_file(
            held.database, kind, file, mapping=mapping, dry_run=dry_run, now=held.now(), rejected_path=rejected_path,
            secret_key=held.settings.secret_key,
            progress=lambda done, total: bar.update(task, completed=done, total=total))
