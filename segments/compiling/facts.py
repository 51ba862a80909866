"""What is known about the person alone: fields, attributes, addresses, distances, consent, channel, scores, samples?

Owns the SQL of every condition that is not about a pile of rows. Each is written so that a missing value makes the
condition false and its opposite true.
"""

from collections.abc import Callable
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Select,
    Table,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    type_coerce,
)

from core.types import to_us
from customers.models import Address, Consent, Customer
from delivery.policy import CHANNELS as BY_COST
from delivery.preference import ASIDE, CHANNEL_OF_KIND, HALF_LIFE
from segments.compiling.near import living_near
from segments.compiling.scored import SCORES, scoring
from segments.compiling.sources import CONTACTS
from segments.dialects.instants import Cuts, first_day_from, instant, last_days_on, last_days_us
from segments.dialects.portable import (
    attribute,
    attribute_any,
    attribute_flag,
    attribute_number,
    attribute_text,
    in_words,
)
from segments.language.conditions import ConsentIs, CustomerIs, Listed, Near, Prefers, Rule, Sampled, Scored, Test
from segments.language.fields import Field, field_of
from segments.language.operators import compare, opposite, straight
from segments.language.windows import months_before
from segments.models import ListedPerson

CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]
ADDRESSES: Table = Address.__table__  # type: ignore[assignment]
CONSENTS: Table = Consent.__table__  # type: ignore[assignment]
LISTED: Table = ListedPerson.__table__  # type: ignore[assignment]


def needs_person(rule: Rule) -> bool:
    """Whether the condition reads the row of `customers` itself, not only its id."""
    if isinstance(rule, CustomerIs):
        return field_of(rule.field).channel is None
    return isinstance(rule, Prefers | Sampled)


def fact(
    rule: Rule, holds: bool, person: ColumnElement[Any], cuts: Cuts, *, correlated: bool,
    within: Select[int] | None = None,
) -> ColumnElement[bool]:
    """The SQL of a condition, or of its exact opposite; `correlated` suits a small batch of people.

    Nobody but those `within`, ids of people still in question, needs to be looked at.
    """
    if isinstance(rule, CustomerIs):
        test, positive = straight(rule.test)
        holds = holds == positive
        field = field_of(rule.field)
        if field.kind == "any":
            return _attribute(field, test, holds, cuts)
        if field.channel is None:
            return _own(field, test, holds, cuts)
        column = ADDRESSES.c[field.column]
        mine = select(ADDRESSES.c.customer_id).where(ADDRESSES.c.channel == field.channel,
                                                     compare(test, column, _bound(test, field, cuts)))
        return _somewhere(mine, ADDRESSES.c.customer_id, holds, person, correlated)
    if isinstance(rule, ConsentIs):
        test, positive = straight(rule.test)
        mine = _consenting(rule.channel, test, cuts, correlated=correlated, within=within)
        return _somewhere(mine, mine.selected_columns[0], holds == positive, person, correlated)
    if isinstance(rule, Listed):
        mine = select(LISTED.c.customer_id).where(LISTED.c.segment_id == rule.segment_id)
        return _somewhere(mine, LISTED.c.customer_id, holds, person, correlated)
    if isinstance(rule, Prefers):
        preferring = _preferring(rule.channels, cuts, person)
        return preferring if holds else not_(preferring)
    if isinstance(rule, Scored):
        test, positive = straight(rule.test)
        return _somewhere(scoring(rule.name, test), SCORES.c.customer_id, holds == positive, person, correlated)
    if isinstance(rule, Near):
        return _somewhere(living_near(rule), ADDRESSES.c.customer_id, holds, person, correlated)
    assert isinstance(rule, Sampled)
    return _sampled(rule, holds)


def _somewhere(
    mine: Select[Any], owner: ColumnElement[Any], holds: bool, person: ColumnElement[Any], correlated: bool
) -> ColumnElement[bool]:
    """The person owns one of these rows, or none: a semi-join or an anti-join."""
    if holds and not correlated:
        return person.in_(mine.correlate(None))
    some = exists(mine.where(owner == person).correlate(person.table))
    return some if holds else not_(some)


def _bound(test: Test, field: Field, cuts: Cuts) -> Any:
    value: Any = test.value
    if test.operator == "within_days":
        return last_days_on(cuts, value) if field.kind == "date" else last_days_us(cuts, value)
    return to_us(value) if isinstance(value, datetime) else value


def _own(field: Field, test: Test, holds: bool, cuts: Cuts) -> ColumnElement[bool]:
    column: ColumnElement[Any] = CUSTOMERS.c[field.column]
    if field.kind == "instant":
        raw = type_coerce(column, BigInteger())
        column = case((raw < instant(cuts, lambda as_of: as_of), raw))
    comparison = compare(test, column, _bound(test, field, cuts))
    return comparison if holds else opposite(comparison, column)


def _attribute(field: Field, test: Test, holds: bool, cuts: Cuts) -> ColumnElement[bool]:
    column, key = CUSTOMERS.c.attributes, field.column and field.name.split(".", 1)[1]
    value: Any = test.value
    if test.operator == "is_set":
        comparison: ColumnElement[bool] = attribute(attribute_any, column, key).is_not(None)
    elif test.operator in ("before", "after", "within_days"):
        comparison = _dated_attribute(attribute(attribute_text, column, key), test, cuts)
    elif isinstance(value, bool):
        comparison = attribute(attribute_flag, column, key) == ("true" if value else "false")
    elif test.operator in ("is", "in", "contains", "starts_with"):
        comparison = compare(test, attribute(attribute_text, column, key), value)
    else:
        comparison = compare(test, attribute(attribute_number, column, key), _doubles(value))
    return comparison if holds else not_(func.coalesce(comparison, false()))


def _doubles(value: Any) -> Any:
    return tuple(map(float, value)) if isinstance(value, tuple) else float(value)


def _dated_attribute(text: ColumnElement[Any], test: Test, cuts: Cuts) -> ColumnElement[bool]:
    """Dates among the attributes are ISO texts; anything else is no date and therefore missing."""
    day = case((text.like("____-__-__%"), func.substr(text, 1, 10)))
    value: Any = test.value
    if test.operator == "within_days":
        return compare(test, day, last_days_on(cuts, value, text=True))
    return compare(test, day, date.isoformat(first_day_from(value)))


def _consenting(
    channel: str, test: Test, cuts: Cuts, *, correlated: bool, within: Select[int] | None
) -> Select[Any]:
    """Whose newest statement about the channel, at or before `as_of`, passes the test.

    Of two at one instant a refusal counts, as in customers/consents.py. For everybody one pass that groups is quickest,
    for a batch the index on the person.
    """
    said = select(CONSENTS.c.customer_id).where(
        CONSENTS.c.channel == channel, CONSENTS.c.at <= instant(cuts, lambda as_of: as_of))
    if within is not None:
        said = said.where(CONSENTS.c.customer_id.in_(within))
    if test.operator == "is_set":
        return said
    wanted: Any = {test.value} if isinstance(test.value, str) else set(test.value)  # type: ignore[arg-type]
    granted = CONSENTS.c.state == "granted"
    if not correlated and wanted in ({"granted"}, {"denied", "withdrawn"}):
        rank = type_coerce(CONSENTS.c.at, BigInteger()) * 2 + case((granted, 0), else_=1)
        passing = granted if wanted == {"granted"} else not_(granted)
        newest = said.group_by(CONSENTS.c.customer_id).having(func.max(rank) == func.max(case((passing, rank))))
        return select(newest.subquery().c.customer_id)
    later = CONSENTS.alias()
    refusal, later_refusal = (case((table.c.state == "granted", 0), else_=1) for table in (CONSENTS, later))
    overruled = exists().where(
        later.c.customer_id == CONSENTS.c.customer_id, later.c.channel == channel,
        later.c.at <= instant(cuts, lambda as_of: as_of), later.c.at >= CONSENTS.c.at,
        or_(later.c.at > CONSENTS.c.at, later_refusal > refusal,
            and_(later_refusal == refusal, later.c.id > CONSENTS.c.id)),
    )
    return said.where(compare(test, CONSENTS.c.state, test.value), not_(overruled.correlate(CONSENTS)))


def _preferring(channels: tuple[str, ...], cuts: Cuts, person: ColumnElement[Any]) -> ColumnElement[bool]:
    wish = CUSTOMERS.c.preferred_channel
    return or_(and_(wish.is_not(None), in_words(wish, channels)),
               and_(wish.is_(None), person.in_(_inferred(channels, cuts))))


def _inferred(channels: tuple[str, ...], cuts: Cuts) -> Select[Any]:
    """Who mostly used one of these channels: the formula of delivery/preference.py, over all its channels."""
    noted, kind = CONTACTS.c.channel, CONTACTS.c.kind
    own_word: dict[str, Any] = {channel: channel for channel in BY_COST} | CHANNEL_OF_KIND
    channel = func.coalesce(case(own_word, value=noted), case(CHANNEL_OF_KIND, value=kind)).label("channel")
    now: Callable[[], Any] = lambda: instant(cuts, lambda as_of: as_of)
    age = (type_coerce(CONTACTS.c.at, BigInteger()) - now()) / literal(HALF_LIFE.total_seconds() * 1e6, Double())
    single = (
        select(CONTACTS.c.customer_id, channel, func.power(literal(2.0, Double()), age).label("weight"))
        .where(CONTACTS.c.direction == "in", kind.not_in(ASIDE), CONTACTS.c.at <= now(),
               # Older contacts weigh nothing, and PostgreSQL refuses numbers that small.
               CONTACTS.c.at > instant(cuts, lambda as_of: months_before(as_of, 1200)))
        .correlate(None).subquery()
    )
    heard = select(single.c.customer_id, single.c.channel, func.sum(single.c.weight).label("weight")).where(
        single.c.channel.is_not(None)).group_by(single.c.customer_id, single.c.channel).subquery()
    cheaper = case({name: number for number, name in enumerate(BY_COST)}, value=heard.c.channel)
    place = func.row_number().over(partition_by=heard.c.customer_id, order_by=(heard.c.weight.desc(), cheaper))
    ranked = select(heard.c.customer_id, heard.c.channel, place.label("place")).subquery()
    return select(ranked.c.customer_id).where(ranked.c.place == 1, in_words(ranked.c.channel, channels))


def _sampled(rule: Sampled, holds: bool) -> ColumnElement[bool]:
    """The first 8 hex digits of md5(`salt:customer_id`) below the percentage; hex digits sort as numbers do."""
    edge = -(-Fraction(str(rule.percent)) * 2**32 // 100)
    if edge <= 0 or edge >= 2**32:
        return true() if (edge > 0) == holds else false()
    digits = func.substr(func.md5(literal(f"{rule.salt}:").concat(CUSTOMERS.c.external_id)), 1, 8)
    return digits < f"{edge:08x}" if holds else digits >= f"{edge:08x}"
