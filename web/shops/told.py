"""What does a delivery of any shop system say, in our words?

Owns the common form that every adapter reads its payload into, the closed list of what may be odd about it, and reading
single values defensively: a shop's JSON is hostile until it has been through here.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from core.errors import Invalid
from core.types import to_cents
from customers.reported import ReportedOrder, ReportedPerson

MAX_LINES = 1000
AHEAD = timedelta(days=7)
"""How far a shop's clock may be ahead of ours."""
MAX_MAJOR = Decimal(10) ** 11

ODD: dict[str, str] = {
    "totals_differ": "The order's total is not the sum of its lines; the lines were taken.",
    "negative_line": "Lines with a negative quantity or price were left out.",
    "other_currency": "The order is in another currency than the shop's usual one.",
    "refund_too_large": "More was refunded than the goods cost; all of them count as returned.",
    "in_future": "Its time lies more than a week ahead; the time at which it came was taken.",
    "test": "A test, which is read and not recorded.",
}


@dataclass(frozen=True)
class ToldCode:
    """One coupon code on an order and what it took off, VAT in."""

    code: str
    discount_cents: int


@dataclass(frozen=True)
class Told:
    """One order's full state. `removed`: the shop deleted it, and only its number is known.

    `refunded_cents`: goods given back in money where the shop does not say which lines; None: the lines say it.
    """

    number: str
    modified_at: datetime
    order: ReportedOrder | None
    codes: tuple[ToldCode, ...] = ()
    refunded_cents: int | None = None
    removed: bool = False
    odd: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotOurs:
    """A delivery that says nothing we keep, with the reason."""

    reason: str
    order_ref: str | None = None


@dataclass
class Oddities:
    """Collects what is odd while a payload is read."""

    found: list[str] = field(default_factory=list)

    def note(self, word: str) -> None:
        if word not in self.found:
            self.found.append(word)

    def check_total(self, stated_cents: int | None, sum_cents: int, *, lines: int) -> None:
        """Note a stated total that is another one than the lines' sum; where lines were left out, it has to be."""
        if "negative_line" not in self.found and differs(stated_cents, sum_cents, lines=lines):
            self.note("totals_differ")

    def as_told(self) -> tuple[str, ...]:
        return tuple(word for word in ODD if word in self.found)


def not_ahead(told: Told, *, received_at: datetime, now: datetime) -> Told:
    """The same with times more than a week ahead of us put where it came: else no later state would count."""
    latest = max(received_at, now) + AHEAD
    order = told.order
    if told.modified_at <= latest and (order is None or order.ordered_at <= latest):
        return told
    modified_at = told.modified_at if told.modified_at <= latest else received_at
    if order is not None:
        order = replace(order, modified_at=modified_at,
                        ordered_at=order.ordered_at if order.ordered_at <= latest else received_at)
    return replace(told, modified_at=modified_at, order=order, odd=(*told.odd, "in_future"))


def part(value: Any, name: str) -> dict[str, Any]:
    """A JSON object. Raises Invalid."""
    if not isinstance(value, dict):
        raise Invalid("Expected an object here.", place=name)
    return value


def parts(value: Any, name: str) -> list[dict[str, Any]]:
    """A list of JSON objects; null is an empty one. Raises Invalid."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_LINES:
        raise Invalid(f"Expected a list of at most {MAX_LINES} here.", place=name)
    return [part(each, f"{name}[{place}]") for place, each in enumerate(value)]


def some(value: Any) -> dict[str, Any]:
    """A JSON object that may be missing: anything else is an empty one."""
    return value if isinstance(value, dict) else {}


def person(number: str | None, email: Any, first_name: Any, last_name: Any) -> ReportedPerson:
    """Who ordered: the shop's number for them, and what is shown, cut to size."""
    return ReportedPerson(number, clipped(email, 254), clipped(first_name, 100), clipped(last_name, 100))


def words(value: Any, name: str, *, longest: int = 200) -> str | None:
    """Text, trimmed; numbers count as text; empty is None. Raises Invalid."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Invalid("Expected text here.", place=name)
    text = str(value).strip()
    if len(text) > longest or not all(letter.isprintable() for letter in text):
        raise Invalid(f"Expected at most {longest} printable characters here.", place=name)
    return text or None


def needed(value: Any, name: str, *, longest: int = 200) -> str:
    """Text that must be there. Raises Invalid."""
    text = words(value, name, longest=longest)
    if text is None:
        raise Invalid("This is missing.", place=name)
    return text


def clipped(value: Any, longest: int) -> str | None:
    """Text for showing, cut to size; anything that is no text is None."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    text = "".join(letter for letter in str(value) if letter.isprintable()).strip()[:longest]
    return text or None


def number(value: Any, name: str) -> Decimal:
    """A decimal number; null is 0. Raises Invalid for anything else, too large ones included."""
    if value is None or value == "":
        return Decimal(0)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Invalid("Expected a number here.", place=name)
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        raise Invalid(f"{str(value)[:40]!r} is not a number.", place=name) from None
    if not found.is_finite():
        raise Invalid(f"{str(value)[:40]!r} is not a number.", place=name)
    if abs(found) > MAX_MAJOR:
        raise Invalid(f"{str(value)[:40]!r} is too large.", place=name)
    return found


def cents(value: Any, name: str) -> int:
    """An amount in major units as cents. Raises Invalid."""
    return to_cents(number(value, name))


def whole(value: Any, name: str) -> int:
    """A whole number of cents; null is 0. Raises Invalid."""
    found = number(value, name)
    if found != found.to_integral_value():
        raise Invalid("Expected a whole number of cents here.", place=name)
    return int(found)


def instant(value: Any, name: str, *, zone: str = "UTC") -> datetime | None:
    """An ISO 8601 instant; without an offset it is local to `zone`; null is None. Raises Invalid."""
    text = words(value, name, longest=40)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))
        found = found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(f"{text!r} is not an instant such as 2026-03-02T10:00:00Z.", place=name) from None
    if not 1980 <= found.year <= 2200:
        raise Invalid(f"{text!r} is not an instant of our time.", place=name)
    return found


def must_be(at: datetime | None, name: str) -> datetime:
    """An instant that must be there. Raises Invalid."""
    if at is None:
        raise Invalid("This is missing.", place=name)
    return at


def differs(stated_cents: int | None, sum_cents: int, *, lines: int) -> bool:
    """Whether a stated total is another one than the sum, beyond a cent of rounding for each line."""
    return stated_cents is not None and abs(stated_cents - sum_cents) > max(lines, 2)


def currency_of(value: Any, name: str) -> str:
    """A currency's three letters. Raises Invalid."""
    text = needed(value, name, longest=3).upper()
    if len(text) != 3 or not (text.isascii() and text.isalpha()):
        raise Invalid(f"{text!r} is not a currency such as EUR.", place=name)
    return text
