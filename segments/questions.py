"""Who answers a question about an audience: the row store or the column mirror?

Owns the choice. Small bases are answered by the row store, which is exact and current; large ones by the mirror, which
is brought up to now first. Every answer says which engine gave it, how fresh its facts are and how long it took.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import Select, func, literal, select

from core.cursors import head
from core.database import Database
from core.errors import Invalid, NotReady
from core.mirror import View
from core.settings import Settings
from core.types import to_us
from segments.conditions import Rule
from segments.engines.duckdb import Rendered, render
from segments.facts import CUSTOMERS
from segments.members import KEPT, Prepared, prepare, refuse_mixed, row_store_currencies
from segments.mirrored import answerable, open_mirror
from segments.saved import resolved
from segments.sources import LINES

T = TypeVar("T")
Engine = Literal["rows", "mirror"]
SMALL = 200_000
"""Up to so many order lines, and so many customers, the row store answers by itself."""

PATIENCE_SECONDS = 30.0
"""How long a question that must know everything up to now waits while another process refreshes the mirror."""


@dataclass(frozen=True)
class Answer(Generic[T]):
    """`value`, asked as things stood at `as_of`; `facts_at` is how fresh the facts are, `engine` rows or mirror."""

    value: T
    as_of: datetime
    engine: Engine
    took_ms: float
    facts_at: datetime


class Questions:
    """Counts, lists and samples of people for rules; make one per process. `engine` forces rows or mirror."""

    def __init__(
        self, database: Database, settings: Settings, *, engine: Engine | None = None, small: int = SMALL
    ) -> None:
        self.database = database
        self.small = small
        self.mirror = open_mirror(settings.home, database)
        self._forced: Engine | None = engine or ("rows" if settings.engine_url == "rows:" else None)
        self._spark = engine is None and settings.engine_url.startswith("spark:")
        self._kept: OrderedDict[tuple[Rule, Shape], Rendered] = OrderedDict()
        self._currencies: tuple[str, dict[str, int]] = ("", {})
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

    def facts_mark(self) -> str:
        """A short text that changes when the facts do: the generation of the mirror, or the newest change of rows."""
        if self.engine() == "mirror":
            manifest = self.mirror.manifest()
            return manifest.file if manifest else ""
        with self.database.reading() as session:
            return f"rows {head(session.connection())}"

    def refresh(self, *, now: datetime, when_due: bool = False) -> bool:
        """Bring the mirror up to now if this base is one for the mirror; whether that was done here.

        `when_due` leaves a mirror alone that was refreshed a short while ago, measured by what that took.
        """
        if self._engine() != "mirror" or (when_due and not self.mirror.due(now=now)):
            return False
        return self.mirror.refresh(now=now)

    def close(self) -> None:
        """Let go of the open mirror; the object may be used again."""
        self.mirror.close()

    def engine(self) -> Engine:
        """Which engine answers for a base of the present size."""
        return self._engine()

    def _ask(
        self, rule: Rule, shape: "Shape", read: Callable[[list[Any]], T], as_of: datetime, now: datetime, fresh: bool,
        more: Mapping[str, Any] | None = None,
    ) -> Answer[T]:
        started = time.perf_counter()
        with self.database.reading() as session:
            whole = resolved(session.connection(), rule)
        engine: Engine = self._engine() if answerable(whole) else "rows"
        prepared = prepare(whole)
        if engine == "rows":
            values, facts_at = self._from_rows(prepared, shape, as_of, more), now
        else:
            if fresh and not self.mirror.refresh(now=now, wait_seconds=PATIENCE_SECONDS):
                raise NotReady("The mirror is being brought up to now by another process. Ask again in a minute.")
            with self.mirror.asking() as view:
                values = self._from_mirror(view, whole, prepared, shape, as_of, more)
                facts_at = view.manifest.at
        return Answer(read(values), as_of, engine, (time.perf_counter() - started) * 1000, facts_at)

    def _engine(self) -> Engine:
        if self._spark:
            raise Invalid("WINBACK_ENGINE_URL: Spark is not available yet. Use duckdb: or rows:")
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

    def _from_rows(
        self, prepared: Prepared, shape: "Shape", as_of: datetime, more: Mapping[str, Any] | None
    ) -> list[Any]:
        """Whole rows when there are `more` values, else the first column."""
        with self.database.reading() as session:
            connection = session.connection()
            if prepared.money:
                refuse_mixed(row_store_currencies(connection, as_of))
            if more is not None:
                found = connection.execute(shape(prepared), {**prepared.cuts.values(as_of), **more})
                return [tuple(row) for row in found]
            return list(connection.scalars(shape(prepared), prepared.cuts.values(as_of)))

    def _from_mirror(
        self, view: View, rule: Rule, prepared: Prepared, shape: "Shape", as_of: datetime,
        more: Mapping[str, Any] | None,
    ) -> list[Any]:
        if prepared.money:
            firsts = self._first_orders(view)
            refuse_mixed([currency for currency, first in firsts.items() if first < to_us(as_of)])
        rendered = self._rendered(rule, prepared, shape)
        values = rendered.values({**prepared.cuts.values(as_of), **(more or {})})
        found = view.connection.execute(rendered.text, values)
        return list(found.fetchall() if more is not None else next(iter(found.fetchnumpy().values())).tolist())

    def _rendered(self, rule: Rule, prepared: Prepared, shape: "Shape") -> Rendered:
        key = (rule, shape)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        rendered = render(shape(prepared))
        with self._lock:
            self._kept[key] = rendered
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return rendered

    def _first_orders(self, view: View) -> dict[str, int]:
        """When each currency was first used; a generation never changes, so it is asked once."""
        if self._currencies[0] != view.manifest.file:
            found = view.connection.execute(
                "SELECT currency, min(ordered_at) FROM orders WHERE NOT cancelled GROUP BY currency").fetchall()
            self._currencies = (view.manifest.file, dict(found))
        return self._currencies[1]


Shape = Callable[[Prepared], Select[Any]]


def _counting(prepared: Prepared) -> Select[Any]:
    return prepared.counting


def _listing(prepared: Prepared) -> Select[Any]:
    return prepared.statement.order_by(prepared.statement.selected_columns[0])


def _drawing(prepared: Prepared) -> Select[Any]:
    members = prepared.statement.subquery()
    drawn = func.md5(literal("sample:").concat(CUSTOMERS.c.external_id))
    return select(CUSTOMERS.c.id).where(CUSTOMERS.c.id.in_(select(members.c.id))).order_by(drawn).limit(500)
