"""How does a Spark cluster answer a question about everybody?

Owns the one Spark session of a process: opened at the first question, over the newest export of the facts, each
question under a job group of its own that is cancelled at its time limit. A lost worker changes nothing: Spark does its
part again elsewhere. Importing this module needs the `spark` extra.
"""

import logging
import threading
import uuid
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from sqlalchemy import func, not_, select

from core.errors import NotReady
from core.types import to_us
from segments.compiling.sources import ORDERS
from segments.engines.exporting import Export, SparkAddress, newest_export
from segments.engines.limits import not_awaited, stopped_when_gone, too_slow
from segments.engines.mirrored import TABLES
from segments.engines.sources import Asked, Kept
from segments.engines.spark_sql import SparkText, spark_text

# It would write every refused statement to the log, with what was asked for.
logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL + 1)

_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # A task that does not hear that it was cancelled gives its place back with its executor, which is started anew.
    "spark.task.reaper.enabled": "true",
    "spark.task.reaper.killTimeout": "60s",
    # Nested rules make deep expressions; the parser walks them on the driver's stack.
    "spark.driver.extraJavaOptions": "-Xss16m",
}


class Spark:
    """The cluster of this installation; make one per process."""

    def __init__(self, address: SparkAddress) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._open: tuple[Export, SparkSession] | None = None
        self._texts: Kept[SparkText] = Kept()
        self._firsts: Kept[dict[str, int]] = Kept(4)

    @contextmanager
    def asking(self, *, seconds: float) -> Iterator["SparkSource"]:
        """The newest export, opened for one question. Raises NotReady when there is none, or no cluster."""
        export, session = self._newest()
        yield SparkSource(export, session, seconds, self._texts, self._firsts)

    def close(self) -> None:
        """Leave the cluster; the object may be used again."""
        with self._lock:
            if self._open is not None:
                self._open[1].stop()
                self._open = None

    def _newest(self) -> tuple[Export, SparkSession]:
        export = newest_export(self.address.folder)
        if export is None:
            raise NotReady("The facts have not been exported for Spark yet. Run: winback engine export")
        with self._lock:
            if self._open is None or self._open[0] != export:
                try:
                    self._open = (export, self._session(export))
                except (PySparkException, Py4JError, RuntimeError, OSError) as error:
                    self._open = None
                    raise NotReady(f"Spark at {self.address.master} does not answer, or cannot read "
                                   f"{self.address.folder}. Ask the operator.") from error
            return self._open

    def _session(self, export: Export) -> SparkSession:
        """A session that sees this export under the tables' names; others keep the one they have."""
        builder = SparkSession.builder.master(self.address.master).appName("winback")
        for name, value in {**_SETTINGS, **self.address.options}.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate().newSession()
        session.sparkContext.setLogLevel("ERROR")
        for table in TABLES:
            path = str(self.address.folder / export.folder / table.name)
            session.read.parquet(path).createOrReplaceTempView(table.name)
        return session


@dataclass(frozen=True)
class SparkSource:
    """One export in one session, for one question."""

    export: Export
    session: SparkSession
    seconds: float
    texts: Kept[SparkText]
    firsts: Kept[dict[str, int]]

    @property
    def facts_at(self) -> datetime:
        return self.export.at

    def column(self, statement: Asked, values: Mapping[str, Any], key: Hashable) -> list[Any]:
        found: list[Any] = self._asked(statement, values, key).column(0).to_pylist()
        return found

    def rows(self, statement: Asked, values: Mapping[str, Any], key: Hashable) -> list[tuple[Any, ...]]:
        table = self._asked(statement, values, key)
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def currencies(self, as_of: datetime) -> list[str]:
        firsts = self.firsts.get(self.export.folder, self._first_orders)
        return [currency for currency, first in firsts.items() if first < to_us(as_of)]

    def _first_orders(self) -> dict[str, int]:
        used = select(ORDERS.c.currency, func.min(ORDERS.c.ordered_at)).where(
            not_(ORDERS.c.cancelled)).group_by(ORDERS.c.currency)
        return dict(self.rows(used, {}, "first orders"))

    def _asked(self, statement: Asked, values: Mapping[str, Any], key: Hashable) -> Any:
        """The answer as an Arrow table."""
        text = self.texts.get(key, lambda: spark_text(statement))
        with self._limited():
            return self.session.sql(text.text, args=text.values(values)).toArrow()

    @contextmanager
    def _limited(self) -> Iterator[None]:
        context, group = self.session.sparkContext, f"question {uuid.uuid4()}"
        stopped, over = threading.Event(), threading.Event()

        def stop() -> None:
            stopped.set()
            context.cancelJobGroup(group)
            while not over.wait(1):  # what was still being planned has a job by now
                context.cancelJobGroup(group)

        # Interrupting the tasks' threads, too: cancelled work must not keep the cluster busy.
        context.setJobGroup(group, "a question", interruptOnCancel=True)
        timer = threading.Timer(self.seconds, stop)
        timer.daemon = True
        timer.start()
        leaving = threading.Thread(target=stop, daemon=True)

        def leave() -> None:
            if leaving.ident is None:  # once; it waits for what is being planned, so in a thread of its own
                leaving.start()

        try:
            with stopped_when_gone(leave) as gone:
                try:
                    yield
                except Exception as error:
                    # What was cancelled may end in an error of Spark, or in half an answer that nobody can read.
                    if stopped.is_set() or gone():
                        raise not_awaited() if gone() else too_slow(self.seconds) from error
                    raise
        finally:
            over.set()
            timer.cancel()
