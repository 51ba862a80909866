"""Who answers a question about an audience: the row store, the column mirror or Spark?

Owns the choice. Small bases are answered by the row store, which is exact and current; large ones by the mirror, which
is brought up to now first, or by Spark over exported facts if the settings say so. Every answer says which engine gave
it, how fresh its facts are and how long it took; a question that takes too long is stopped.
"""

import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from sqlalchemy import Select, func, literal, select

from core.cursors import head
from core.database import Database
from core.errors import Invalid, NotReady, SettingsError
from core.settings import Settings
from segments.compiling.facts import CUSTOMERS
from segments.compiling.scored import refuse_uncomputed
from segments.compiling.sources import LINES
from segments.engines.duckdb import MirrorSource, Rendered
from segments.engines.exporting import export_facts, newest_export, spark_address
from segments.engines.members import Prepared, prepare, refuse_mixed
from segments.engines.mirrored import answerable, open_mirror
from segments.engines.rows import open_rows
from segments.engines.sources import Asked, Kept, Source
from segments.language.conditions import Rule
from segments.saving.saved import resolved

if TYPE_CHECKING:
    from segments.engines.spark import Spark  # an extra

T = TypeVar("T")
Engine = Literal["rows", "mirror", "spark"]
SMALL = 200_000
"""Up to so many order lines, and so many customers, the row store answers by itself."""
PATIENCE_SECONDS = 30.0
"""How long a question that must know everything up to now waits while another process refreshes the mirror."""
UNATTENDED_SECONDS = 600.0
"""How long a question may take when no page waits for it: refreshes, the shell."""


@dataclass(frozen=True)
class Answer(Generic[T]):
    """`value`, asked as things stood at `as_of`; `facts_at` is how fresh the facts are, `engine` who answered."""

    value: T
    as_of: datetime
    engine: Engine
    took_ms: float
    facts_at: datetime


class Questions:
    """Counts, lists and samples of people for rules; make one per process.

    `engine` forces one; `seconds` is how long one question may take (default: the setting). Beside what is documented,
    every question raises TooSlow when it is stopped at that limit.
    """

    def __init__(
        self, database: Database, settings: Settings, *, engine: Engine | None = None, small: int = SMALL,
        seconds: float | None = None,
    ) -> None:
        self.database = database
        self.small = small
        self.seconds = settings.question_seconds if seconds is None else seconds
        self.mirror = open_mirror(settings.home, database)
        self._address = None
        configured: Engine | None = "rows" if settings.engine_url == "rows:" else None
        if settings.engine_url.startswith("spark:"):
            self._address, configured = spark_address(settings.engine_url, settings.home), "spark"
        self._forced: Engine | None = engine or configured
        self._spark: Spark | None = None
        self._texts: Kept[Rendered] = Kept()
        self._firsts: Kept[dict[str, int]] = Kept(4)
        self._large: set[str] = set()
        self._lock = Lock()

    def count(self, rule: Rule, *, as_of: datetime, now: datetime | None = None, fresh: bool = True) -> Answer[int]:
        """How many people the rule holds for.

        `now` (default `as_of`) is the moment the mirror is brought up to; with `fresh=False` the newest generation
        answers as it is, at once: for pages. Raises NotReady when a large base has no mirror yet, or when another
        process is so long at it that it cannot be brought up to now.
        """
        return self._ask(rule, _counting, lambda rows: int(rows[0]), as_of, now or as_of, fresh)

    def ids(self, rule: Rule, *, as_of: datetime, now: datetime | None = None, fresh: bool = True) -> Answer[list[int]]:
        """The ids of everybody the rule holds for, rising."""
        return self._ask(rule, _listing, list, as_of, now or as_of, fresh)

    def sample(
        self, rule: Rule, *, as_of: datetime, size: int = 20, now: datetime | None = None, fresh: bool = True
    ) -> Answer[list[int]]:
        """Up to `size` of them, drawn the same way each time."""
        return self._ask(rule, _drawing, lambda rows: list(rows)[:size], as_of, now or as_of, fresh)

    def table(
        self, rule: Rule, shape: "Shape", *, as_of: datetime, values: Mapping[str, Any] | None = None,
        now: datetime | None = None, fresh: bool = True,
    ) -> Answer[list[tuple[Any, ...]]]:
        """The rows of a select that `shape` makes around the rule's people; the statement is kept per rule and shape.

        `shape` is a plain function or a frozen value that can be called, so that equal ones share a statement;
        `values` fill its own bound parameters.
        """
        return self._ask(rule, shape, list, as_of, now or as_of, fresh, values or {})

    def read(
        self, statement: Asked, *, now: datetime, values: Mapping[str, Any] | None = None, mirrored: bool = True,
        fresh: bool = False, key: Hashable = None,
    ) -> Answer[list[tuple[Any, ...]]]:
        """The rows of any select over the facts, from the engine that answers for a base of this size.

        For what stands beside a count: pickers, histograms, overlaps. `mirrored=False` for tables that only the row
        store has. A `key` that names the statement's text keeps its translation. Raises NotReady like `count`.
        """
        started = time.perf_counter()
        engine: Engine = self._engine() if mirrored and answerable(statement) else "rows"
        with self._opened(engine, now, fresh) as source:
            rows = source.rows(statement, values or {}, key)
            return Answer(rows, now, engine, (time.perf_counter() - started) * 1000, source.facts_at)

    def facts_mark(self) -> str:
        """A short text that changes when the facts do: the generation of the mirror, or the newest change of rows."""
        engine = self.engine()
        if engine == "mirror":
            manifest = self.mirror.manifest()
            return manifest.file if manifest else ""
        if engine == "spark" and self._address is not None:
            export = newest_export(self._address.folder)
            return export.folder if export else ""
        with self.database.reading() as session:
            return f"rows {head(session.connection())}"

    def refresh(self, *, now: datetime, when_due: bool = False) -> bool:
        """Bring the mirror up to now if this base is one for the mirror; whether that was done here.

        `when_due` leaves a mirror alone that was refreshed a short while ago, measured by what that took. For Spark the
        facts are exported again when the last export is old enough.
        """
        if self._forced == "spark" and self._address is not None:
            export = newest_export(self._address.folder)
            if export is not None and now - export.at < self._address.every:
                return False
            return export_facts(self.database, self._address.folder, now=now) is not None
        if self._engine() != "mirror" or (when_due and not self.mirror.due(now=now)):
            return False
        return self.mirror.refresh(now=now)

    def close(self) -> None:
        """Let go of the open mirror and of Spark; the object may be used again."""
        self.mirror.close()
        if self._spark is not None:
            self._spark.close()

    def engine(self) -> Engine:
        """Which engine answers for a base of the present size."""
        return self._engine()

    def _ask(
        self, rule: Rule, shape: "Shape", read: Callable[[list[Any]], T], as_of: datetime, now: datetime, fresh: bool,
        more: Mapping[str, Any] | None = None,
    ) -> Answer[T]:
        """The answer of one rule; whole rows when there are `more` values, else the first column."""
        started = time.perf_counter()
        with self.database.reading() as session:
            whole = resolved(session.connection(), rule)
            refuse_uncomputed(session.connection(), whole, as_of)
        engine = self._engine()
        prepared = prepare(whole, staged=engine != "spark", summed=engine == "mirror")
        if engine != "rows" and not answerable(prepared.statement):
            engine, prepared = "rows", prepare(whole)
        with self._opened(engine, now, fresh) as source:
            if prepared.money:
                refuse_mixed(source.currencies(as_of))
            values = {**prepared.cuts.values(as_of), **(more or {})}
            ask = source.column if more is None else source.rows
            found: list[Any] = ask(shape(prepared), values, (whole, shape))
            return Answer(read(found), as_of, engine, (time.perf_counter() - started) * 1000, source.facts_at)

    @contextmanager
    def _opened(self, engine: Engine, now: datetime, fresh: bool) -> Iterator[Source]:
        if engine == "rows":
            with open_rows(self.database, now=now, seconds=self.seconds) as source:
                yield source
            return
        if engine == "spark":
            with self._cluster().asking(seconds=self.seconds) as source:
                yield source
            return
        if fresh and not self.mirror.refresh(now=now, wait_seconds=PATIENCE_SECONDS):
            raise NotReady("The mirror is being brought up to now by another process. Ask again in a minute.")
        with self.mirror.asking() as view:
            yield MirrorSource(view, self.seconds, self._texts, self._firsts)

    def _cluster(self) -> "Spark":
        if self._address is None:
            raise Invalid("WINBACK_ENGINE_URL does not name Spark: use spark://host:7077 or spark:local.")
        try:
            from segments.engines.spark import Spark
        except ImportError as error:
            raise SettingsError("WINBACK_ENGINE_URL: Spark is an extra that is not installed. Install "
                                "requirements-spark.lock and a Java 17 runtime.") from error
        with self._lock:
            if self._spark is None:
                self._spark = Spark(self._address)
            return self._spark

    def _engine(self) -> Engine:
        if self._forced:
            return self._forced
        with self.database.reading() as session:
            for table in (LINES, CUSTOMERS):
                if (session.scalar(select(func.max(table.c.id))) or 0) <= self.small:
                    continue
                # Ids have gaps where orders were imported again, so a large one only asks for a look. What was found
                # large is not looked through again before each answer.
                if table.name in self._large or (
                        session.scalar(select(table.c.id).offset(self.small).limit(1))) is not None:
                    self._large.add(table.name)
                    return "mirror"
        return "rows"


Shape = Callable[[Prepared], Select[Any]]


def _counting(prepared: Prepared) -> Select[Any]:
    return prepared.counting


def _listing(prepared: Prepared) -> Select[Any]:
    return prepared.statement.order_by(prepared.statement.selected_columns[0])


def _drawing(prepared: Prepared) -> Select[Any]:
    members = prepared.statement.subquery()
    drawn = func.md5(literal("sample:").concat(CUSTOMERS.c.external_id))
    return select(CUSTOMERS.c.id).where(CUSTOMERS.c.id.in_(select(members.c.id))).order_by(drawn).limit(500)
