"""What came of a campaign, and what does any table of an experiment say, from the shell?

`winback report` prints one campaign's report; `winback analyse` compares the arms of a CSV or Parquet table. With
`--json` the JSON stands alone on stdout.
"""

import json
from pathlib import Path

import click

from winback.context import Context


@click.command()
@click.argument("campaign")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--csv", "csv_path", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the arms to this CSV file; - writes to stdout.")
@click.pass_obj
def report(context: Context, campaign: str, as_json: bool, csv_path: Path | None) -> None:
    """Print the report of CAMPAIGN (its key)."""
    if as_json and csv_path is not None:
        raise click.UsageError("Choose --json or --csv.")
    from reporting.exporting import csv_report, text_report
    from reporting.reports import campaign_report

    now = context.now()
    with context.database.reading() as session:
        found = campaign_report(session, campaign, now=now)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1, ensure_ascii=False, allow_nan=False))
    elif csv_path is None:
        click.echo(text_report(found))
    elif str(csv_path) == "-":
        click.echo(csv_report(found), nl=False)
    else:
        csv_path.write_text(csv_report(found), encoding="utf-8", newline="")
        click.echo(f"Written to {csv_path}.", err=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--arm", required=True, help="The column that names each person's arm.")
@click.option("--control", required=True, help="The arm that the others are compared with.")
@click.option("--rate", "rates", multiple=True, help="A column of 0 and 1; may be repeated.")
@click.option("--mean", "means", multiple=True, help="A column of amounts; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the analysis as JSON.")
def analyse(file: Path, arm: str, control: str, rates: tuple[str, ...], means: tuple[str, ...],
            as_json: bool) -> None:
    """Compare the arms of any CSV or Parquet table with one row per person."""
    from reporting.analysing import analyse as analyse_table

    if not rates and not means:
        raise click.UsageError("Name at least one column to compare, with --rate (0 or 1) or --mean (amounts).")
    found = analyse_table(file, arm=arm, control=control, rates=rates, means=means)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        click.echo(found.to_text())
