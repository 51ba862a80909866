"""`winback scores compute|list`: the numbers about people, for the operator.

Owns the commands' words. The daily duty computes by itself; the command is for the impatient and for an earlier day.
"""

from typing import TYPE_CHECKING

import click

from core.errors import Invalid
from core.types import from_us
from customers.importing.moments import parse_moment
from customers.scores.keeping import known_scores
from customers.scores.rfm import run

if TYPE_CHECKING:
    from winback.context import Context

PEOPLE_AT_ONCE = 5000
"""Per transaction; on SQLite this is how long others wait."""


@click.group()
def scores() -> None:
    """Compute and list the numbers about people."""


@scores.command()
@click.option("--as-of", "as_of", metavar="DATE", default=None, help="As things stood on that day. Default: now.")
@click.pass_obj
def compute(context: "Context", as_of: str | None) -> None:
    """Compute recency, frequency, monetary and rfm of everybody with an order."""
    now = context.now()
    at = from_us(parse_moment(as_of)) if as_of else now
    if at > now:
        raise Invalid("That day has not come yet.", place="--as-of")
    changed = run(context.database, now=at, limit=PEOPLE_AT_ONCE)
    click.echo(f"{changed:,} {'person' if changed == 1 else 'people'} with new scores")


@scores.command(name="list")
@click.pass_obj
def list_names(context: "Context") -> None:
    """List the scores that exist, since when, and who tells them."""
    with context.database.reading() as session:
        known = known_scores(session)
    for each in known.values():
        click.echo(f"{each.name}: since {each.first_at:%Y-%m-%d}, last on {each.computed_at:%Y-%m-%d},"
                   f" {'told by the shop' if each.told else 'computed here'}")
