"""Set-up and self-check from the shell: schema, logins, keys, doctor."""

import secrets

import click
from sqlalchemy import select

from core.clock import current_now, wall_now
from core.errors import Invalid
from core.models import Installation
from winback.context import Context
from winback.doctor import AREAS, examine
from winback.schema import name_installation, upgrade


@click.group()
def db() -> None:
    """The database's schema."""


@db.command("upgrade")
@click.option("--test-home", is_flag=True, help="Make a fresh database a test home, whose clock may be moved.")
@click.pass_obj
def db_upgrade(context: Context, test_home: bool) -> None:
    """Create the tables or bring them to the newest revision."""
    database = context.raw_database
    upgrade(database)
    with database.writing() as session:
        if test_home:
            name_installation(session, "test", now=wall_now())
        elif not _is_named(context):
            name_installation(session, "live", now=wall_now())
    click.echo("The database is ready.", err=True)


def _is_named(context: Context) -> bool:
    with context.raw_database.engine.connect() as connection:
        return connection.execute(select(Installation.id)).first() is not None


@click.group()
def user() -> None:
    """People with a login."""


@user.command("add")
@click.argument("email")
@click.option("--name", help="As shown on pages; default: the e-mail address.")
@click.option("--role", type=click.Choice(["admin", "marketer", "agent", "analyst"]), default="marketer",
              show_default=True)
@click.option("--password", help="At least 12 characters; default: a random one, printed once.")
@click.pass_obj
def user_add(context: Context, email: str, name: str | None, role: str, password: str | None) -> None:
    """Add a login. Prints the password once when none is given."""
    from web.security.logins import add_user

    chosen = password or secrets.token_urlsafe(12)
    with context.database.writing() as session:
        now = current_now(session.connection())
        add_user(session, email, password=chosen, name=name or email, role=role, now=now)
    click.echo(f"{email} may log in.", err=True)
    if password is None:
        click.echo(chosen)


@click.group()
def key() -> None:
    """Keys for programs that call the API."""


@key.command("add")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(["read", "write", "redemptions"]))
@click.option("--name", default="key", show_default=True, help="What it is for.")
@click.option("--shop", default=None, help="The label of the one shop it is for; it may redeem only. Default: all.")
@click.pass_obj
def key_add(context: Context, scopes: tuple[str, ...], name: str, shop: str | None) -> None:
    """Make a key and print it, once, alone on stdout."""
    from web.security.keys import issue_key

    with context.database.writing() as session:
        secret = issue_key(session, name, scopes=scopes, now=current_now(session.connection()), shop=shop)
    click.echo(secret)


@click.command()
@click.argument("area", required=False, type=click.Choice(sorted(AREAS)))
@click.pass_obj
def doctor(context: Context, area: str | None) -> None:
    """Check the installation; exit 1 when something is wrong."""
    findings = examine(context, areas=[area] if area else sorted(AREAS))
    wrong = 0
    for finding in findings:
        click.echo(f"{'ok   ' if finding.fine else 'WRONG'} {finding.area}: {finding.text}")
        wrong += not finding.fine
    if wrong:
        raise Invalid(f"{wrong} of {len(findings)} checks failed.")
