"""Journeys and campaigns as files: check one, say what it would do, publish one, write one."""

import json
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import save_campaign
from campaigns.problems import InvalidPlan, Problem, insist
from core.clock import current_now
from core.errors import Invalid
from journeys.editing.bundling import Bundle, bring, bundle_problems, export, is_bundle, read_bundle, written
from journeys.editing.checking_draft import check_draft
from journeys.editing.editing import publish, publish_problems, running_as_drafted, save_draft
from journeys.editing.file_text import Written, is_yaml, read_text
from journeys.forecasting.asking import Wish, wish_problems
from journeys.forecasting.playing import USUAL_DAYS, Drafted
from journeys.forecasting.telling import told
from segments.engines.questions import UNATTENDED_SECONDS, Questions
from segments.language.rules import parse_rule
from winback.context import Context

FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
KEY = click.option("--key", help="The journey's key; default: made from its name.")
CAMPAIGN = click.option("--campaign", "campaign_key", help="The campaign it belongs to; default: one of the same key.")
LARGEST_BYTES = 4 * 1024 * 1024


@click.group()
def journey() -> None:
    """Journeys as files, in JSON or YAML."""


@journey.command("check")
@FILE
@KEY
@CAMPAIGN
@click.pass_obj
def check(context: Context, file: Path, key: str | None, campaign_key: str | None) -> None:
    """List every problem that publishing would find; exit 1 when there is one. Nothing is kept."""
    read = _read(file)
    with _placed(read):
        if is_bundle(read.value):
            problems = _bundle_problems(context, _bundle_for(read.value, key, campaign_key))
        else:
            problems = _graph_problems(context, read.value, _key_for(read.value, file, key), campaign_key)
    for problem in problems:
        click.echo(f"{_where(read, problem.place)}: {problem.message} {problem.fix}".rstrip())
    if problems:
        raise Invalid(f"{file.name} has {len(problems)} problems." if len(problems) > 1 else
                      f"{file.name} has one problem.")
    click.echo(f"{file.name} can be published.")


@journey.command("publish")
@FILE
@KEY
@CAMPAIGN
@click.pass_obj
def publish_file(context: Context, file: Path, key: str | None, campaign_key: str | None) -> None:
    """Check a journey, freeze it as the next version and let it run. A campaign's file brings all that it names."""
    read = _read(file)
    graph = read.value
    if is_bundle(graph):
        bundle = _bundle_for(graph, key, campaign_key)
        with _placed(read), context.database.writing() as session:
            now = current_now(session.connection())
            made = bring(session, bundle, author="shell", now=now)
            done = _publish(session, made.key, now)
        click.echo(done)
        return
    chosen = _key_for(graph, file, key)
    with _placed(read), context.database.writing() as session:
        now = current_now(session.connection())
        _lay_down(session, graph, chosen, campaign_key, now)
        done = _publish(session, chosen, now)
    click.echo(done)


def _lay_down(session: Session, graph: dict[str, Any], key: str, campaign_key: str | None, now: datetime) -> None:
    """Save the draft, in a campaign of its own unless there is one."""
    belongs_to = campaign_key or key
    campaign = session.execute(select(Campaign).where(Campaign.key == belongs_to)).scalar_one_or_none()
    if campaign is None:
        if campaign_key is not None:
            raise Invalid(f"There is no campaign called {campaign_key}.", place="--campaign")
        try:
            campaign = save_campaign(session, belongs_to, fields=_campaign_fields(graph, key), now=now)
        except InvalidPlan as error:  # named as in the file
            raise InvalidPlan([replace(each, place=_IN_GRAPH.get(each.place, each.place))
                               for each in error.problems]) from None
    save_draft(session, key, graph, campaign_id=campaign.id, now=now)


def _publish(session: Session, key: str, now: datetime) -> str:
    """Publish what differs from the newest version; returns the sentence that says what was done."""
    runs = running_as_drafted(session, key)
    if runs is not None:
        return f"Nothing differs: {key} stays in version {runs.number}."
    return f"{key} runs in version {publish(session, key, author='shell', now=now).number}."


@journey.command("forecast")
@FILE
@KEY
@CAMPAIGN
@click.option("--days", default=USUAL_DAYS, show_default=True, help="Days to look ahead.")
@click.option("--redemption-rate", type=float, help="Share of those a code reaches, 0 to 1; default: from history.")
@click.option("--order-rate", type=float, help="Share that orders by itself in these days; default: from history.")
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
@click.pass_obj
def forecast_file(
    context: Context, file: Path, key: str | None, campaign_key: str | None, days: int,
    redemption_rate: float | None, order_rate: float | None, as_json: bool,
) -> None:
    """Play a journey through with the people it would reach, and say what would happen. Nothing is kept or sent."""
    from reporting.forecasting import forecast
    from winback.forecaster import surroundings

    read = _read(file)
    graph = read.value
    wish = Wish(days, redemption_rate, order_rate)
    insist(wish_problems(wish))
    if is_bundle(graph):
        drafted = _drafted(_bundle_for(graph, key, campaign_key), context.now())
    else:
        chosen = _key_for(graph, file, key)
        drafted = Drafted(campaign_key or chosen, chosen, graph, _campaign_fields(graph, chosen))
    with _placed(read), closing(Questions(context.database, context.settings,
                                          seconds=UNATTENDED_SECONDS)) as questions:
        found = forecast(surroundings(context, questions), drafted.campaign, wish, now=context.now(), drafted=drafted)
    for line in ([json.dumps(found)] if as_json else told(found)):
        click.echo(line)


@journey.command("forecasts")
@click.pass_obj
def answer_forecasts(context: Context) -> None:
    """Work out every forecast that was asked for on a page or over the API, then end. The worker calls this."""
    from winback.forecaster import answer_all

    # Asked to end, it ends as by an error: the scratch world is removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    click.echo(f"{answer_all(context)} forecasts were worked out.", err=True)


@journey.command("export")
@click.argument("campaign")
@click.option("--to", "target", type=click.Path(dir_okay=False, path_type=Path), help="A file; default: stdout.")
@click.option("--format", "form", type=click.Choice(["json", "yaml"]),
              help="Default: as the file is called, else JSON.")
@click.pass_obj
def export_file(context: Context, campaign: str, target: Path | None, form: str | None) -> None:
    """Write a campaign with its journey, segments, offers and contents as a file."""
    as_yaml = form == "yaml" if form is not None else target is not None and is_yaml(target.name)
    with context.database.reading() as session:
        text = written(export(session, campaign), as_yaml=as_yaml)
    if target is None:
        click.echo(text, nl=False)
    else:
        target.write_text(text, encoding="utf-8")
        click.echo(f"{campaign} stands in {target}.", err=True)


def _graph_problems(context: Context, graph: dict[str, Any], key: str, campaign_key: str | None) -> list[Problem]:
    with context.database.reading() as session:
        found = check_draft(session, graph)
    if found:
        return found
    with context.database.writing() as session, session.begin_nested() as trial:
        now = current_now(session.connection())
        try:
            _lay_down(session, graph, key, campaign_key, now)
            return publish_problems(session, key, graph, now=now)
        except InvalidPlan as error:
            return list(error.problems)
        finally:
            trial.rollback()


def _bundle_problems(context: Context, bundle: Bundle) -> list[Problem]:
    with context.database.writing() as session:
        return bundle_problems(session, bundle, now=current_now(session.connection()))


def _bundle_for(value: dict[str, Any], key: str | None, campaign_key: str | None) -> Bundle:
    if key is not None:
        raise Invalid("A campaign's file names its own key. Use --campaign to bring it under another one.",
                      place="--key")
    bundle = read_bundle(value)
    return bundle if campaign_key is None else replace(bundle, key=campaign_key)


def _drafted(bundle: Bundle, now: datetime) -> Drafted:
    entry = bundle.graph.get("entry")
    named = bundle.segments.get(str(entry.get("segment"))) if isinstance(entry, dict) else None
    return Drafted(bundle.key, bundle.key, bundle.graph, bundle.plan, lambda session: bring(session, bundle, now=now),
                   parse_rule(named["rule"]) if named is not None and "rule" in named else None)


_IN_GRAPH = {"starts_at": "window.from", "ends_at": "window.until", "segment": "entry.segment"}
"""What a campaign made for a journey has from it, and where it stands there."""


def _campaign_fields(graph: dict[str, Any], key: str) -> dict[str, Any]:
    window = graph.get("window") if isinstance(graph.get("window"), dict) else {}
    entry = graph.get("entry") if isinstance(graph.get("entry"), dict) else {}
    assert isinstance(window, dict) and isinstance(entry, dict)
    fields: dict[str, Any] = {"name": graph.get("name") or key}
    fields |= {"starts_at": window["from"]} if window.get("from") else {}
    fields |= {"ends_at": window["until"]} if window.get("until") else {}
    fields |= {"segment": entry["segment"]} if isinstance(entry.get("segment"), str) else {}
    if isinstance(graph.get("holdout_percent"), int | float):
        fields["holdout_percent"] = graph["holdout_percent"]
    return fields


def _where(read: Written, place: str) -> str:
    """A place of the journey or of the file, with its line."""
    inside = is_bundle(read.value) and place.partition(".")[0].partition("[")[0] not in read.value
    line = read.line_of(f"journey.{place}" if inside else place)
    return place if line is None else f"line {line}, {place}"


@contextmanager
def _placed(read: Written) -> Iterator[None]:
    """What a file is refused for, with the line of its place."""
    try:
        yield
    except InvalidPlan as error:
        raise InvalidPlan([replace(each, place=_where(read, each.place)) for each in error.problems]) from None
    except Invalid as error:
        if error.place is None:
            raise
        raise Invalid(error.message, place=_where(read, error.place)) from None


def _read(file: Path) -> Written:
    if file.stat().st_size > LARGEST_BYTES:
        raise Invalid(f"{file} is larger than {LARGEST_BYTES // 1024 // 1024} MB.")
    try:
        read = read_text(file.read_text(encoding="utf-8"), as_yaml=is_yaml(file.name))
    except UnicodeDecodeError:
        raise Invalid(f"{file} is not UTF-8 text.") from None
    except Invalid as error:
        raise Invalid(f"{file}, {error.message}") from None
    if not isinstance(read.value, dict):
        raise Invalid(f"{file} does not hold an object with entry, start and steps.")
    return read


def _key_for(graph: dict[str, Any], file: Path, key: str | None) -> str:
    if key is not None:
        return key
    slug = re.sub(r"[^a-z0-9]+", "-", str(graph.get("name") or file.stem).lower()).strip("-")[:100]
    if not slug:
        raise Invalid("No key can be made from the journey's name. Give one.", place="--key")
    return slug
