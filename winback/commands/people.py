"""`winback customer show|why|export|forget ID`: one person's data, for the operator.

Owns the commands' words. `export` prints JSON alone on stdout; `forget` asks first, unless told --yes.
"""

import json
from typing import TYPE_CHECKING

import click

from campaigns.planning import campaign_by_key
from core.errors import Invalid
from customers.people import customer_facts, display_name, find_customer
from web.people.personal_data import STAYS, everything_held, forget
from web.people.why_not import why_not
from web.people.words import CHANNEL_WORDS
from web.wording.formatting import day, money

if TYPE_CHECKING:
    from winback.context import Context


@click.group()
def customer() -> None:
    """Show, export or forget one person."""


@customer.command()
@click.argument("number", metavar="ID")
@click.pass_obj
def show(context: "Context", number: str) -> None:
    """Print what is known about a customer in a few lines."""
    today = context.now().date()
    with context.database.reading() as session:
        facts = customer_facts(session, number)
        person = facts.customer
        click.echo(f"{display_name(person)}, customer {person.external_id}")
        for channel, address in sorted(facts.addresses.items()):
            parts = (address.value, f"{address.postal_code or ''} {address.city or ''}".strip(), address.country)
            click.echo(f"{CHANNEL_WORDS.get(channel, channel)}: {', '.join(part for part in parts if part)}")
        sums = ", ".join(money(cents, currency=currency, exact=True) for currency, cents in facts.revenue_cents.items())
        last = f", last on {day(facts.last_order_at, today=today)}" if facts.last_order_at else ""
        click.echo(f"Orders: {facts.order_count}{f', {sums}' if sums else ''}{last}")
        click.echo(f"Contacts: {facts.contact_count}")
        seen: set[str] = set()
        for consent in facts.consents:
            if consent.channel not in seen:
                seen.add(consent.channel)
                click.echo(f"Consent for {CHANNEL_WORDS.get(consent.channel, consent.channel).lower()}:"
                           f" {consent.state} on {day(consent.at, today=today)}")
        if person.forgotten_at is not None:
            click.echo(f"Forgotten on {day(person.forgotten_at, today=today)}")


@customer.command()
@click.argument("number", metavar="ID")
@click.argument("campaign", metavar="CAMPAIGN")
@click.pass_obj
def why(context: "Context", number: str, campaign: str) -> None:
    """Say why a customer did, or did not, get what a campaign sent."""
    now = context.now()
    with context.database.reading() as session:
        answer = why_not(session, find_customer(session, number), campaign_by_key(session, campaign), now=now,
                         zone=context.settings.zone)
    click.echo(" ".join(part for part in (answer.sentence, answer.more) if part))


@customer.command()
@click.argument("number", metavar="ID")
@click.pass_obj
def export(context: "Context", number: str) -> None:
    """Print everything held about a customer as JSON."""
    with context.database.reading() as session:
        held = everything_held(session, number)
    click.echo(json.dumps(held, ensure_ascii=False, indent=2, allow_nan=False))


def _agreed(question: str) -> bool:
    """Whether somebody said yes; where nobody can answer (a script, a closed terminal) nobody did."""
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        return False


@customer.command(name="forget")
@click.argument("number", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def forget_command(context: "Context", number: str, yes: bool) -> None:
    """Erase a customer's personal data for good."""
    if not yes:
        with context.database.reading() as session:
            find_customer(session, number)
        for what, words in STAYS:
            click.echo(f"{what}: {words}", err=True)
        if not _agreed(f"Forget customer {number} for good?"):
            raise Invalid("Nothing was erased. Answer y, or give --yes where nobody can answer.")
    now = context.now()
    with context.database.writing() as session:
        forget(session, number, settings=context.settings, now=now)
    click.echo(f"Customer {number} is forgotten.")
