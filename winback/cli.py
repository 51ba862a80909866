"""The shell door: `winback` and its commands.

Answers go to stdout, progress and messages to stderr. Exit 0 means done, 1 refused or failed with one clear sentence,
2 wrong use. Commands parse, open a transaction, call a verb and print; nothing is decided here.
"""

import importlib
import sys

import click
from sqlalchemy.exc import OperationalError

from core.errors import WinbackError
from winback.context import open_context

COMMANDS = {
    "analyse": ("winback.commands.reports", "analyse"),
    "codes": ("winback.commands.codes", "codes"),
    "customer": ("winback.commands.people", "customer"),
    "db": ("winback.commands.system", "db"),
    "demo": ("winback.commands.demo", "demo"),
    "doctor": ("winback.commands.system", "doctor"),
    "engine": ("winback.commands.engine", "engine"),
    "import": ("winback.commands.importing", "import_command"),
    "inbox": ("winback.commands.inbox", "inbox"),
    "journey": ("winback.commands.journeys", "journey"),
    "key": ("winback.commands.system", "key"),
    "mirror": ("winback.commands.mirror", "mirror"),
    "report": ("winback.commands.reports", "report"),
    "scores": ("winback.commands.scores", "scores"),
    "segment": ("winback.commands.segments", "segment"),
    "serve": ("winback.commands.serving", "serve"),
    "tick": ("winback.commands.serving", "tick"),
    "user": ("winback.commands.system", "user"),
    "web": ("winback.commands.serving", "web"),
    "worker": ("winback.commands.serving", "worker"),
}
"""Command -> module and name; modules load only when their command runs, so that `winback` starts quickly."""


class LazyGroup(click.Group):
    """A group that imports a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        found: click.Command = getattr(importlib.import_module(module), name)
        return found


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="winback", prog_name="winback")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Find lapsed customers, write to them once, take their codes back, and prove what came of it."""
    ctx.obj = open_context()


def main() -> None:
    """Run the command line; every expected failure ends with one sentence and exit code 1."""
    try:
        cli.main(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    except WinbackError as error:
        click.echo(f"winback: {error}", err=True)
        sys.exit(1)
    except OperationalError as error:
        said = (str(error.orig).strip() or "no answer").splitlines()[0]
        click.echo(f"winback: the database did not answer: {said}. What was committed is kept; run the command again "
                   "once the database works.", err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"winback: {error.strerror or error}: {error.filename or ''}".rstrip(": "), err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
