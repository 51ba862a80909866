"""What the shop tells of people: events, relations, scores, places; drawn by chance, stored, and judged by hand."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from customers.models import Event, Organisation, Relation, Score, ScoreName, Store

STORES = (("mitte", 52.52, 13.405), ("dom", 50.94, 6.96), ("taveuni", -16.8, -179.95), ("no place", None, None))
ORGANISATIONS = (("O1", "The Paper"), ("O2", "Oak & 'Co'"), ("Oak & 'Co'", "Third"))
NAMES = ("cart_abandoned", "visit", "a %s b'--")
SCORES = ("rfm", "p_alive", "nps")
_SPOTS = ((52.5, 13.4), (52.4, 13.1), (50.9, 7.0), (48.1, 11.6), (-16.9, 179.9), (-17.5, -179.2), (89.9, 0.0),
          (-89.95, 120.0), (0.0, 0.0), (52.5, None), (None, 13.4))


@dataclass
class Told:
    """What is told of one person. Relations: kind, number of the organisation, role, since, until."""

    events: list[tuple[datetime, str, dict[str, Any]]] = field(default_factory=list)
    relations: list[tuple[str, str | None, str | None, datetime | None, datetime | None]] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)


def draw(chance: random.Random, as_of: datetime) -> Told:
    """By chance, a third of it missing."""
    def moment() -> datetime:
        exact = (as_of, as_of - timedelta(microseconds=1), as_of + timedelta(microseconds=1),
                 as_of - timedelta(days=90))
        return chance.choice((*exact, *(as_of - timedelta(days=chance.randint(-30, 500)) for _ in range(6))))

    def perhaps() -> datetime | None:
        return None if chance.random() < 0.4 else moment()

    drawn = {"page": ["/sale", "/Sale", "ü'"], "value": [129.9, 5, "5", -3, 0.5], "gift": [True, False, "true"],
             "category": ["lamps"], "größe \u2028 $": ["x"]}
    return Told(
        events=[(moment(), chance.choice(NAMES), {key: chance.choice(values) for key, values in drawn.items()
                                                  if chance.random() < 0.6}) for _ in range(chance.choice((0, 1, 3)))],
        relations=[(chance.choice(("press", "partner")), chance.choice((None, "O1", "O2", "Oak & 'Co'")),
                    chance.choice((None, "editor")), perhaps(), perhaps()) for _ in range(chance.choice((0, 0, 1, 2)))],
        scores={name: value for name, value in (
            ("rfm", chance.choice((111, 435, 555))), ("p_alive", chance.choice((0.0, 0.25, 0.3, 1.0))),
            ("nps", chance.choice((-3, 0, 9)))) if chance.random() < 0.6})


def draw_place(chance: random.Random) -> tuple[float | None, float | None]:
    """Coordinates near some of the stores, at the poles, on the date line, or half missing."""
    latitude, longitude = chance.choice(_SPOTS)
    return (None if latitude is None else latitude + chance.uniform(-0.3, 0.3) * (abs(latitude) < 89)), longitude


def store(session: Session, people: Sequence[tuple[int, Told]], as_of: datetime) -> None:
    """Put all of it into the database, with the stores."""
    session.add_all(Store(external_id=number, latitude=latitude, longitude=longitude)
                    for number, latitude, longitude in STORES)
    firms = {number: Organisation(external_id=number, name=name) for number, name in ORGANISATIONS}
    session.add_all(firms.values())
    session.add_all(ScoreName(name=name, first_at=as_of - timedelta(days=5000), computed_at=as_of, told=False)
                    for name in SCORES)
    session.flush()
    for key, told in people:
        session.add_all(Event(external_id=f"{key}.{number}", customer_id=key, name=name, at=at, properties=properties,
                              recorded_at=at) for number, (at, name, properties) in enumerate(told.events))
        session.add_all(Relation(external_id=f"{key}.{number}", customer_id=key, kind=kind, role=role, since_at=since,
                                 until_at=until, organisation_id=firms[firm].id if firm else None)
                        for number, (kind, firm, role, since, until) in enumerate(told.relations))
        session.add_all(Score(customer_id=key, name=name, value=value, computed_at=as_of)
                        for name, value in told.scores.items())


def value_of(rule: dict[str, Any], told: Told, start: datetime, end: datetime, as_of: datetime) -> Any:
    """The number that the rule asks for; None when there is none."""
    where = {word: [values] if isinstance(values, str) else values for word, values in rule.get("where", {}).items()}
    if "events" in rule:
        return sum(1 for at, name, properties in told.events if name == rule["events"] and start <= at < end and all(
            key in properties and _text(properties[key]) in values for key, values in where.items()))
    if "relations" in rule:
        return sum(1 for kind, firm, role, since, until in told.relations
                   if (since is None or since <= as_of) and (until is None or as_of < until)
                   and kind in where.get("kind", [kind]) and role in where.get("role", [role])
                   and ("organisation" not in where or (firm is not None and (
                       firm in where["organisation"] or dict(ORGANISATIONS)[firm] in where["organisation"]))))
    return told.scores.get(rule["score"])


def is_near(near: dict[str, Any], place: tuple[float | None, float | None]) -> bool:
    """Whether the great circle is short enough, by the angle between two vectors."""
    spots = [(near["latitude"], near["longitude"])] if "latitude" in near else [
        (latitude, longitude) for number, latitude, longitude in STORES if near["store"] in ("any", number)]
    here, there = _vector(*place), [_vector(*spot) for spot in spots]
    if here is None:
        return False
    return any(6371.0088 * math.atan2(math.hypot(*_cross(here, spot)), _dot(here, spot)) <= near["km"]
               for spot in there if spot is not None)


def _vector(latitude: float | None, longitude: float | None) -> tuple[float, float, float] | None:
    if latitude is None or longitude is None:
        return None
    up, round_ = math.radians(latitude), math.radians(longitude)
    return math.cos(up) * math.cos(round_), math.cos(up) * math.sin(round_), math.sin(up)


def _cross(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float]:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(one * other for one, other in zip(a, b, strict=True))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _numbers(*values: float) -> list[dict[str, Any]]:
    names = ("equals", "at_least", "at_most", "more_than", "less_than")
    return [*({name: value} for name in names for value in values), {"between": [min(values), max(values)]}]


_SET = [{"is_set": True}, {"is_not_set": True}]
_EVENTS: list[dict[str, Any]] = [
    {}, {"window": {"last_days": 90}}, {"where": {"page": ["/sale"]}}, {"where": {"gift": "true"}},
    {"where": {"value": ["5", "129.9"], "category": ["lamps"]}}, {"where": {"größe \u2028 $": ["x"]}},
    {"where": {"page": [*(f"x{n}" for n in range(40)), "ü'"]}, "window": {"between_days_ago": [0, 90]}}]
_RELATIONS: list[dict[str, Any]] = [
    {}, {"where": {"kind": ["press"]}}, {"where": {"organisation": ["O1", "Third"]}},
    {"where": {"organisation": "Oak & 'Co'", "role": ["editor"]}}]
_SOME = ({"at_least": 1}, {"equals": 0}, {"more_than": 1})
_PLACES = ((52.5, 13.4), (50.94, 6.96), (-16.8, -179.95), (-17, 179.9), (90, 0), (-89.5, -60), (0, 0))
_DISTANCES = (7, 50, 400, 9_000, 20_100)
RULES: list[dict[str, Any]] = [
    *({"events": NAMES[number % 3], **more, **_SOME[number % 3]} for number, more in enumerate(_EVENTS * 3)),
    *({"events": "visit", **test} for test in [*_numbers(1), *_SET]), {"events": "never", "less_than": 1},
    *({"relations": "count", **_RELATIONS[number % 4], **test} for number, test in enumerate(_numbers(0, 1, 2) * 2)),
    *({"score": name, **test} for name, tests in (
        ("rfm", _numbers(435, 434.5)), ("p_alive", _numbers(0.25, 0.3)), ("nps", _numbers(-3)))
      for test in [*tests, *_SET]),
    *({"near": {"latitude": latitude, "longitude": longitude, "km": _DISTANCES[(number + more) % 5]}}
      for number, (latitude, longitude) in enumerate(_PLACES) for more in (0, 1)),
    *({"near": {"store": number, "km": km}} for number in ("any", "mitte", "taveuni", "no place", "nowhere")
      for km in (80, 12_000)),
]
"""Every condition on what is told, with every operator, window and corner of the map."""
