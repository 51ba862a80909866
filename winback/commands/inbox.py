"""The shops' inbox from the shell: what came, and doing it again."""

import json

import click

from core.errors import Invalid
from winback.context import Context


@click.group()
def inbox() -> None:
    """What connected shops sent."""


@inbox.command("list")
@click.option("--state", type=click.Choice(["received", "done", "failed", "ignored"]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.pass_obj
def list_inbox(context: Context, state: str | None, limit: int) -> None:
    """List deliveries, newest first, one JSON object a line."""
    from web.shops.inbox import list_deliveries

    with context.database.reading() as session:
        rows, _following = list_deliveries(session, state=state, limit=limit)
    for row in rows:
        click.echo(json.dumps({
            "id": row.id, "shop": row.shop, "topic": row.topic, "order_id": row.order_ref, "state": row.state,
            "note": row.note, "flags": row.flags.split(), "received_at": row.received_at.isoformat()}))


@inbox.command("replay")
@click.argument("number", type=click.IntRange(1, 2**62), required=False)
@click.option("--failed", is_flag=True, help="All that failed.")
@click.pass_obj
def replay_inbox(context: Context, number: int | None, failed: bool) -> None:
    """Let the worker do one delivery again, or all failed ones."""
    from web.shops.inbox import replay, replay_failed

    if (number is None) == (not failed):
        raise Invalid("Name one delivery by its number, or say --failed.")
    now = context.now()
    with context.database.writing() as session:
        if number is not None:
            replay(session, number, now=now)
        count = 1 if number is not None else replay_failed(session, now=now)
    click.echo(f"{count} to be worked through again.", err=True)
