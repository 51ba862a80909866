"""What is a rule, once it has been read and checked?

Owns the frozen tree that the parser builds and that the compiler, the sentences and the resolver of nested segments
walk. Trees are values: equal rules are equal, may be kept as keys, and write themselves back as JSON.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from segments.language.windows import Window, written_instant

Number = int | float
Value = str | bool | Number | date | datetime | tuple[str, ...] | tuple[Number, Number]


@dataclass(frozen=True)
class Test:
    """One comparison: an operator of segments/language/operators.py and the checked value on its right."""

    operator: str
    value: Value

    __test__ = False  # pytest collects classes by this name

    def to_json(self) -> dict[str, Any]:
        value = self.value
        if isinstance(value, datetime):
            return {self.operator: written_instant(value)}
        if isinstance(value, date):
            return {self.operator: value.isoformat()}
        return {self.operator: list(value) if isinstance(value, tuple) else value}


class Rule:
    """Any node of the tree."""

    def to_json(self) -> dict[str, Any]:
        """The rule in the rule language; reading it again gives an equal rule."""
        raise TypeError(f"{type(self).__name__} is no rule")

    def children(self) -> tuple["Rule", ...]:
        return ()

    def walk(self) -> Iterator["Rule"]:
        """This node and all below it, in the order of the rule."""
        waiting: list[Rule] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children()))

    def depth(self) -> int:
        """Levels of nesting; a single condition has 1."""
        level, levels = [self], 0
        while level:
            levels, level = levels + 1, [child for node in level for child in node.children()]
        return levels


@dataclass(frozen=True)
class All(Rule):
    """Every rule holds; with none, everybody."""

    rules: tuple[Rule, ...]

    def to_json(self) -> dict[str, Any]:
        return {"all": [rule.to_json() for rule in self.rules]}

    def children(self) -> tuple[Rule, ...]:
        return self.rules


@dataclass(frozen=True)
class Any_(Rule):
    """At least one rule holds; with none, nobody."""

    rules: tuple[Rule, ...]

    def to_json(self) -> dict[str, Any]:
        return {"any": [rule.to_json() for rule in self.rules]}

    def children(self) -> tuple[Rule, ...]:
        return self.rules


@dataclass(frozen=True)
class Not(Rule):
    """The rule does not hold."""

    rule: Rule

    def to_json(self) -> dict[str, Any]:
        return {"not": self.rule.to_json()}

    def children(self) -> tuple[Rule, ...]:
        return (self.rule,)


@dataclass(frozen=True)
class CustomerIs(Rule):
    """A fact about the person passes a test."""

    field: str
    test: Test

    def to_json(self) -> dict[str, Any]:
        return {"customer": self.field, **self.test.to_json()}


@dataclass(frozen=True)
class Where:
    """Which orders, contacts, messages or coupons count: each word with its allowed texts, all of them at once."""

    words: tuple[tuple[str, tuple[str, ...]], ...] = ()
    min_unit_price_cents: int | None = None

    def get(self, word: str) -> tuple[str, ...] | None:
        return dict(self.words).get(word)

    def names(self) -> set[str]:
        priced = {"min_unit_price"} if self.min_unit_price_cents is not None else set()
        return {word for word, _values in self.words} | priced

    def to_json(self) -> dict[str, Any]:
        written: dict[str, Any] = {word: list(values) for word, values in self.words}
        if self.min_unit_price_cents is not None:
            written["min_unit_price"] = self.min_unit_price_cents
        return written


@dataclass(frozen=True)
class Measured(Rule):
    """A measure over a person's orders, contacts, messages or coupons passes a test."""

    source: str
    measure: str
    test: Test
    where: Where = Where()
    window: Window | None = None
    nth: int | None = None
    """The one order that is looked at: 1 the person's first, -1 the last; None: all of them."""

    def to_json(self) -> dict[str, Any]:
        written: dict[str, Any] = {self.source: self.measure}
        if self.nth is not None:
            written["nth"] = self.nth
        if self.where != Where():
            written["where"] = self.where.to_json()
        if self.window is not None:
            written["window"] = dict(self.window.to_json())
        return {**written, **self.test.to_json()}


@dataclass(frozen=True)
class Followed(Rule):
    """An order of one kind was followed by one of another kind, strictly later and at most `within_days` after it.

    With `never` the opposite of a reminder: an order whose days have passed without the other one.
    """

    bought: Where
    then: Where
    within_days: int
    never: bool = False
    window: Window | None = None

    def to_json(self) -> dict[str, Any]:
        written: dict[str, Any] = {"bought": self.bought.to_json(), "then_not" if self.never else "then":
                                   self.then.to_json(), "within_days": self.within_days}
        return written if self.window is None else {**written, "window": dict(self.window.to_json())}


@dataclass(frozen=True)
class ConsentIs(Rule):
    """The newest statement about a channel passes a test; with no statement the value is missing."""

    channel: str
    test: Test

    def to_json(self) -> dict[str, Any]:
        return {"consent": self.channel, **self.test.to_json()}


@dataclass(frozen=True)
class Scored(Rule):
    """A number about the person, computed here or told by the shop, passes a test; without one it is missing."""

    name: str
    test: Test

    def to_json(self) -> dict[str, Any]:
        return {"score": self.name, **self.test.to_json()}


@dataclass(frozen=True)
class Near(Rule):
    """The person lives within `km` of a point, or of a store: "any", or the store's number."""

    km: Number
    latitude: Number | None = None
    longitude: Number | None = None
    store: str | None = None

    def to_json(self) -> dict[str, Any]:
        place = ({"latitude": self.latitude, "longitude": self.longitude} if self.store is None else
                 {"store": self.store})
        return {"near": {**place, "km": self.km}}


@dataclass(frozen=True)
class Prefers(Rule):
    """The person asked for one of these channels or, if never asked, mostly used it to contact the shop."""

    channels: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"preferred_channel": self.channels[0] if len(self.channels) == 1 else list(self.channels)}


@dataclass(frozen=True)
class InSegment(Rule):
    """The person is in a saved segment; `saved.resolved` puts its rule in this place."""

    key: str

    def to_json(self) -> dict[str, Any]:
        return {"segment": self.key}


@dataclass(frozen=True)
class Listed(Rule):
    """The person is on the static list or in the snapshot with this key; `saved.resolved` puts it there."""

    key: str
    segment_id: int

    def to_json(self) -> dict[str, Any]:
        return {"segment": self.key}


@dataclass(frozen=True)
class Sampled(Rule):
    """The person falls into a fixed random part: the first 8 hex digits of md5(`salt:customer_id`)."""

    percent: Number
    salt: str

    def to_json(self) -> dict[str, Any]:
        return {"sample": {"percent": self.percent, "salt": self.salt}}
