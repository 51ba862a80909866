"""Rules made by Hypothesis out of the language's own tables, so that a new entry is tried without being told.

What each field, word and measure can be compared with stands in the pools below, chosen to meet the people of
tests/segments/population.py. An entry without a pool raises, by name: give it values, and a plain loop in naive.py.
"""

from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from segments.language.fields import CHANNELS, CONSENT_STATES, CUSTOMER_FIELDS, MEASURES, WHERE
from segments.language.operators import OPERATORS, fitting
from tests.segments.outreach import OFFERS
from tests.segments.population import CATEGORIES, NAMES
from tests.segments.told import RULES as TOLD

Json = dict[str, Any]
T = TypeVar("T")

FIELDS: dict[str, tuple[str, ...]] = {
    "customer_id": ("C-001", "C-01"), "salutation": ("Ms", "Mr"), "first_name": NAMES, "last_name": NAMES,
    "company": ("Acme", "acme gmbh"), "language": ("de", "en"), "timezone": ("Europe/Berlin", "UTC"),
    "preferred_channel": ("email", "letter"), "household_id": ("h1", "h2"), "household": ("h1", "H"),
    "email": ("a@example.com", "EXAMPLE"), "phone": ("+49301", "+4"), "street": ("", "Ägidienstr. 5", "äGI"),
    "postal_code": ("23552", "1"), "city": ("Berlin", "WIEN"), "country": ("DE", "AT"),
}
"""Text field -> texts to compare with."""
WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("orders", "category"): CATEGORIES, ("orders", "sku"): ("a", "b"), ("orders", "brand"): ("Oak", "oak"),
    ("orders", "shop"): ("web", ""), ("orders", "coupon"): ("SPRING", "x"), ("orders", "currency"): ("EUR", "USD"),
    ("orders", "status"): ("done", "open", "cancelled"), ("orders", "via"): ("web", "phone"),
    ("contacts", "kind"): ("call", "letter", "complaint"), ("contacts", "direction"): ("in", "out"),
    ("contacts", "channel"): ("email", "phone"), ("contacts", "status"): ("open", "done"),
    ("messages", "campaign"): ("spring", "Café 'x'"), ("messages", "channel"): ("email", "letter"),
    ("messages", "arm"): ("A", "B"), ("messages", "step"): ("s1", "s2"),
    ("coupons", "campaign"): ("spring", "Café 'x'"), ("coupons", "offer"): (*OFFERS, "never"),
    ("relations", "kind"): ("press", "partner"), ("relations", "organisation"): ("O1", "Oak & 'Co'", "Third"),
    ("relations", "role"): ("editor", "x"),
}
"""Source and word of its `where` -> texts that it may name."""
NUMBERS: dict[str, tuple[float, ...]] = {
    "number": (-1, 0, 1, 1.5, 2, 2.5, 3, 30, 90, 364.5), "cents": (-2000, 0, 1, 2500, 4999, 150_000),
    "share": (0, 0.000001, 0.1, 0.25, 0.3, 0.5, 0.97, 1),
}
DAYS = ("2026-03-31", "2026-03-01", "1980-02-29", "2025-10-01")
MOMENTS = (*DAYS, "2026-03-31T12:30:00Z", "2026-03-31T14:30:00+02:00")
WINDOWS: tuple[Json, ...] = (
    *({f"last_{unit}": number} | whole for unit, number in (("months", 1), ("months", 13), ("quarters", 1),
                                                            ("quarters", 2), ("years", 1))
      for whole in ({}, {"calendar": True})),
    {"last_days": 90}, {"last_days": 365}, {"between_days_ago": [90, 365]}, {"between_days_ago": [0, 90]},
    {"from": "2025-10-01"}, {"until": "2026-01-01"}, {"from": "2025-10-01T00:00:00Z", "until": "2030-01-01"},
)
NTH = (1, 2, 3, -1, -2, 7)
ATTRIBUTES = ("size", "vip", "tier", "joined", "größe in cm", "nothing", "o'clock; --")
OTHERS = {"consent", "preferred_channel", "sample", "sequence"}
"""Conditions that stand in no table."""


def tests_of(kind: str, texts: tuple[str, ...] = ()) -> SearchStrategy[Json]:
    """An operator that fits the kind, with a value. KeyError for an operator or a kind without values."""
    return st.sampled_from(fitting("number" if kind in ("cents", "share") else kind)).flatmap(
        lambda name: _values(name, kind, texts).map(lambda value: {name: value}))


def _values(operator: str, kind: str, texts: tuple[str, ...]) -> SearchStrategy[Any]:
    some = texts or ("gold", "5", "true", "G")
    word = st.sampled_from(some)
    numbers = NUMBERS[kind if kind in ("cents", "share") else "number"]
    number: SearchStrategy[Any] = st.sampled_from(numbers)
    if kind == "cents" and operator in ("equals", "more_than"):
        number = number.map(int)
    whole = kind == "any" and operator in ("is", "is_not")
    lists = st.lists(word, max_size=3) | st.just([*some, *(f"x{item}" for item in range(60))])
    part = st.sampled_from([*some, "n", "Ä", "%", "_", ""])
    days: SearchStrategy[Any] = st.sampled_from(DAYS if kind in ("date", "any") else MOMENTS)
    compared: dict[str, SearchStrategy[Any]] = {
        "is": word | st.booleans() if whole else word, "is_not": word | st.booleans() if whole else word,
        "in": lists, "not_in": lists, "contains": part, "starts_with": part,
        "between": st.tuples(number, number).map(sorted), "before": days, "after": days,
        "within_days": st.sampled_from((1, 30, 400)), "is_set": st.just(True), "is_not_set": st.just(True),
    } | dict.fromkeys(("equals", "at_least", "at_most", "more_than", "less_than"), number)
    return compared[operator]


def customers(name: str) -> SearchStrategy[Json]:
    """A condition on one field."""
    field = CUSTOMER_FIELDS[name]
    return tests_of(field.kind, FIELDS[name] if field.kind == "text" else ()).map(
        lambda test: {"customer": name, **test})


def wheres(source: str, *, needed: bool = False) -> SearchStrategy[Json]:
    """Some words of the source, each with some of its texts."""
    texts = {word: st.lists(st.sampled_from(WORDS[source, word]), min_size=1, max_size=3, unique=True)
             for word in WHERE[source] if word != "min_unit_price"}
    prices: dict[str, SearchStrategy[Any]] = (
        {"min_unit_price": st.sampled_from((1, 999, 10_000))} if "min_unit_price" in WHERE[source] else {})
    every = {**texts, **prices}
    wanted = [word for word in every if word != "currency"] if needed else list(every)
    return st.lists(st.sampled_from(wanted), min_size=1 if needed else 0, max_size=2, unique=True).flatmap(
        lambda words: st.fixed_dictionaries({word: every[word] for word in words}))


def measured(source: str, name: str) -> SearchStrategy[Json]:
    """A condition on one measure, with any `where`, window and place."""
    measure = MEASURES[source][name]
    optional = st.none() if source == "relations" else st.sampled_from((None, *WINDOWS))
    nth = st.sampled_from((None, None, *NTH)) if source == "orders" and measure.single else st.none()
    needed = getattr(measure, "needs_where", False)
    missing = getattr(measure, "missing", False) and measure.kind != "instant"

    def put(test: Json, where: Json, window: Json | None, place: int | None) -> Json:
        return {source: name, **({"where": where} if where else {}), **({"window": window} if window else {}),
                **({"nth": place} if place else {}), **test}

    tests = tests_of(measure.kind)
    if not missing and measure.kind != "instant":
        tests = tests.filter(lambda test: not {"is_set", "is_not_set"} & set(test))
    return st.builds(put, tests, wheres(source, needed=needed), optional, nth)


def _sequence(bought: Json, then: Json, never: bool, days: int, window: Json | None) -> Json:
    return {"bought": bought, "then_not" if never else "then": then, "within_days": days,
            **({"window": window} if window else {})}


def others() -> SearchStrategy[Json]:
    """Conditions that stand in no table: attributes, consent, preference, samples, sequences, what is told."""
    said = st.sampled_from(({"is_set": True}, {"is_not_set": True})) | st.sampled_from(CONSENT_STATES).flatmap(
        lambda state: st.sampled_from(({"is": state}, {"is_not": state}, {"in": [state]}, {"not_in": [state]})))
    return st.one_of(
        st.sampled_from(TOLD),
        st.builds(lambda key, test: {"customer": f"attributes.{key}", **test}, st.sampled_from(ATTRIBUTES),
                  tests_of("any")),
        st.builds(lambda channel, test: {"consent": channel, **test}, st.sampled_from(CHANNELS), said),
        st.sampled_from(CHANNELS[:3]).map(lambda channel: {"preferred_channel": channel}),
        st.builds(lambda percent, salt: {"sample": {"percent": percent, "salt": salt}},
                  st.sampled_from((0, 0.5, 10, 33.3, 50, 100)), st.sampled_from(("spring", "ä'", ""))),
        st.builds(_sequence, wheres("orders"), wheres("orders"), st.booleans(), st.sampled_from((1, 90, 365)),
                  st.sampled_from((None, *WINDOWS))))


def operators() -> dict[str, SearchStrategy[Json]]:
    """Every operator, with each kind of value that it compares -> conditions with it."""
    fields = {"text": "first_name", "number": "dunning_level", "date": "birthday", "instant": "created_at"}
    return {f"{name} with {kind}": _values(name, kind, FIELDS.get(fields[kind], ())).map(
        lambda value, name=name, kind=kind: {"customer": fields[kind], name: value})
        for name, operator in OPERATORS.items() for kind in sorted(operator.kinds)}


def entries() -> dict[str, SearchStrategy[Json]]:
    """Every operator, every field and every measure of the language -> conditions with it."""
    return {**operators(), **{f"customer {name}": customers(name) for name in CUSTOMER_FIELDS},
            **{f"{source} {name}": measured(source, name) for source, names in MEASURES.items() for name in names}}


def rules() -> SearchStrategy[Json]:
    """Any rule: leaves from every entry, nested by all, any and not."""
    leaves = st.one_of(*entries().values(), others())
    return st.recursive(leaves, lambda children: st.one_of(
        st.lists(children, max_size=4).map(lambda parts: {"all": parts}),
        st.lists(children, max_size=3).map(lambda parts: {"any": parts}),
        children.map(lambda rule: {"not": rule})), max_leaves=6)


def drawn(strategy: SearchStrategy[T], count: int, number: int) -> list[T]:
    """So many values of a strategy, always the same for one `number`."""
    found: list[T] = []

    @seed(number)
    @settings(max_examples=count, phases=[Phase.generate], deadline=None, database=None,
              suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(value: T) -> None:
        found.append(value)

    collect()
    return found


def uncovered() -> set[str]:
    """Entries of the language's tables that have no values here."""
    fields = {f"field {name}" for name, field in CUSTOMER_FIELDS.items()
              if (name not in FIELDS if field.kind == "text" else field.kind not in ("number", "date", "instant"))}
    words = {f"{source} where {word}" for source, named in WHERE.items() for word in named
             if (source, word) not in WORDS and word != "min_unit_price"}
    kinds = {f"{source} {name} of kind {measure.kind}" for source, names in MEASURES.items()
             for name, measure in names.items() if measure.kind not in (*NUMBERS, "instant")}
    return fields | words | kinds


def operators_tried(found: list[Json]) -> set[str]:
    """The operators that stand anywhere in these rules."""
    tried: set[str] = set()
    for rule in found:
        tried |= set(rule) & set(OPERATORS)
        for key in ("all", "any"):
            tried |= operators_tried(rule.get(key, []))
        if isinstance(rule.get("not"), dict):
            tried |= operators_tried([rule["not"]])
    return tried
