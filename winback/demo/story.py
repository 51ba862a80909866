"""How is the whole story played, from the files to the report?

Owns the order of the acts: import, segment, offers and contents, campaign and journey, thirty simulated days with the
shop's till and its nightly file, and a follow-up wave at the last instant. Every act is idempotent and leaves a mark:
a demo that was killed goes on where it stopped, and a second run finds everything done and says so.
"""

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from campaigns.models import Campaign
from campaigns.planning import save_campaign
from core import clock, cursors
from core.errors import Conflict, Invalid
from core.models import Cursor, Installation
from coupons.offers.offers import save_offer
from customers.importing.running import import_file
from customers.models import Customer
from delivery.calls import NoCall, open_calls, record_outcome, take_call
from delivery.contents import save_content
from delivery.profile import Profile, save_profile
from journeys.editing.editing import publish, save_draft
from journeys.exits.objecting import objections
from journeys.models import Journey
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from web.security.keys import issue_key
from winback.commands.importing import ALL_KINDS
from winback.context import Context
from winback.demo.plot import DAYS, Plot, contents, main_graph, second_graph
from winback.demo.shop import Till, people, purchases, write_night_file
from winback.demo.truth import uniform
from winback.schema import name_installation
from winback.wiring import delivery_settings
from winback.worker import Worker, enlisted, own_turn

AGENT = "Nadine (simulated)"
SENDER = Profile(
    shop_name="Nordholm Versand (demo)", shop_url="https://shop.example", country="DE",
    address_lines=("Speicherstraße 4", "23552 Lübeck"), sender_name="Nordholm Versand (demo)",
    sender_address="post@shop.example", reply_to="service@shop.example")
"""Who writes in the demo; the shop is invented, the address belongs to nobody."""
CALLS_A_DAY = 200


@dataclass
class Stage:
    """What the acts need: the installation, the plot, and how to say what is going on."""

    context: Context
    plot: Plot
    say: Callable[[str], None]
    step: Callable[[int, int], None]


def open_home(context: Context, data: str, *, customers: int | None) -> None:
    """Make the database a demo home of this data set. Raises Invalid when it holds anything else."""
    with context.database.writing() as session:
        connection = session.connection()
        installation = session.execute(select(Installation)).scalar_one_or_none()
        if installation is None or installation.kind != "demo":
            if session.execute(select(func.count()).select_from(Customer)).scalar_one():
                raise Invalid("This database holds other data. Give the demo a home of its own: set WINBACK_HOME.")
            if installation is not None:
                session.delete(installation)
                session.flush()
            name_installation(session, "demo", now=clock.wall_now())
        wanted = 0 if data == "completejourney" else customers or 0
        mark = f"demo:data:{data}"
        others = session.execute(
            select(func.count()).select_from(Cursor).where(Cursor.name.like("demo:data:%"), Cursor.name != mark)
        ).scalar_one()
        known = cursors.position(connection, mark)
        if others or (known and known != wanted + 1):
            raise Invalid("This home plays the demo with other data. Give this one a home of its own: WINBACK_HOME=...")
        cursors.advance(connection, mark, wanted + 1)


def is_done(context: Context, act: str) -> bool:
    """Whether an act left its mark."""
    return mark_of(context, act) > 0


def mark_of(context: Context, act: str) -> int:
    """The mark of an act: 0 when it has none."""
    with context.database.reading() as session:
        return cursors.position(session.connection(), f"demo:{act}")


def leave_mark(context: Context, act: str, value: int = 1) -> None:
    """Remember that an act is done."""
    with context.database.writing() as session:
        cursors.advance(session.connection(), f"demo:{act}", value)


def import_all(stage: Stage, files: list[tuple[str, Path]]) -> None:
    """Import the data's files, each by the importer that `winback import` uses."""
    for kind, path in files:
        if is_done(stage.context, f"import:{kind}"):
            continue
        stage.say(f"Importing {kind}")
        result = import_file(stage.context.database, ALL_KINDS[kind], path, now=stage.plot.starts_at,
                             progress=stage.step, secret_key=stage.context.settings.secret_key)
        if result.rejected:
            raise Invalid(f"{result.rejected} lines of {path} were rejected; see {result.rejected_path}.")
        leave_mark(stage.context, f"import:{kind}")


def set_up(stage: Stage) -> None:
    """Everything a marketer would enter: segments, offers, contents, the campaign and its journey."""
    plot, now = stage.plot, stage.plot.starts_at
    with stage.context.database.writing() as session:
        save_profile(session, SENDER, now=now)
        save_segment(session, plot.segment, name=plot.segment_name, rule=parse_rule(plot.rule), author="demo", now=now)
        save_segment(session, f"{plot.segment}-second", name=f"{plot.segment_name}, no code used",
                     rule=parse_rule(plot.second_rule), author="demo", now=now)
        common: dict[str, Any] = {"currency": plot.currency, "categories": plot.categories, "valid_days": 14,
                                  "now": now}
        save_offer(session, "ten-percent", name=f"10 % off {plot.goods}", kind="percent", percent=10, **common)
        save_offer(session, plot.fixed_offer, name=f"{plot.fixed_cents / 100:.0f} {plot.currency} off {plot.goods}",
                   kind="fixed", amount_cents=plot.fixed_cents, minimum_cents=plot.fixed_cents * 2, **common)
        for key, words in contents(plot).items():
            save_content(session, key, name=words["name"], subject=words["subject"], mjml=words["mjml"],
                         letter=words["letter"], call_script=words["call_script"], author="demo", now=now)
        _plan(session, plot, plot.campaign, plot.campaign_name, plot.segment, plot.starts_at)
        save_draft(session, plot.campaign, main_graph(plot), campaign_id=_campaign_id(session, plot.campaign), now=now)
    leave_mark(stage.context, "set_up")


def _plan(session: Any, plot: Plot, key: str, name: str, segment: str, starts_at: datetime) -> None:
    save_campaign(
        session, key,
        fields={"name": name, "objective": f"Bring back people who bought {plot.goods} and stopped.",
                "starts_at": starts_at, "ends_at": starts_at + timedelta(days=DAYS), "timezone": "Europe/Berlin",
                "goal_categories": plot.categories, "segment": segment, "holdout_percent": 10,
                "currency": plot.currency, "owner": "demo"},
        now=starts_at,
    )


def _campaign_id(session: Any, key: str) -> int:
    found: int = session.execute(select(Campaign.id).where(Campaign.key == key)).scalar_one()
    return found


def play(stage: Stage) -> None:
    """Thirty days: duties as they fall due, customers answering, agents calling, the shop's nightly file."""
    with own_turn(stage.context.database, wait_seconds=30), enlisted(stage.context) as worker, _till(stage) as till:
        if not is_done(stage.context, "published"):
            _publish(stage, worker, stage.plot.campaign, stage.plot.starts_at)
            leave_mark(stage.context, "published")
        for day in range(mark_of(stage.context, "day") + 1, DAYS + 1):
            _play_day(stage, worker, till, day)
            leave_mark(stage.context, "day", day)
            stage.step(day, DAYS)
        if not is_done(stage.context, "second"):
            stage.say("Starting the follow-up wave")
            _second_wave(stage, worker)
            leave_mark(stage.context, "second")


def _publish(stage: Stage, worker: Worker, key: str, at: datetime) -> None:
    with stage.context.database.writing() as session:
        clock.stand_at(session.connection(), at)
        journey = session.execute(select(Journey).where(Journey.key == key)).scalar_one()
        if journey.state == "draft":
            publish(session, key, author="demo", now=at)
    worker.until_idle(at)


def _play_day(stage: Stage, worker: Worker, till: Till, day: int) -> None:
    plot = stage.plot
    morning = plot.starts_at + timedelta(days=day - 1)
    evening = plot.starts_at + timedelta(days=day) - timedelta(hours=6)
    night = min(plot.starts_at + timedelta(days=day), plot.ends_at)
    worker.until(morning + timedelta(hours=10), then_run=False)
    call_people(stage, worker, now=morning + timedelta(hours=10))
    worker.until(evening, then_run=False)
    with stage.context.database.reading() as session:
        bought = [each for each in purchases(plot, people(session, plot)) if each.at < evening]
    fresh = [each for each in bought if each.at >= evening - timedelta(days=1)]
    till.ring_up(plot, fresh)
    worker.until_idle(evening)
    path = stage.context.settings.home / "demo" / f"night-{day:02}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with stage.context.database.reading() as session:
        discounts = till.discounts(session, plot)
    if write_night_file(path, plot, bought, discounts, now=night):
        import_file(stage.context.database, ALL_KINDS["orders"], path, now=night,
                    secret_key=stage.context.settings.secret_key)
    worker.until(night, then_run=False)


def call_people(stage: Stage, worker: Worker, *, now: datetime) -> None:
    """The simulated agents work through the call desk: eight in ten are reached, one in fifty is a wrong number."""
    with stage.context.database.reading() as session:
        settings = delivery_settings(stage.context.settings, session)
        tasks = [(task.id, task.customer_id, task.attempts) for task in open_calls(session, now=now, limit=CALLS_A_DAY)]
    if not tasks:
        return
    luck = uniform([f"{customer}" for _task, customer, _attempts in tasks], f"call {tasks[0][2]}")
    for (task, _customer, _attempts), drawn in zip(tasks, luck, strict=True):
        outcome = "wrong_number" if drawn < 0.02 else "no_answer" if drawn < 0.2 else "reached"
        with contextlib.suppress(Conflict), stage.context.database.writing() as session:
            sheet = take_call(session, task, agent=AGENT, now=now, settings=settings, objecting=objections)
            if not isinstance(sheet, NoCall):
                record_outcome(session, task, agent=AGENT, outcome=outcome, now=now,
                               secret_key=stage.context.settings.secret_key)
    worker.until_idle(now)


def _second_wave(stage: Stage, worker: Worker) -> None:
    plot = stage.plot
    key = f"{plot.campaign}-second"
    with stage.context.database.writing() as session:
        _plan(session, plot, key, f"{plot.campaign_name}, second try", f"{plot.segment}-second", plot.ends_at)
        if session.execute(select(Journey.id).where(Journey.key == key)).first() is None:
            save_draft(session, key, second_graph(plot), campaign_id=_campaign_id(session, key), now=plot.ends_at)
    _publish(stage, worker, key, plot.ends_at)


@contextlib.contextmanager
def _till(stage: Stage) -> Iterator[Till]:
    """A real web server on a free loopback port, and the shop's till talking to it."""
    with stage.context.database.writing() as session:
        key = issue_key(session, "demo shop", scopes=["redemptions"], now=stage.plot.starts_at)
    port = free_port()
    command = [sys.executable, "-m", "winback", "web", "--port", str(port)]
    environment = {**os.environ, "WINBACK_HOME": str(stage.context.settings.home),
                   "WINBACK_DATABASE_URL": stage.context.settings.database_url.replace("+psycopg", "")}
    log = (stage.context.settings.home / "demo-web.log").open("ab")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/healthz", server)
        yield Till("127.0.0.1", port, key)
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)
        if server.poll() is None:
            server.kill()
        log.close()


def free_port() -> int:
    """A TCP port on loopback that nobody listens on, and that the system gives nobody who asks it for any port."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Invalid("No TCP port is free on 127.0.0.1.")


def wait_until_up(url: str, server: "subprocess.Popen[bytes]", *, seconds: float = 60) -> None:
    """Wait for a web server to answer. Raises Invalid when it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise Invalid("The web server did not start; see demo-web.log in the home.")
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise Invalid(f"The web server did not answer within {seconds:.0f} seconds; see demo-web.log in the home.")
