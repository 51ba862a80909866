"""Whom does a rule or a saved segment hold for, and what does it say?

`winback segment count|list|explain`: a bare number, the customers' own numbers one per line, or the sentence; nothing
is changed. `refresh` brings a segment's members up to now, `freeze` keeps its people as a snapshot. The engine chooses
itself; `--engine` is for comparing.
"""

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

import click
from sqlalchemy import bindparam, select

from core.errors import Conflict, Invalid
from segments.compiling.facts import CUSTOMERS
from segments.dialects.portable import InLongList, NumberList
from segments.engines.questions import UNATTENDED_SECONDS, Engine, Questions
from segments.language.rules import Rule, parse_rule
from segments.membership.refreshing import refresh as refresh_members
from segments.membership.snapshots import freeze as freeze_people
from segments.saving.saved import resolved, segment_rule
from segments.telling.words import sentence
from winback.context import Context

PAGE = 10_000


@click.group()
def segment() -> None:
    """Count, list and explain audiences, refresh and freeze them."""


def _choice(command: Any) -> Any:
    """The options that every segment command takes."""
    for option in (
        click.option("--rule", "rule_file", type=click.File("rb"), help="A JSON file with a rule; - reads stdin."),
        click.option("--name", help="The key of a saved segment."),
        click.option("--as-of", "as_of", help="See things as they stood then: 2026-01-31 or a time with offset."),
    ):
        command = option(command)
    return command


_engine = click.option("--engine", type=click.Choice(["rows", "mirror", "spark"]),
                       help="Force the engine; for comparing.")


@segment.command()
@_choice
@_engine
@click.pass_obj
def count(context: Context, rule_file: IO[bytes] | None, name: str | None, as_of: str | None,
          engine: str | None) -> None:
    """Print how many people the rule holds for."""
    rule = _rule(context, rule_file, name)
    now = context.now()
    questions = _questions(context, engine)
    with closing(questions):
        click.echo(questions.count(rule, as_of=_instant(as_of, now), now=now).value)


@segment.command(name="list")
@_choice
@_engine
@click.pass_obj
def list_command(context: Context, rule_file: IO[bytes] | None, name: str | None, as_of: str | None,
                 engine: str | None) -> None:
    """Print the customer number of everybody the rule holds for, one per line."""
    rule = _rule(context, rule_file, name)
    now = context.now()
    questions = _questions(context, engine)
    with closing(questions):
        ids = questions.ids(rule, as_of=_instant(as_of, now), now=now).value
    with context.database.reading() as session:
        for start in range(0, len(ids), PAGE):
            page = bindparam(None, ids[start:start + PAGE], type_=NumberList(), unique=True)
            numbers = select(CUSTOMERS.c.external_id).where(InLongList(CUSTOMERS.c.id, page)).order_by(CUSTOMERS.c.id)
            click.echo("\n".join(session.scalars(numbers)))


@segment.command()
@_choice
@click.option("--language", type=click.Choice(["en", "de"]), default="en", show_default=True)
@click.pass_obj
def explain(context: Context, rule_file: IO[bytes] | None, name: str | None, as_of: str | None,
            language: str) -> None:
    """Print the rule as a sentence."""
    rule = _rule(context, rule_file, name)
    _instant(as_of, context.now())
    with context.database.reading() as session:
        # Nested segments must exist and must not hold each other, even where only their name is said.
        resolved(session.connection(), rule)
    click.echo(sentence(rule, language=language))


def _questions(context: Context, engine: str | None) -> Questions:
    return Questions(context.database, context.settings, engine=cast(Engine | None, engine), seconds=UNATTENDED_SECONDS)


def _rule(context: Context, rule_file: IO[bytes] | None, name: str | None) -> Rule:
    if (rule_file is None) == (name is None):
        raise click.UsageError("Give either --rule FILE or --name NAME.")
    if rule_file is None:
        with context.database.reading() as session:
            return segment_rule(session, name or "")
    place = Path(str(getattr(rule_file, "name", "-"))).name
    try:
        value = json.loads(rule_file.read().decode("utf-8-sig"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise Invalid("the file is not UTF-8", place=place) from error
    except RecursionError as error:
        raise Invalid("the rule is nested too deeply", place=place) from error
    except ValueError as error:
        raise Invalid(f"not JSON: {error}", place=place) from error
    return parse_rule(value)


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _instant(text: str | None, now: datetime) -> datetime:
    if text is None:
        return now
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f'"{text}" is no date. Use 2026-01-31 or 2026-01-31T08:00:00+01:00', place="--as-of") from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@segment.command()
@click.option("--name", required=True, help="The key of a saved segment.")
@click.pass_obj
def refresh(context: Context, name: str) -> None:
    """Work the members out now; print how many are in. Who came and left is told on stderr."""
    questions = _questions(context, None)
    with closing(questions):
        found = refresh_members(context.database, questions, name, now=context.now())
    if found is None:
        raise Conflict(f'The segment "{name}" is being refreshed at this moment. Try again shortly.')
    click.echo(found.members)
    click.echo(f"{found.entered} came in, {found.left} left.", err=True)


@segment.command()
@_choice
@click.pass_obj
def freeze(context: Context, rule_file: IO[bytes] | None, name: str | None, as_of: str | None) -> None:
    """Freeze the people of now as a snapshot; print its key."""
    if as_of is not None:
        raise click.UsageError("A snapshot is taken now; leave --as-of out.")
    rule, now = _rule(context, rule_file, name), context.now()
    questions = _questions(context, None)
    with closing(questions):
        answer = questions.ids(rule, as_of=now, now=now)
    with context.database.writing() as session:
        made = freeze_people(session, name or rule, now=now, members=answer.value, engine=answer.engine)
        click.echo(made.key)
    click.echo(f"{len(answer.value)} people.", err=True)
