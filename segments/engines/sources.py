"""What does a place that answers questions offer, whichever engine it is?

Owns the form: an opened source knows how fresh its facts are, runs selects, and names the currencies of the orders
that count. Statements are written once per key and kept; a source is used by one thread for one question.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Select

T = TypeVar("T")
Asked = Select[*tuple[Any, ...]]
KEPT = 256


class Source(Protocol):
    """Facts as they stood at `facts_at`, ready to be asked."""

    @property
    def facts_at(self) -> datetime: ...

    def column(self, statement: Asked, values: Mapping[str, Any], key: Hashable) -> list[Any]:
        """The first column of every row. `key` names the statement's text, None for one that is not asked again."""
        ...

    def rows(self, statement: Asked, values: Mapping[str, Any], key: Hashable) -> list[tuple[Any, ...]]:
        """Every row."""
        ...

    def currencies(self, as_of: datetime) -> list[str]:
        """The currencies of the orders that count, as of `as_of`."""
        ...


class Kept(Generic[T]):
    """The newest few hundred things made, by key; shared by threads."""

    def __init__(self, size: int = KEPT) -> None:
        self._size = size
        self._made: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._made)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The thing of that key, made now if it is not there; nothing is kept under None."""
        if key is None:
            return make()
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        made = make()
        with self._lock:
            self._made[key] = made
            while len(self._made) > self._size:
                self._made.popitem(last=False)
        return made
