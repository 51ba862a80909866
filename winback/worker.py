"""Who does the work that is due, and in which order?

Owns the round of duties (rescue, the shops' inbox, cancelled orders, lapsed reservations, exits, entries, steps,
settling, sends, calls to other programs), repeated until a round finds nothing, and the moving clock of
`winback tick --until`. A worker that runs for ever does three things side by side, so that none waits for another: it
takes in what shops told and lets go who has a reason to leave, however large a journey is just walking; it decides; and
it delivers, however slow the other side is. Every duty keeps its own list of work in the tables; this module only calls
them, so it can be killed anywhere and the next round continues. On SQLite one worker runs at a time, others stand by.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from core import clock, cursors, leases
from core.database import Database
from core.errors import Conflict, Invalid
from core.mirror import TOO_MANY_CHANGES
from coupons.checks import nightly
from coupons.till import following, reserving
from delivery import hook_sending, sending
from journeys import pruning
from journeys.entry import noticing
from journeys.exits import exits
from journeys.exits.objecting import objections
from journeys.walk import due, duties, settling
from journeys.walk.running import Services
from segments.engines.questions import UNATTENDED_SECONDS, Questions
from segments.membership import duty
from web.shops import processing
from winback.bell import Bell
from winback.context import Context
from winback.wiring import delivery_settings, open_channels

log = logging.getLogger("winback.worker")

BATCH = 2000
"""People or messages per transaction while doors are open: on SQLite this is how long others wait."""

LONGEST_REST_SECONDS = 5.0

Progress = Callable[[datetime, int], None]


class LeaseLost(Conflict):
    """The lock that says that this worker lives is gone: what it claims from now on, others would rescue at once."""


@dataclass
class Worker:
    """One worker: its identity (claimed rows carry its number) and what its duties need."""

    context: Context
    lease: leases.Lease
    questions: Questions
    batch: int = BATCH

    def round(self, now: datetime) -> int:
        """Every duty once, in order; returns how much was done. Raises LeaseLost."""
        return self.listen(now) + self.decide(now) + self.deliver(now)

    def listen(self, now: datetime) -> int:
        """Take in what the dead left and what shops told, and let those go who have a reason to; returns how much was
        done. Raises LeaseLost."""
        self._insist_on_lease()
        database = self.context.database
        done = sending.rescue(database, now=now)
        done += processing.tick(database, now=now, limit=self.batch, secret_key=self.context.settings.secret_key)
        done += following.tick(database, now=now, limit=self.batch)
        return done + exits.tick(database, now=now, limit=self.batch)

    def decide(self, now: datetime) -> int:
        """All that is decided in the house; returns how much was done. Raises LeaseLost."""
        self._insist_on_lease()
        database = self.context.database
        done = reserving.free_lapsed(database, now=now)
        done += nightly.tick(database, now=now)
        done += duties.tick(
            database, now=now, limit=self.batch, questions=self.questions,
            services=Services(secret_key=self.context.settings.secret_key),
        )
        return done + pruning.tick(database, now=now, days=self.context.settings.visits_days)

    def deliver(self, now: datetime) -> int:
        """All that goes out; returns how much was done. Raises LeaseLost."""
        self._insist_on_lease()
        database = self.context.database
        with database.reading() as session:
            delivery = delivery_settings(self.context.settings, session)
        done = sending.tick(database, now=now, limit=self.batch, worker=self.lease.number,
                            channels=open_channels(self.context.settings), settings=delivery, objecting=objections,
                            resting=due.resting)
        return done + hook_sending.tick(database, now=now, worker=self.lease.number,
                                        secret_key=self.context.settings.secret_key,
                                        allowed=self.context.settings.private_receivers)

    def _insist_on_lease(self) -> None:
        if not self.lease.still_held():
            raise LeaseLost("The database was restarted, or the way to it was cut: others take this worker for dead. "
                            "Run it again; it goes on where it stopped.")

    def until_idle(self, now: datetime) -> int:
        """Rounds at one instant until one finds nothing; returns how much was done."""
        total = 0
        while done := self.round(now):
            total += done
        return total

    def until(self, instant: datetime, *, progress: Progress | None = None, then_run: bool = True) -> int:
        """Move the installation's clock from due instant to due instant up to `instant`, doing the work at each.

        The clock stands while the work is done, so that a killed run resumes at the same instant; afterwards it runs
        on, unless `then_run` is False.
        Raises Invalid in a live installation when `instant` lies in the future.
        """
        database = self.context.database
        now = self.context.now()
        with database.reading() as session:
            movable = clock.may_move(session.connection())
        if instant > now and not movable:
            raise Invalid("The clock of a live installation cannot be moved. Only a demo or test home can.")
        if movable:
            _stand_at(database, now)
        total = self.until_idle(now)
        while movable:
            with database.reading() as session:
                upcoming = due.next_due_at(session.connection(), after=now)
            if upcoming is None or upcoming > instant:
                break
            now = upcoming
            _stand_at(database, now)
            total += self.until_idle(now)
            if progress is not None:
                progress(now, total)
        if movable and instant > now:
            _stand_at(database, instant)
            total += self.until_idle(instant)
        if movable and then_run:
            with database.writing() as session:
                clock.run_from(session.connection(), max(now, instant))
        return total


PARTS: dict[str, Callable[[Worker, datetime], int]] = {
    "facts": Worker.listen, "doors": Worker.deliver, "duties": Worker.decide}
"""What runs side by side; the last one, where the caller stands."""


def _stand_at(database: Database, instant: datetime) -> None:
    with database.writing() as session:
        clock.stand_at(session.connection(), instant)


@contextmanager
def enlisted(context: Context) -> Iterator[Worker]:
    """A worker known to be alive for as long as the block runs."""
    lease = leases.enlist(context.database, str(uuid.uuid4()))
    try:
        yield Worker(context, lease, Questions(context.database, context.settings, seconds=UNATTENDED_SECONDS))
    finally:
        lease.release()


@contextmanager
def own_turn(database: Database, *, wait_seconds: float, part: str | None = None) -> Iterator[None]:
    """On SQLite one worker acts at a time, in one part of the work or, as by default, in all. Raises Conflict when
    another keeps the turn for longer than the wait."""
    if not database.is_sqlite:
        yield
        return
    deadline = time.monotonic() + wait_seconds
    turns: list[leases.Lease] = []
    try:
        for name in PARTS if part is None else (part,):
            while (turn := leases.take(database, f"turn:{name}")) is None:
                if time.monotonic() >= deadline:
                    raise Conflict("Another worker is busy on this database. Try again in a moment.")
                time.sleep(0.05)
            turns.append(turn)
        yield
    finally:
        for turn in turns:
            turn.release()


def forget_changes(database: Database) -> int:
    """Delete what all readers of the list of changes have passed; returns how many. A mirror far behind is rebuilt."""
    total = 0
    while done := database.small(lambda connection: cursors.prune_read(
            connection, readers=(exits.READER, noticing.READER, settling.READER, following.READER, duty.READER),
            may_begin_anew=("mirror",), most=TOO_MANY_CHANGES, limit=BATCH * 10)):
        total += done
    return total


def work_for_ever(context: Context, *, stopping: Callable[[], bool], bell: Bell) -> None:
    """Do what is due, then rest until the next ring, until asked to stop; a failed round is logged and tried again."""
    with context.database.writing() as session:
        # A simulated tick that was killed left the clock standing; served time runs.
        clock.run_on(session.connection())
    loops = [_Loop(context, part, stopping, bell) for part in PARTS]
    beside = [threading.Thread(target=loop.run, name=loop.part) for loop in loops[:-1]]
    for thread in beside:
        thread.start()
    loops[-1].run()
    bell.wake()
    for thread in beside:
        thread.join()


class _Loop:
    """One part of a worker's work, under an identity of its own."""

    def __init__(self, context: Context, part: str, stopping: Callable[[], bool], bell: Bell) -> None:
        self.context, self.part, self.stopping, self.bell = context, part, stopping, bell
        self.rest = bell.ear()

    def run(self) -> None:
        """Until asked to stop."""
        while not self.stopping():
            try:
                with enlisted(self.context) as worker:
                    self._rounds(worker)
            except LeaseLost as error:
                log.warning("%s", error)
            except Exception:
                log.exception("the database cannot be reached; trying again")
                self.rest(LONGEST_REST_SECONDS)

    def _rounds(self, worker: Worker) -> None:
        """Rounds and rests under one identity. Raises LeaseLost: a restarted database knows nobody, and the worker goes
        on under a new one."""
        while not self.stopping():
            try:
                with own_turn(self.context.database, wait_seconds=0, part=self.part):
                    self._until_idle(worker)
            except LeaseLost:
                raise
            except Conflict:
                log.debug("another worker has the turn")
            except Exception:
                log.exception("a round failed; the next one continues where it stopped")
            self.rest(LONGEST_REST_SECONDS)

    def _until_idle(self, worker: Worker) -> None:
        """Each round at its own instant: what happens during a long piece of work is not left until its end."""
        total = 0
        while not self.stopping() and (done := PARTS[self.part](worker, self.context.now())):
            total += done
            self.bell.wake()  # what one part does is work for the others
        if total:
            log.info("did %s pieces of work", total)
