"""The rule language once more, in plain Python over plain lists: slow, obvious, and written apart from the compiler."""

import calendar
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from segments.language.operators import OPERATORS
from tests.segments.outreach import Given, Note, Used, counted
from tests.segments.told import Told, is_near, value_of

CANCELLED = "cancelled"
_TOLD_TESTS = ("equals", "at_least", "at_most", "more_than", "less_than", "between", "is_set", "is_not_set")


@dataclass
class Line:
    category: str | None
    sku: str | None
    brand: str | None
    quantity_milli: int
    unit_price_cents: int
    total_cents: int
    delivered_at: datetime | None = None
    discount_cents: int | None = None
    tax_rate: float | None = None
    unit_cost_cents: int | None = None
    returned_milli: int | None = None
    returned_at: datetime | None = None


@dataclass
class Purchase:
    at: datetime
    lines: list[Line]
    shop: str = ""
    status: str | None = None
    currency: str = "EUR"
    coupon: str | None = None
    via: str | None = None


@dataclass
class Person:
    id: int
    number: str
    first_name: str | None = None
    company: str | None = None
    birthday: date | None = None
    dunning_level: int | None = None
    preferred_channel: str | None = None
    created_at: datetime | None = None
    country: str | None = None
    city: str | None = None
    email: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    orders: list[Purchase] = field(default_factory=list)
    consents: list[tuple[str, datetime, str]] = field(default_factory=list)
    contacts: list[tuple[Any, ...]] = field(default_factory=list)  # at, kind, direction, channel, perhaps a status
    salutation: str | None = None
    last_name: str | None = None
    language: str | None = None
    timezone: str | None = None
    household: str | None = None
    phone: str | None = None
    street: str | None = None
    postal_code: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    messages: list[Note] = field(default_factory=list)
    codes: list[Given] = field(default_factory=list)
    redemptions: list[Used] = field(default_factory=list)
    told: Told = field(default_factory=Told)


def holds(rule: dict[str, Any], person: Person, as_of: datetime) -> bool:
    """Whether the rule holds for the person."""
    if "all" in rule:
        return all(holds(child, person, as_of) for child in rule["all"])
    if "any" in rule:
        return any(holds(child, person, as_of) for child in rule["any"])
    if "not" in rule:
        return not holds(rule["not"], person, as_of)
    if "customer" in rule:
        return _passes(rule, _fact(rule["customer"], person, as_of), as_of)
    if "orders" in rule:
        return _passes(rule, _measure(rule, person, as_of), as_of)
    if "bought" in rule:
        return _followed(rule, person, as_of)
    if "contacts" in rule:
        start, end = _bounds(rule.get("window"), as_of)
        where = rule.get("where", {})
        names = ("kind", "direction", "channel", "status")
        found = [contact for contact in person.contacts if start <= contact[0] < end
                 and all((*contact, None)[1 + names.index(word)] in values for word, values in where.items())]
        return _passes(rule, len(found), as_of)
    if "messages" in rule or "coupons" in rule:
        return _passes(rule, counted(rule, person, *_bounds(rule.get("window"), as_of), as_of), as_of)
    if "consent" in rule:
        said = [(at, state) for channel, at, state in person.consents if channel == rule["consent"] and at <= as_of]
        newest = max(said, key=lambda one: (one[0], one[1] != "granted"), default=(None, None))[1]
        return _passes(rule, newest, as_of)
    if "preferred_channel" in rule:
        return (person.preferred_channel or _inferred(person, as_of)) == rule["preferred_channel"]
    if "near" in rule:
        return is_near(rule["near"], (person.latitude, person.longitude))
    if rule.keys() & {"events", "relations", "score"}:
        value = value_of(rule, person.told, *_bounds(rule.get("window"), as_of), as_of)
        return _passes({key: item for key, item in rule.items() if key in _TOLD_TESTS}, value, as_of)
    sample = rule["sample"]
    digits = hashlib.md5(f"{sample['salt']}:{person.number}".encode()).hexdigest()[:8]
    return Fraction(int(digits, 16), 2**32) * 100 < Fraction(str(sample["percent"]))


def _fact(name: str, person: Person, as_of: datetime) -> Any:
    if name.startswith("attributes."):
        return person.attributes.get(name.removeprefix("attributes."))
    if name == "customer_id":
        return person.number
    value = getattr(person, "household" if name == "household_id" else name)
    return None if name == "created_at" and value is not None and value >= as_of else value


def _measure(rule: dict[str, Any], person: Person, as_of: datetime) -> Any:
    name = rule["orders"]
    matched = _matching(rule.get("where", {}), rule.get("window"), person, as_of, rule.get("nth"))
    every = [line for _order, lines in matched for line in lines]
    if name == "revenue_share":
        currency = {word: item for word, item in rule["where"].items() if word == "currency"}
        whole = _matching(currency, rule.get("window"), person, as_of, rule.get("nth"))
        return _share(sum(line.total_cents for line in every),
                      sum(line.total_cents for _order, lines in whole for line in lines))
    if name in ("net_revenue", "margin", "returned_share", "discount_share"):
        return _of_lines(name, every, as_of)
    if name in ("days_since_first", "days_since_last", "days_between", "overdue", "per_year"):
        return _rhythm(name, sorted(order.at for order, _lines in matched), as_of)
    if name == "count":
        return len(matched)
    if name == "revenue":
        return sum(line.total_cents for line in every)
    if name == "average_value":
        return Fraction(sum(line.total_cents for line in every), len(matched)) if matched else 0
    if name == "quantity":
        return Fraction(sum(line.quantity_milli for line in every), 1000)
    if name == "distinct_products":
        return len({line.sku for line in every if line.sku is not None})
    if name == "open":
        return sum(1 for _order, lines in matched
                   if any(line.delivered_at is None or line.delivered_at >= as_of for line in lines))
    if name == "days_since_delivery":
        came = [line.delivered_at for line in every if line.delivered_at is not None and line.delivered_at < as_of]
        return (as_of - max(came)) // timedelta(days=1) if came else None
    dates = [order.at for order, _lines in matched]
    return (max if name == "last_at" else min)(dates) if dates else None


def _matching(
    where: dict[str, Any], window: dict[str, Any] | None, person: Person, as_of: datetime, nth: int | None = None
) -> list[tuple[Purchase, list[Line]]]:
    """The orders that count, each with its matching lines."""
    start, end = _bounds(window, as_of)
    where = {word: [values] if isinstance(values, str) else values for word, values in where.items()}
    matched: list[tuple[Purchase, list[Line]]] = []
    orders = [order for order in person.orders
              if order.status not in ("cancelled", "canceled", "voided") and order.at < as_of]
    if nth is not None:
        # Orders are stored in the order of this list, so it breaks ties; sorting keeps it.
        orders = sorted(orders, key=lambda order: order.at)
        place = nth - 1 if nth > 0 else len(orders) + nth
        orders = orders[place:place + 1] if place >= 0 else []
    for order in orders:
        if not start <= order.at < end:
            continue
        whole = {"shop": order.shop, "status": order.status, "currency": order.currency, "coupon": order.coupon,
                 "via": order.via}
        if any(value not in where[word] for word, value in whole.items() if word in where):
            continue
        lines = [
            line for line in order.lines
            if all(getattr(line, word) in where[word] for word in ("category", "sku", "brand") if word in where)
            and line.unit_price_cents >= where.get("min_unit_price", -10**18)
        ]
        if lines:
            matched.append((order, lines))
    return matched


def _share(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole > 0 else Fraction(0)


def _of_lines(name: str, lines: list[Line], as_of: datetime) -> Any:
    came_back, discounts, net, margin, known = 0, 0, 0, 0, True
    million = 10**6
    for line in lines:
        gone = min(max(line.returned_milli or 0, 0), max(line.quantity_milli, 0))
        if line.returned_at is not None and line.returned_at >= as_of:
            gone = 0
        discount = line.discount_cents or 0
        kept = line.quantity_milli - gone
        worth = line.total_cents - discount
        if gone:
            worth = _rounded(worth * kept, line.quantity_milli)
        came_back, discounts, net = came_back + gone, discounts + discount, net + worth
        if (line.tax_rate is None and worth != 0) or (line.unit_cost_cents is None and kept != 0):
            known = False
        tax = round((line.tax_rate or 0) * million)
        margin += _rounded(worth * million, million + tax) - _rounded((line.unit_cost_cents or 0) * kept, 1000)
    if name == "net_revenue":
        return net
    if name == "margin":
        return margin if known else None
    if name == "returned_share":
        return _share(came_back, sum(max(line.quantity_milli, 0) for line in lines))
    return _share(discounts, sum(line.total_cents for line in lines))


def _rounded(amount: int, parts: int) -> int:
    """Half a cent goes up."""
    return (2 * amount + parts) // (2 * parts)


def _rhythm(name: str, times: list[datetime], as_of: datetime) -> Any:
    day = timedelta(days=1)
    if not times:
        return 0 if name == "per_year" else None
    first, last = times[0], times[-1]
    if name == "days_since_first":
        return (as_of - first) // day
    if name == "days_since_last":
        return (as_of - last) // day
    if name == "per_year":
        return len(times) / (_us(as_of - first) / _us(day * 365.25))
    if len(times) < 2:
        return None
    usual = _us(last - first) / (len(times) - 1)
    if name == "days_between":
        return usual / _us(day)
    return _us(as_of - last) / usual if usual else None


def _us(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(microseconds=1))


def _followed(rule: dict[str, Any], person: Person, as_of: datetime) -> bool:
    days = timedelta(days=rule["within_days"])
    first = [order.at for order, _lines in _matching(rule["bought"], rule.get("window"), person, as_of)]
    then = rule["then"] if "then" in rule else rule["then_not"]
    second = [order.at for order, _lines in _matching(then, None, person, as_of)]
    after = {at: any(at < later <= at + days for later in second) for at in first}
    if "then" in rule:
        return any(after.values())
    return any(at + days < as_of and not happened for at, happened in after.items())


def _passes(rule: dict[str, Any], value: Any, as_of: datetime) -> bool:
    (operator, wanted), = [(key, item) for key, item in rule.items() if key in OPERATORS]
    opposite = {"is_not": "is", "not_in": "in", "is_not_set": "is_set"}.get(operator)
    if opposite:
        return not _compared(opposite, value, wanted, as_of)
    return _compared(operator, value, wanted, as_of)


def _compared(operator: str, value: Any, wanted: Any, as_of: datetime) -> bool:
    if value is None:
        return False
    if operator == "is_set":
        return True
    if operator in ("is", "in"):
        return type(value) in (str, bool) and value in (wanted if operator == "in" else [wanted]) and (
            isinstance(value, bool) == isinstance(wanted, bool))
    if operator in ("contains", "starts_with"):
        if not isinstance(value, str):
            return False
        folded, part = value.lower(), wanted.lower()
        return part in folded if operator == "contains" else folded.startswith(part)
    if operator in ("before", "after", "within_days"):
        return _dated(operator, value, wanted, as_of)
    if isinstance(value, bool | str):
        return False
    exact = value if isinstance(value, Fraction) else Fraction(str(value))
    numbers = [Fraction(str(item)) for item in (wanted if isinstance(wanted, list) else [wanted])]
    return {
        "equals": exact == numbers[0], "at_least": exact >= numbers[0], "at_most": exact <= numbers[0],
        "more_than": exact > numbers[0], "less_than": exact < numbers[0],
        "between": numbers[0] <= exact <= numbers[-1],
    }[operator]


def _instant(value: Any) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def _dated(operator: str, value: Any, wanted: Any, as_of: datetime) -> bool:
    try:
        at = _instant(value)
    except (ValueError, AttributeError):
        return False
    if operator == "before":
        return at < _instant(wanted)
    if operator == "after":
        return at >= _instant(wanted)
    return as_of - timedelta(days=wanted) <= at < as_of


def _bounds(window: dict[str, Any] | None, as_of: datetime) -> tuple[datetime, datetime]:
    start, end = datetime(1, 1, 1, tzinfo=UTC), as_of
    if window is None:
        return start, end
    if "last_days" in window:
        return as_of - timedelta(days=window["last_days"]), as_of
    if "between_days_ago" in window:
        near, far = window["between_days_ago"]
        return as_of - timedelta(days=far), as_of - timedelta(days=near)
    if "from" in window or "until" in window:
        if "from" in window:
            start = _instant(window["from"])
        return start, min(end, _instant(window["until"])) if "until" in window else end
    key = next(key for key in window if key != "calendar")
    size = {"last_months": 1, "last_quarters": 3, "last_years": 12}[key]
    if window.get("calendar"):
        first = (as_of.month - 1) // size * size + 1
        end = as_of.replace(month=first, day=1, hour=0, minute=0, second=0, microsecond=0)
    year, month = divmod(end.year * 12 + end.month - 1 - size * window[key], 12)
    day = min(end.day, calendar.monthrange(year, month + 1)[1])
    return end.replace(year=year, month=month + 1, day=day), end


def _inferred(person: Person, as_of: datetime) -> str | None:
    weight = {"email": 0.0, "letter": 0.0, "phone": 0.0}
    for at, kind, direction, channel, *_status in person.contacts:
        if direction != "in" or kind in ("complaint", "service_request") or at > as_of:
            continue
        by_kind = {"email": "email", "mail": "email", "letter": "letter", "call": "phone", "phone": "phone"}
        used = by_kind.get(channel or "") or by_kind.get(kind)
        if used:
            weight[used] += 2 ** ((at - as_of) / timedelta(days=180))
    best = max(weight, key=lambda channel: weight[channel])
    return best if weight[best] > 0 else None
