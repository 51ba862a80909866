"""Must this message wait, because the person rests now or has heard enough from us lately?

Owns the answer for a batch that is being claimed. The promises: it is asked under the customers' locks, and what is
being claimed counts, so two workers, two campaigns and two journeys never exceed a cap together; what waits stays in
the queue with the instant and the reason; no message that customers did something for ever waits.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Connection, Row, func, select, type_coerce

from core.arrays import in_ids
from core.types import from_us, to_us
from core.wall_clock import local_instant, zone_named
from customers.models import Customer
from delivery.contact_rules import ChannelRules, Most, Rules, contact_rules
from delivery.models import Message
from delivery.policy import channel_words

COUNTED = ("claimed", "handed_over", "sent", "uncertain")
"""States in which a message has gone out, is going, or may have gone."""
NEVER_HELD = "transactional"
DAY_US = 86_400_000_000
_PLURALS = {"email": "e-mails"}


def held_back(
    connection: Connection, rows: Sequence[Row[Any]], *, now: datetime
) -> dict[int, tuple[datetime, str]]:
    """Message id -> until when it must wait, and why; `rows` have id, customer_id, channel, message_class, quiet."""
    rules = contact_rules(connection)
    asked = [row for row in rows if row.message_class != NEVER_HELD]
    if rules.idle and not any(row.quiet for row in asked):
        return {}
    zones: dict[int, str | None] = dict(connection.execute(
        select(Customer.id, Customer.timezone)
        .where(in_ids(Customer.id, [row.customer_id for row in asked]))).all())
    heard = _heard(connection, rules, [row.customer_id for row in asked], now=now)
    found: dict[int, tuple[datetime, str]] = {}
    for row in asked:
        zone = zone_named(zones.get(row.customer_id) or rules.zone)
        until, why = now, ""
        if row.message_class == "marketing":
            until, why = _after_caps(rules, heard.get(row.customer_id, []), row.channel, now)
        if row.message_class == "marketing" or rules.rest_for_service:
            rested, said = _after_rest(_rests(rules, row), row.channel, until, zone)
            until, why = rested, why or said
        if until > now:
            found[row.id] = (until, why)
    return found


def _heard(
    connection: Connection, rules: Rules, customer_ids: Sequence[int], *, now: datetime
) -> Mapping[int, list[tuple[int, str]]]:
    """Customer -> instants and channels of the advertising that went out lately, newest first."""
    caps = [each.most for each in rules.channels.values() if each.most is not None]
    caps += [rules.together] if rules.together is not None else []
    if not caps:
        return {}
    since_us = to_us(now) - max(cap.days for cap in caps) * DAY_US
    went_us = func.coalesce(*(type_coerce(column, BigInteger) for column in (
        Message.sent_at, Message.handed_over_at, Message.claimed_at)))
    found: dict[int, list[tuple[int, str]]] = {}
    for customer_id, at_us, channel in connection.execute(
            select(Message.customer_id, went_us, Message.channel)
            .where(in_ids(Message.customer_id, customer_ids), Message.state.in_(COUNTED),
                   Message.message_class == "marketing", went_us > since_us)
            .order_by(Message.customer_id, went_us.desc())):
        found.setdefault(customer_id, []).append((at_us, channel or ""))
    return found


def _after_caps(
    rules: Rules, heard: list[tuple[int, str]], channel: str, now: datetime
) -> tuple[datetime, str]:
    own = rules.channels.get(channel, ChannelRules()).most
    until_us, why = to_us(now), ""
    words = _PLURALS.get(channel, channel_words(channel))
    for most, said, instants in ((own, words, [at for at, on in heard if on == channel]),
                                 (rules.together, "messages", [at for at, _on in heard])):
        free_us = _free_us(most, instants)
        if most is not None and free_us > until_us:
            until_us, why = free_us, f"at most {most.count} {said} in {most.days} days"
    return (from_us(until_us) if why else now), why


def _free_us(most: Most | None, instants: list[int]) -> int:
    """When one more fits under the cap; `instants` newest first."""
    return instants[most.count - 1] + most.days * DAY_US if most is not None and len(instants) >= most.count else 0


def _rests(rules: Rules, row: Row[Any]) -> list[tuple[time | None, time | None, tuple[int, ...]]]:
    """Hours and days of rest that hold for this message: the house's for its channel, and its journey's own."""
    own = rules.channels.get(row.channel, ChannelRules())
    found = [(own.rest_from, own.rest_until, own.rest_days)]
    if row.quiet:
        begin, _dash, end = row.quiet.partition("-")
        found.append((time.fromisoformat(begin), time.fromisoformat(end), ()))
    return found


def _after_rest(
    rests: Sequence[tuple[time | None, time | None, tuple[int, ...]]], channel: str, moment: datetime, zone: ZoneInfo
) -> tuple[datetime, str]:
    """The first instant from `moment` on at which nobody rests, and the reason if that is later."""
    why = ""
    for _ in range(30):  # rests that follow each other; days of rest are six of seven at most
        later = moment
        for begin, end, days in rests:
            over = rest_ends(moment, zone, begin, end, days)
            if over > later:
                later = over
                why = why or (f"quiet hours for {channel_words(channel)}, {begin:%H:%M} to {end:%H:%M}"
                              if begin and end and _inside(moment.astimezone(zone).time(), begin, end)
                              else f"a day of rest for {channel_words(channel)}")
        if later == moment:
            break
        moment = later
    return moment, why


def rest_ends(
    moment: datetime, zone: ZoneInfo, begin: time | None, end: time | None, days: Sequence[int]
) -> datetime:
    """When the rest is over that this moment lies in; the moment itself when it lies in none."""
    local = moment.astimezone(zone)
    over = moment
    if begin is not None and end is not None and _inside(local.time(), begin, end):
        day = local.date() + timedelta(days=1 if begin > end and local.time() >= begin else 0)
        over = local_instant(datetime.combine(day, end), zone)
        if over <= moment:  # this reading comes a second time tonight, and so does the end of the rest
            over = datetime.combine(day, end, zone).replace(fold=1).astimezone(UTC)
    if local.weekday() in days:
        over = max(over, local_instant(datetime.combine(local.date() + timedelta(days=1), time()), zone))
    return max(moment, over)


def _inside(clock: time, begin: time, end: time) -> bool:
    return begin <= clock < end if begin < end else clock >= begin or clock < end
