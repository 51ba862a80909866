"""One process that hammers one offer through every verb at once, until its time is over or somebody kills it.

Run as `python -m tests.coupons.hammering URL SEED THREADS SECONDS`. Uses and reservations, renewals, releases, partial
and whole rollbacks, cancellations and lapses are mixed by a seed; instants move on by themselves so that reservations
lapse while others are made. It prints `ready` when it begins.
"""

import itertools
import random
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from core.database import Database, open_database
from core.errors import Conflict, Invalid
from coupons.at_once import redeem_for
from coupons.discount import Line
from coupons.redeeming import cancel_order, roll_back
from coupons.requests import Order, RedemptionRequest
from coupons.reserving import deciding, free_lapsed, release, reserve

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

    def now(self) -> datetime:
        """An instant that runs sixty times as fast as the wall's."""
        return START + timedelta(seconds=(time.time() - self.begun) * 60)

    def request(self) -> RedemptionRequest:
        """One of the few codes, for one of a few dozen orders of a few customers."""
        order = f"o{self.draw.randrange(60)}"
        return RedemptionRequest(
            self.draw.choice(self.codes), Order(order, 5_000, "EUR", GOODS), "",
            f"c{self.draw.randrange(1, 4)}" if self.draw.random() < 0.5 else None)

    def step(self) -> None:
        """One verb by chance."""
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
            self.database.small(lambda connection: release(connection, name, now=now))
        elif verb in ("part", "whole") and self.redeemed:
            name = self.draw.choice(self.redeemed)
            amount = 100 if verb == "part" else None
            with suppress(Invalid):
                self.database.small(lambda connection: roll_back(
                    connection, name, amount_cents=amount, key=key, now=now))
        elif verb == "cancel" and self.draw.random() < 0.3:
            order = f"o{self.draw.randrange(60)}"
            self.database.small(lambda connection: cancel_order(connection, shop="", order_ref=order, now=now))
        elif verb == "lapse":
            free_lapsed(self.database, now=now)


def run(database: Database, codes: list[str], *, seed: int, threads: int, steps: int | None = None,
        seconds: float | None = None, begun: float) -> list[str]:
    """Hammer with `threads` threads for so many steps or seconds; returns what was raised and is no answer."""
    errors: list[str] = []
    until = None if seconds is None else time.time() + seconds

    def work(number: int) -> None:
        hammer = Hammer(database, seed * 1000 + number, codes, begun)
        done = 0
        while (steps is None or done < steps) and (until is None or time.time() < until):
            try:
                hammer.step()
            except Conflict:
                pass  # "send it again" is an answer
            except Exception as error:
                errors.append(repr(error)[:300])
            done += 1

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return errors


if __name__ == "__main__":
    url, seed, threads, seconds, begun, *codes = sys.argv[1:]
    store = open_database(url)
    print("ready", flush=True)
    wrong = run(store, codes, seed=int(seed), threads=int(threads), seconds=float(seconds), begun=float(begun))
    for line in wrong:
        print(line, flush=True)
    store.dispose()
