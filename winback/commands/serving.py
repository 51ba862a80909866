"""Running Winback: doors, duties, or both for one machine."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from core.errors import Invalid
from winback.context import Context
from winback.forecaster import Forecaster
from winback.refresher import Refresher, refresh_due
from winback.worker import BATCH, enlisted, own_turn, work_for_ever

if TYPE_CHECKING:
    from winback.demo.example_shop import Beside

HOST = click.option("--host", default="127.0.0.1", show_default=True)
PORT = click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)


@click.command()
@click.option("--until", "until_text", metavar="INSTANT", help="Move a demo or test home's clock up to this instant.")
@click.pass_obj
def tick(context: Context, until_text: str | None) -> None:
    """Do the work that is due, then end."""
    until = _instant(until_text) if until_text else None
    with own_turn(context.database, wait_seconds=30), enlisted(context) as worker:
        done = worker.until_idle(context.now()) if until is None else worker.until(until, progress=_say)
    hourly(context)
    done += refresh_due(context, now=context.now())
    click.echo(f"Did {done} pieces of work.", err=True)


def _say(now: datetime, total: int) -> None:
    click.echo(f"{now:%Y-%m-%d %H:%M} UTC, {total} pieces of work so far", err=True)


def _instant(text: str) -> datetime:
    from campaigns.planning import read_instant

    try:
        return read_instant(text)
    except (ValueError, OverflowError):
        raise Invalid(f"{text!r} is not an instant of our time. Write it like 2026-03-02T09:00:00Z.",
                      place="--until") from None


@click.command()
@click.pass_obj
def worker(context: Context) -> None:
    """Duties only. Any number on PostgreSQL; on SQLite a second one stands by."""
    from winback.bell import Bell
    from winback.keeping import Keeper

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it would say every second that the bell rang
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    bell = Bell(context.database, nightly=lambda: nightly(context), hourly=lambda: hourly(context))
    refresher, forecaster = Refresher(context), Forecaster(context)
    bell.start()
    refresher.start()
    forecaster.start()
    keeper = Keeper(context)
    keeper.start()
    try:
        work_for_ever(context, stopping=stop.is_set, bell=bell)
    finally:
        forecaster.stop()
        refresher.stop()
        bell.stop()
        keeper.stop()


def nightly(context: Context) -> None:
    """The leader's nightly duties: coupon counters are compared with the ledger (drift is logged as an error), the
    mirror is compared with the row store and put in order, what everybody has read of the changes is deleted, the sums
    of the ways people went are made few rows, and what the day's rows name is looked up (core/references.py).
    """
    from core.references import look_at_new
    from journeys.visits import fold
    from web.shops.inbox import drop_bodies
    from winback.doctor import examine
    from winback.keeping import put_in_order
    from winback.worker import forget_changes

    forget_changes(context.database)
    now = context.now()
    context.database.small(lambda connection: drop_bodies(connection, now=now))
    context.database.small(fold)
    for finding in examine(context, areas=["coupons"]):
        logging.getLogger("winback.nightly").log(
            logging.INFO if finding.fine else logging.ERROR, "%s: %s", finding.area, finding.text
        )
    for problem in look_at_new(context.database):
        logging.getLogger("winback.nightly").error("references: %s", problem)
    put_in_order(context)


def hourly(context: Context) -> None:
    """The leader's daily duties, which look every hour whether today's is done: the scores."""
    from customers.scores import rfm

    changed = rfm.tick(context.database, now=context.now(), limit=BATCH)
    if changed:
        logging.getLogger("winback.scores").info("new scores of %s people", changed)


@click.command()
@HOST
@PORT
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Web processes.")
@click.pass_obj
def web(context: Context, host: str, port: int, workers: int) -> None:
    """Doors only: pages, API, webhooks."""
    from winback.serving import serve_web

    _ = context.database  # fail here, with the way out, rather than in every worker process
    serve_web(host, port, workers=workers)


@click.command()
@HOST
@PORT
@click.pass_obj
def serve(context: Context, host: str, port: int) -> None:
    """Everything for one machine: doors and duties, each restarted when it ends."""
    _ = context.database
    os.environ.update(own_address(os.environ, host, port))
    click.echo(f"Winback serves http://{host}:{port}. End it with Ctrl-C.", err=True)
    supervise([["web", "--host", host, "--port", str(port)], ["worker"]])


def own_address(environment: Mapping[str, str], host: str, port: int) -> dict[str, str]:
    """What the parts are told of the address that links and hooks begin with: where it is served, unless it is set."""
    if environment.get("WINBACK_BASE_URL"):
        return {}
    reached = "127.0.0.1" if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host
    return {"WINBACK_BASE_URL": f"http://{reached}:{port}"}


def supervise(parts: list[list[str]], beside: Sequence["Beside"] = ()) -> None:
    """Keep one process per part running until asked to stop; a part that ends is started again after a pause.

    `beside`: programs that are not Winback's own and run with it.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    starts = [partial(_start, part) for part in parts] + [partial(_start_beside, each) for each in beside]
    names = [part[0] for part in parts] + [each.name for each in beside]
    running = [start() for start in starts]
    pause = [1.0] * len(starts)
    try:
        while not stop.wait(0.5):
            for index, process in enumerate(running):
                if process.poll() is not None:
                    click.echo(f"{names[index]} ended with {process.returncode}; starting it again.", err=True)
                    time.sleep(pause[index])
                    pause[index] = min(pause[index] * 2, 30)
                    running[index] = starts[index]()
    finally:
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _start(part: list[str]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C reaches the supervisor, which then ends the parts in order.
    return subprocess.Popen([sys.executable, "-m", "winback", *part], start_new_session=True)


def _start_beside(each: "Beside") -> subprocess.Popen[bytes]:
    return subprocess.Popen(each.command, env={**os.environ, **each.environment}, start_new_session=True)
