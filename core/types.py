"""Which column types and value forms does every room share?

Owns the declarative base, the instant, identifier and JSON column types, and the conversions of money and time.
The promise: one stored form per kind of value, equal on SQLite, PostgreSQL and DuckDB. An instant is an integer of
microseconds since 1970 in UTC (comparisons, sorting and arithmetic then mean the same everywhere); money is integer
cents; a local date is a date.
"""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

BigId = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")


class Base(DeclarativeBase):
    """The one declarative base: every room's tables hang on its metadata."""


def to_us(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware instant; raises ValueError for a naive one."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return (instant - EPOCH) // MICROSECOND


def from_us(value: int) -> datetime:
    """The aware UTC instant of a number of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=value)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant, stored as BIGINT microseconds since 1970. Plain integers are taken as such."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        return to_us(value) if isinstance(value, datetime) else value

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_us(value)


def to_cents(amount: Decimal) -> int:
    """Cents of an amount in major units, half a cent rounded away from zero."""
    return int((amount * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))
