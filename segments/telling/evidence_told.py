"""What that the shop told us speaks for these people: their last event, their relations, scores and the nearest store?

Owns those parts of the evidence line, for the conditions that the rule names. Read from the row store, for the people
on one page; distances of a page of people are worked out here.
"""

import math
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import BigInteger, bindparam, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from core.types import from_us, to_us
from segments.compiling.near import ADDRESSES, ANY_STORE, EARTH_KM, STORES
from segments.compiling.scored import SCORES
from segments.compiling.sources import EVENTS, ORGANISATIONS, RELATIONS
from segments.dialects.portable import InLongList, NumberList
from segments.language.conditions import Measured, Near, Rule, Scored
from segments.language.told_measures import SCORE_LABELS
from segments.telling.phrases import Phrases

Lines = Iterator[tuple[int, str]]


def told_of(
    session: Session, rule: Rule, ids: list[int], *, as_of: datetime, phrases: Phrases, most: int
) -> Lines:
    """(customer id, words) for what was told of these people that the rule asks about, at most `most` of each kind."""
    nodes = list(dict.fromkeys(rule.walk()))
    measured = [node for node in nodes if isinstance(node, Measured)]
    for name in list(dict.fromkeys(node.measure for node in measured if node.source == "events"))[:most]:
        yield from _events(session, name, ids, as_of, phrases)
    if any(node.source == "relations" for node in measured):
        yield from _relations(session, ids, as_of, phrases)
    for name in list(dict.fromkeys(node.name for node in nodes if isinstance(node, Scored)))[:most]:
        yield from _scores(session, name, ids, phrases)
    for place in [node for node in nodes if isinstance(node, Near)][:most]:
        yield from _distances(session, place, ids, phrases)


def _events(session: Session, name: str, ids: list[int], as_of: datetime, phrases: Phrases) -> Lines:
    last = func.max(type_coerce(EVENTS.c.at, BigInteger()))
    rows = session.execute(select(EVENTS.c.customer_id, last).where(
        _among(EVENTS.c.customer_id, ids), EVENTS.c.name == name, EVENTS.c.at < to_us(as_of))
        .group_by(EVENTS.c.customer_id))
    for customer_id, at_us in rows:
        day = from_us(at_us)
        yield customer_id, f"{name} {phrases.day(day, year=day.year != as_of.year)}"


def _relations(session: Session, ids: list[int], as_of: datetime, phrases: Phrases) -> Lines:
    now = to_us(as_of)
    joined = RELATIONS.outerjoin(ORGANISATIONS, ORGANISATIONS.c.id == RELATIONS.c.organisation_id)
    rows = session.execute(
        select(RELATIONS.c.customer_id, RELATIONS.c.kind, ORGANISATIONS.c.name).select_from(joined)
        .where(_among(RELATIONS.c.customer_id, ids), or_(RELATIONS.c.since_at.is_(None), RELATIONS.c.since_at <= now),
               or_(RELATIONS.c.until_at.is_(None), RELATIONS.c.until_at > now)).order_by(RELATIONS.c.id))
    for customer_id, kind, organisation in rows:
        yield customer_id, f"{kind} {phrases('where.organisation', organisation)}" if organisation else kind


def _scores(session: Session, name: str, ids: list[int], phrases: Phrases) -> Lines:
    known = SCORE_LABELS.get(name)
    label = phrases.label(known) if known else phrases("score", name)
    rows = session.execute(select(SCORES.c.customer_id, SCORES.c.value).where(
        _among(SCORES.c.customer_id, ids), SCORES.c.name == name))
    for customer_id, value in rows:
        yield customer_id, f"{label} {phrases.number(int(value) if float(value).is_integer() else value)}"


def _distances(session: Session, near: Near, ids: list[int], phrases: Phrases) -> Lines:
    """How far the person lives from the place, or from the nearest store."""
    if near.store is None:
        assert near.latitude is not None and near.longitude is not None
        point = phrases("near.point", phrases.number(near.latitude), phrases.number(near.longitude))
        spots = [(point, float(near.latitude), float(near.longitude))]
    else:
        wanted = select(STORES.c.name, STORES.c.external_id, STORES.c.latitude, STORES.c.longitude).where(
            STORES.c.latitude.is_not(None), STORES.c.longitude.is_not(None))
        if near.store != ANY_STORE:
            wanted = wanted.where(STORES.c.external_id == near.store)
        spots = [(name or number, latitude, longitude) for name, number, latitude, longitude in session.execute(wanted)]
    homes = session.execute(select(ADDRESSES.c.customer_id, ADDRESSES.c.latitude, ADDRESSES.c.longitude).where(
        _among(ADDRESSES.c.customer_id, ids), ADDRESSES.c.channel == "letter", ADDRESSES.c.latitude.is_not(None),
        ADDRESSES.c.longitude.is_not(None)))
    for customer_id, latitude, longitude in homes:
        found = min(((distance_km(latitude, longitude, *spot[1:]), spot[0]) for spot in spots), default=None)
        if found is not None:
            yield customer_id, phrases("evidence.near", phrases.number(round(found[0])), found[1])


def distance_km(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Kilometres between two points on the sphere (haversine)."""
    up = math.sin(math.radians(latitude - to_latitude) / 2)
    across = math.sin(math.radians(longitude - to_longitude) / 2)
    level = math.cos(math.radians(latitude)) * math.cos(math.radians(to_latitude))
    return 2 * EARTH_KM * math.asin(min(math.sqrt(up * up + level * across * across), 1.0))


def _among(column: object, ids: list[int]) -> InLongList:
    return InLongList(column, bindparam(None, ids, type_=NumberList(), unique=True))
