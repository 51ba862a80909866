"""Who lives within so many kilometres of a place or of a store?

Owns the SQL of distances over the sphere (haversine, mean radius 6,371.0088 km), written with sine and cosine alone so
that every engine means the same. A box of latitudes and longitudes comes first and leaves little to compute. Nobody
without coordinates is near anything. Stores and addresses have no history: the rule sees them as they are now.
"""

import math
from typing import Any

from sqlalchemy import ColumnElement, Double, Select, Table, func, literal, or_, select

from customers.models import Address, Store
from segments.language.conditions import Near

ADDRESSES: Table = Address.__table__  # type: ignore[assignment]
STORES: Table = Store.__table__  # type: ignore[assignment]

EARTH_KM = 6371.0088
FARTHEST_KM = 20_015.1
"""Half around the world; nothing is farther."""
ANY_STORE = "any"
_MARGIN = 1e-6
"""Degrees by which boxes are drawn wider than the circle, so that rounding cuts nobody off."""


def living_near(rule: Near) -> Select[Any]:
    """The ids of customers whose postal address has coordinates within the circle, or within that of some store."""
    people = select(ADDRESSES.c.customer_id).where(ADDRESSES.c.channel == "letter")
    latitude, longitude = ADDRESSES.c.latitude, ADDRESSES.c.longitude
    reach = math.degrees(rule.km / EARTH_KM) + _MARGIN
    if rule.store is None:
        assert rule.latitude is not None and rule.longitude is not None
        place = (_number(rule.latitude), _number(rule.longitude))
        return people.where(latitude.between(_number(rule.latitude - reach), _number(rule.latitude + reach)),
                            *_between_meridians(longitude, rule.latitude, rule.longitude, reach),
                            _within(rule.km, latitude, longitude, *place))
    close = (latitude >= STORES.c.latitude - _number(reach)) & (latitude <= STORES.c.latitude + _number(reach))
    people = people.select_from(ADDRESSES.join(STORES, close)).where(
        _within(rule.km, latitude, longitude, STORES.c.latitude, STORES.c.longitude))
    return people if rule.store == ANY_STORE else people.where(STORES.c.external_id == rule.store)


def _between_meridians(
    column: ColumnElement[Any], latitude: float, longitude: float, reach: float
) -> list[ColumnElement[bool]]:
    """The longitudes that the circle touches; none when it holds a pole."""
    if abs(latitude) + reach >= 90:
        return []
    width = math.degrees(math.asin(min(math.sin(math.radians(reach)) / math.cos(math.radians(latitude)), 1)))
    west, east = longitude - width - _MARGIN, longitude + width + _MARGIN
    if west >= -180 and east <= 180:
        return [column.between(_number(west), _number(east))]
    # Over the date line: what sticks out on one side is the other end of the map.
    return [or_(column >= _number(west if west >= -180 else west + 360),
                column <= _number(east if east <= 180 else east - 360))]


def _within(
    km: float, latitude: ColumnElement[Any], longitude: ColumnElement[Any], to_latitude: ColumnElement[Any],
    to_longitude: ColumnElement[Any],
) -> ColumnElement[bool]:
    """The haversine of the angle between two points is at most that of `km`."""
    radians = _number(math.pi / 180)
    half = _number(math.pi / 360)
    up: ColumnElement[float] = func.sin((latitude - to_latitude) * half, type_=Double())
    across: ColumnElement[float] = func.sin((longitude - to_longitude) * half, type_=Double())
    level = _cosine(latitude * radians) * _cosine(to_latitude * radians)
    edge = 2.0 if km >= FARTHEST_KM else math.sin(km / EARTH_KM / 2) ** 2
    return up * up + level * across * across <= _number(edge)


def _cosine(angle: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.cos(angle, type_=Double())


def _number(value: float) -> ColumnElement[Any]:
    return literal(float(value), Double())
