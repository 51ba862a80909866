"""Threads that redeem, take back and ask about one code at once, each noting when it asked and when it heard.

Run as `python -m tests.coupons.historian URL CODE SEED THREADS STEPS ORDERS`: it prints each call before it is made and
each answer, as JSON lines, so that whoever kills it knows what was under way. Instants are of the machine's one
monotonic clock, so histories of several processes fit together.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from core.database import Database, open_database
from coupons.till.at_once import redeem_for
from coupons.till.redeeming import roll_back, validate
from coupons.till.requests import Order, RedemptionRequest
from coupons.till.reserving import asking
from tests.coupons.linearizing import Operation

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
Note = Callable[[dict[str, Any]], None]


def act(database: Database, code: str, verb: str, order: str, key: str, names: dict[str, str]) -> str | bool:
    """Do one verb and say the answer in the checker's words."""
    asked = RedemptionRequest(code, Order(order, 5_000, "EUR"))
    if verb == "validate":
        return bool(asking(database, lambda connection: validate(connection, code, asked, now=NOW), now=NOW)["valid"])
    if verb == "rollback":
        database.small(lambda connection: roll_back(connection, names[order], now=NOW))
        return "done"
    answer = redeem_for(database, asked, client="historian", key=key, now=NOW)
    if answer.reason is not None:
        if answer.reason not in ("already_redeemed", "limit_reached"):
            raise AssertionError(answer.reason)
        return "full"
    names[order] = answer.body["id"]
    return "new" if answer.status == 201 else "same"


def run(database: Database, code: str, *, seed: int, threads: int, steps: int, orders: int, note: Note) -> None:
    """Let the threads begin together; `note` gets each call and each answer."""
    names: dict[str, str] = {}
    start = threading.Barrier(threads)

    def work(number: int) -> None:
        draw = random.Random(seed * 1000 + number)
        start.wait()
        for step in range(steps):
            name = f"{seed}-{number}-{step}"
            order = f"o{draw.randrange(orders)}"
            verb = draw.choices(("redeem", "rollback", "validate"), (5, 4, 2))[0]
            if verb == "rollback" and names:
                order = draw.choice(list(names))
            elif verb == "rollback":
                verb = "redeem"
            note({"name": name, "verb": verb, "order": order, "at": time.monotonic_ns()})
            answer = act(database, code, verb, order, name, names)
            note({"name": name, "answer": answer, "at": time.monotonic_ns()})

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def history_of(notes: Iterable[dict[str, Any]]) -> list[Operation]:
    """Calls joined with their answers."""
    calls, answers = {}, {}
    for noted in notes:
        (answers if "answer" in noted else calls)[noted["name"]] = noted
    return [
        Operation(call["verb"], call["order"], call["at"], answers[name]["at"], answers[name]["answer"])
        if name in answers else Operation(call["verb"], call["order"], call["at"])
        for name, call in calls.items()]


def main() -> None:
    """Write the history to stdout."""
    url, code, seed, threads, steps, orders = sys.argv[1:]
    lock = threading.Lock()

    def note(noted: dict[str, Any]) -> None:
        with lock:
            print(json.dumps(noted), flush=True)

    database = open_database(url)
    run(database, code, seed=int(seed), threads=int(threads), steps=int(steps), orders=int(orders), note=note)
    database.dispose()


if __name__ == "__main__":
    main()
