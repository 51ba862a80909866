"""Processes that hammer one offer through every verb at once, until they are told to end or somebody kills them.

Uses and reservations, releases, partial and whole rollbacks, cancellations and lapses are mixed by a seed; instants
move on by themselves so that reservations lapse while others are made. A process says when it is ready and goes on
until its line is closed: how long a machine takes to start it and what it gets done in a second do not matter.
"""

import itertools
import multiprocessing
import random
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from core.database import Database, open_database
from core.errors import Conflict, Invalid
from coupons.locking import in_turn
from coupons.offers.discount import Line
from coupons.till.at_once import redeem_for
from coupons.till.redeeming import cancel_order, roll_back
from coupons.till.requests import Order, RedemptionRequest
from coupons.till.reserving import deciding, free_lapsed, release, reserve

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
GOODS = (Line("SOFA-1", "furniture", 1000, 5_000),)


class Hammer:
    """One thread's way through the verbs."""

    def __init__(self, database: Database, seed: int, codes: list[str], begun: float) -> None:
        self.database, self.codes, self.begun = database, codes, begun
        self.draw = random.Random(seed)
        self.keys = (f"{seed}-{number}" for number in itertools.count())
        self.redeemed: list[str] = []
        self.held: list[str] = []
        self.steps = 0

    def now(self) -> datetime:
        """An instant that runs sixty times as fast as the wall's."""
        return START + timedelta(seconds=(time.time() - self.begun) * 60)

    def order(self) -> str:
        """One of a few dozen orders that everybody is at; cancelled ones make room for new ones."""
        return f"o{self.steps // 20 + self.draw.randrange(60)}"

    def request(self) -> RedemptionRequest:
        """One of the few codes, for one of a few dozen orders of a few customers."""
        return RedemptionRequest(
            self.draw.choice(self.codes), Order(self.order(), 5_000, "EUR", GOODS), "",
            f"c{self.draw.randrange(1, 4)}" if self.draw.random() < 0.5 else None)

    def step(self) -> None:
        """One verb by chance."""
        self.steps += 1
        now, key = self.now(), next(self.keys)
        verb = self.draw.choices(
            ("redeem", "reserve", "release", "part", "whole", "cancel", "lapse"), (8, 6, 2, 2, 4, 1, 1))[0]
        if verb == "redeem":
            asked = self.request()
            answer = redeem_for(self.database, asked, client="hammer", key=key, now=now)
            if answer.status == 201:
                self.redeemed.append(answer.body["id"])
        elif verb == "reserve":
            asked, seconds = self.request(), self.draw.choice((5, 30, 600))
            held = deciding(self.database, lambda connection: reserve(
                connection, asked, ttl_seconds=seconds, now=now), now=now)
            if held.status in (200, 201):
                self.held.append(held.body["id"])
        elif verb == "release" and self.held:
            name = self.held.pop(self.draw.randrange(len(self.held)))
            in_turn(self.database, lambda connection: release(connection, name, now=now))
        elif verb in ("part", "whole") and self.redeemed:
            name = self.draw.choice(self.redeemed)
            amount = 100 if verb == "part" else None
            with suppress(Invalid):
                in_turn(self.database, lambda connection: roll_back(
                    connection, name, amount_cents=amount, key=key, now=now))
        elif verb == "cancel" and self.draw.random() < 0.3:
            order = self.order()
            in_turn(self.database, lambda connection: cancel_order(connection, shop="", order_ref=order, now=now))
        elif verb == "lapse":
            free_lapsed(self.database, now=now)


def run(database: Database, codes: list[str], *, seed: int, threads: int, steps: int | None = None,
        over: threading.Event | None = None, begun: float) -> list[str]:
    """Hammer with `threads` threads for so many steps or until it is over; returns what was raised and is no answer."""
    errors: list[str] = []

    def work(number: int) -> None:
        hammer = Hammer(database, seed * 1000 + number, codes, begun)
        done = 0
        while (steps is None or done < steps) and (over is None or not over.is_set()):
            try:
                hammer.step()
            except Conflict:
                pass  # "send it again" is an answer
            except Exception as error:
                errors.append(repr(error)[:300])
                return  # red it is by now; without its database it would never end
            done += 1

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return errors


class Hammering:
    """A process of its own that hammers with so many threads from now on."""

    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload(["tests.coupons.hammering"])  # importing all of it once, not in every process

    def __init__(self, url: str, codes: list[str], *, seed: int, threads: int, begun: float) -> None:
        self._line, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=_hammer_until_told, args=(theirs, url, codes, seed, threads, begun), daemon=True)
        self._process.start()
        theirs.close()

    def wait_until_ready(self) -> None:
        """Its database is open and its threads begin."""
        assert self._heard() == "ready"

    def kill(self) -> None:
        """kill -9, whatever it is doing."""
        self._process.kill()
        self._process.join()
        assert self._process.exitcode == -9
        self._line.close()

    def end(self) -> list[str]:
        """Let every thread finish its verb; what was raised and is no answer."""
        self._line.send("over")
        errors: list[str] = self._heard()
        self._process.join()
        self._line.close()
        return errors

    def _heard(self) -> Any:
        assert self._line.poll(PATIENCE_SECONDS), "a hammering process says nothing"
        return self._line.recv()


PATIENCE_SECONDS = 240
"""Only for what hangs: a machine that is slow and busy takes a quarter of it."""


def _hammer_until_told(line: Connection, url: str, codes: list[str], seed: int, threads: int, begun: float) -> None:
    store, over = open_database(url), threading.Event()

    def listen() -> None:
        with suppress(EOFError):  # the line ends with whoever has started us
            line.recv()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    line.send("ready")
    wrong = run(store, codes, seed=seed, threads=threads, over=over, begun=begun)
    store.dispose()
    with suppress(BrokenPipeError):
        line.send(wrong)
