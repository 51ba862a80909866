"""Who works out what would happen while the worker sends?

Owns a thread beside the worker's rounds that starts a process of its own whenever a forecast was asked for: it plays
weeks in a scratch world for up to a minute, and neither the sending nor a page may wait for that. One process at a time
per worker; what a killed one held is asked again.
"""

import logging
import shutil
import subprocess
import sys
import threading
import time
import uuid
from contextlib import closing
from datetime import datetime

from core import leases
from core.database import Database, open_database
from core.errors import WinbackError
from journeys.forecasting import asking
from journeys.forecasting.playing import Surroundings
from journeys.forecasting.scratch import FOLDER
from reporting.forecasting import forecast
from segments.engines.questions import UNATTENDED_SECONDS, Questions
from winback.context import Context
from winback.schema import upgrade
from winback.wiring import delivery_settings

log = logging.getLogger("winback.forecaster")

CONNECTIONS = 1
REST_SECONDS = 1.0
LEFT_AFTER_SECONDS = 3600
"""No forecast plays for so long: a folder of this age is a killed one's."""
COMMAND = (sys.executable, "-m", "winback", "journey", "forecasts")


class Forecaster:
    """The thread; `start` it, `stop` it."""

    def __init__(self, context: Context) -> None:
        self._database: Database = open_database(context.settings.database_url, pool_size=CONNECTIONS)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forecaster", daemon=True)

    def start(self) -> None:
        """Begin to look for what is asked."""
        self._thread.start()

    def stop(self) -> None:
        """End at once; a forecast at work is given up and asked again by another worker."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(REST_SECONDS):
            try:
                if asking.is_waiting(self._database):
                    self._play()
            except Exception:
                log.exception("asking for forecasts failed; it is tried again")
        self._database.dispose()

    def _play(self) -> None:
        with subprocess.Popen(COMMAND) as player:
            while player.poll() is None:
                if self._stop.wait(REST_SECONDS / 4):
                    player.terminate()


def answer_all(context: Context) -> int:
    """Answer everything that is asked, oldest first; returns how many. What killed forecasts left behind is removed."""
    for left in context.settings.home.glob(f"{FOLDER}*"):
        if time.time() - left.stat().st_mtime > LEFT_AFTER_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    done, lease = 0, leases.enlist(context.database, f"forecaster:{uuid.uuid4()}")
    try:
        while answer_one(context, context.database, worker=lease.number, now=context.now()):
            done += 1
    finally:
        lease.release()
    return done


def answer_one(context: Context, database: Database, *, worker: int, now: datetime) -> bool:
    """Answer the oldest asking; False when nobody has asked."""
    claimed = asking.claim(database, worker=worker)
    if claimed is None:
        return False
    number, campaign, wish = claimed
    try:
        with closing(Questions(database, context.settings, seconds=UNATTENDED_SECONDS)) as questions:
            found = forecast(surroundings(context, questions), campaign, wish, now=now)
    except WinbackError as error:
        asking.settle(database, number, worker=worker, answer=None, problem=str(error), now=now)
    except Exception:
        log.exception("the forecast of %s failed", campaign)
        asking.settle(database, number, worker=worker, answer=None, now=now,
                      problem="It could not be worked out, for a reason that is in the log.")
    else:
        asking.settle(database, number, worker=worker, answer=found, now=now)
    return True


def surroundings(context: Context, questions: Questions) -> Surroundings:
    """What a forecast needs of this installation."""
    with questions.database.reading() as session:
        delivery = delivery_settings(context.settings, session)
    return Surroundings(questions.database, questions, context.settings, delivery, upgrade)
