"""Journeys from files: check one, publish one."""

import json
import re
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from campaigns.models import Campaign
from campaigns.planning import save_campaign
from core.clock import current_now
from core.errors import Invalid
from journeys.checking_draft import check_draft
from journeys.editing import publish, save_draft
from winback.context import Context

FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
LARGEST_BYTES = 4 * 1024 * 1024


@click.group()
def journey() -> None:
    """Journeys as JSON files."""


@journey.command("check")
@FILE
@click.pass_obj
def check(context: Context, file: Path) -> None:
    """List every problem of a journey; exit 1 when there is one."""
    graph = _read(file)
    with context.database.reading() as session:
        problems = check_draft(session, graph)
    for problem in problems:
        click.echo(f"{problem.place}: {problem.message} {problem.fix}".rstrip())
    if problems:
        raise Invalid(f"{file.name} has {len(problems)} problems." if len(problems) > 1 else
                      f"{file.name} has one problem.")
    click.echo(f"{file.name} can be published.")


@journey.command("publish")
@FILE
@click.option("--key", help="The journey's key; default: made from its name.")
@click.option("--campaign", "campaign_key", help="The campaign it belongs to; default: one of the same key.")
@click.pass_obj
def publish_file(context: Context, file: Path, key: str | None, campaign_key: str | None) -> None:
    """Check a journey, freeze it as the next version and let it run."""
    graph = _read(file)
    chosen = key or _slug(str(graph.get("name") or file.stem))
    with context.database.writing() as session:
        now = current_now(session.connection())
        belongs_to = campaign_key or chosen
        campaign = session.execute(select(Campaign).where(Campaign.key == belongs_to)).scalar_one_or_none()
        if campaign is None:
            if campaign_key is not None:
                raise Invalid(f"There is no campaign called {campaign_key}.", place="--campaign")
            campaign = save_campaign(session, belongs_to, fields=_campaign_fields(graph, chosen), now=now)
        save_draft(session, chosen, graph, campaign_id=campaign.id, now=now)
        version = publish(session, chosen, author="shell", now=now)
    click.echo(f"{chosen} runs in version {version.number}.")


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


def _read(file: Path) -> dict[str, Any]:
    if file.stat().st_size > LARGEST_BYTES:
        raise Invalid(f"{file} is larger than {LARGEST_BYTES // 1024 // 1024} MB.")
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise Invalid(f"{file} is not UTF-8 text.") from None
    except json.JSONDecodeError as error:
        raise Invalid(f"{file}, line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except RecursionError:
        raise Invalid(f"{file} is nested too deeply.") from None
    if not isinstance(value, dict):
        raise Invalid(f"{file} does not hold a JSON object with entry, start and steps.")
    return value


def _slug(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:100]
    if not slug:
        raise Invalid("No key can be made from the journey's name. Give one.", place="--key")
    return slug
