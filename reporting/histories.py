"""Whom did past campaigns address, who of them redeemed, and what had they done before?

Owns the SQL over many campaigns at once: everybody addressed (imported people, and the enrolments of our own campaigns
but for those left alone), the overview of campaigns that are over, and each person's orders before the campaign. The
promise: orders count only up to the instant the campaign reached out, so that nothing leaks back from its redemptions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Select, Subquery, and_, case, func, literal, or_, select, type_coerce, union_all
from sqlalchemy.orm import Session

from campaigns.models import Campaign, PastPerson
from core.arrays import in_ids, in_texts
from core.errors import NotFound
from core.statistics.estimates import Interval, finite_or_none
from core.statistics.proportions import Count, rate
from core.types import to_us
from coupons.models import Redemption
from customers.models import Order
from journeys.models import Enrolment, Journey
from reporting.results import instant_text

Numbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class PastCampaign:
    """One campaign in the overview: people, redeemers within its window, redemptions, and the rate."""

    key: str
    name: str
    kind: str
    state: str
    starts_at: datetime | None
    ends_at: datetime | None
    people: int
    redeemers: int
    redemptions: int
    rate: Interval

    def to_dict(self) -> dict[str, Any]:
        """The campaign's line as JSON."""
        return {"key": self.key, "name": self.name, "kind": self.kind, "state": self.state,
                "starts_at": instant_text(self.starts_at),
                "ends_at": instant_text(self.ends_at), "people": self.people, "redeemers": self.redeemers,
                "redemptions": self.redemptions, "rate": finite_or_none(self.rate.estimate),
                "rate_low": finite_or_none(self.rate.low), "rate_high": finite_or_none(self.rate.high)}


@dataclass(frozen=True)
class Profiles:
    """Per person and campaign, equally long: orders before it, cents before it, whether the person redeemed."""

    orders: Numbers
    cents: Numbers
    redeemed: "np.ndarray[Any, np.dtype[np.bool_]]"
    currency: str
    mixed: bool


def past_campaigns(session: Session, *, now: datetime) -> list[PastCampaign]:
    """Campaigns that are over, oldest first, with their response (people left alone do not count as people)."""
    chosen = chosen_campaigns(session, None, now=now)
    each = _responses(_addressed(chosen, now=now)).subquery("responses")
    rows = {row[0]: row[1:] for row in session.execute(
        select(each.c.campaign_id, func.count(), func.count().filter(each.c.uses > 0), func.sum(each.c.uses))
        .group_by(each.c.campaign_id))}
    lines = []
    for campaign in chosen:
        count, redeemers, uses = rows.get(campaign.id, (0, 0, 0))
        starts_at, ends_at = _window(campaign)
        lines.append(PastCampaign(
            campaign.key, campaign.name, campaign.kind, campaign.state, starts_at, ends_at, count, redeemers,
            int(uses or 0), rate(Count(redeemers, count))))
    return lines


def responses(session: Session, chosen: Sequence[Campaign], *, now: datetime) -> dict[int, list[tuple[int, bool]]]:
    """Campaign id -> everybody it addressed, each with whether they redeemed within its window."""
    found: dict[int, list[tuple[int, bool]]] = {campaign.id: [] for campaign in chosen}
    for campaign_id, customer_id, uses in session.execute(_responses(_addressed(chosen, now=now))):
        found[campaign_id].append((customer_id, uses > 0))
    return found


def started_at(campaign: Campaign) -> datetime | None:
    """When a campaign started; None when that is not known."""
    return _window(campaign)[0]


def profiles(session: Session, chosen: Sequence[Campaign], *, now: datetime) -> Profiles:
    """What everybody these campaigns addressed had ordered before, in the currency most of them ordered in."""
    who = _addressed(chosen, now=now)
    people = session.execute(_responses(who)).all()
    bought = session.execute(
        select(who.c.campaign_id, who.c.customer_id, Order.currency, func.count(), func.sum(Order.total_cents))
        .join_from(who, Order, Order.customer_id == who.c.customer_id)
        .where(Order.cancelled.is_(False), type_coerce(Order.ordered_at, BigInteger) < who.c.since_us)
        .group_by(who.c.campaign_id, who.c.customer_id, Order.currency)).all()
    tally: dict[str, int] = {}
    for _campaign, _customer, currency, count, _cents in bought:
        tally[currency] = tally.get(currency, 0) + count
    main = min(tally, key=lambda name: (-tally[name], name)) if tally else (chosen[0].currency if chosen else "EUR")
    places = {(row[0], row[1]): place for place, row in enumerate(people)}
    orders, cents = np.zeros(len(people), np.int64), np.zeros(len(people), np.int64)
    for campaign_id, customer_id, currency, count, total in bought:
        place = places[campaign_id, customer_id]
        orders[place] += count
        if currency == main:
            cents[place] += int(total)
    return Profiles(orders, cents, np.array([row[2] > 0 for row in people], dtype=bool), main, len(tally) > 1)


def chosen_campaigns(session: Session, keys: Sequence[str] | None, *, now: datetime) -> list[Campaign]:
    """The named campaigns, or all that are over, by their start."""
    statement = select(Campaign)
    if keys is None:
        statement = statement.where(or_(Campaign.state == "history", Campaign.state == "ended",
                                        and_(Campaign.state == "running", Campaign.ends_at <= now)))
    else:
        statement = statement.where(in_texts(Campaign.key, keys))
    found = list(session.scalars(statement))
    missing = sorted(set(keys or ()) - {campaign.key for campaign in found})
    if missing:
        raise NotFound(f"There is no campaign called {missing[0]}.")
    return sorted(found, key=lambda campaign: (_window(campaign)[0] or now, campaign.id))


def _window(campaign: Campaign) -> tuple[datetime | None, datetime | None]:
    """When a campaign started, and when it ended (exclusive)."""
    if campaign.state != "history":
        return campaign.starts_at, campaign.ends_at
    starts = None if campaign.starts_on is None else datetime.combine(campaign.starts_on, time(), UTC)
    ends = None if campaign.ends_on is None else datetime.combine(campaign.ends_on, time(), UTC) + timedelta(days=1)
    return starts, ends


def _addressed(chosen: Sequence[Campaign], *, now: datetime) -> Subquery:
    """Everybody these campaigns addressed, once per campaign: campaign_id, key, customer_id, since_us, until_us."""
    ids = [campaign.id for campaign in chosen]
    starts = {campaign.id: _window(campaign)[0] for campaign in chosen}
    ends = {campaign.id: _window(campaign)[1] for campaign in chosen}
    since = _by_campaign({number: to_us(at) for number, at in starts.items() if at is not None}, to_us(now))
    until = _by_campaign({number: to_us(at) for number, at in ends.items() if at is not None}, to_us(now) + 1)
    past = (
        select(Campaign.id.label("campaign_id"), Campaign.key.label("key"), PastPerson.customer_id,
               since.label("since_us"), until.label("until_us"))
        .join(Campaign, Campaign.id == PastPerson.campaign_id)
        .where(in_ids(Campaign.id, ids), Campaign.state == "history"))
    own = (
        select(Campaign.id.label("campaign_id"), Campaign.key.label("key"), Enrolment.customer_id,
               type_coerce(Enrolment.entered_at, BigInteger).label("since_us"), until.label("until_us"))
        .join(Journey, Journey.id == Enrolment.journey_id).join(Campaign, Campaign.id == Journey.campaign_id)
        .where(in_ids(Campaign.id, ids), Campaign.state != "history", Enrolment.entry == 1,
               Enrolment.state != "excluded", Enrolment.held_out.is_(False)))
    return union_all(past, own).subquery("addressed")


def _by_campaign(values: dict[int, int], otherwise: int) -> Any:
    """A value per campaign inside a statement."""
    last = literal(otherwise, BigInteger)
    return case(values, value=Campaign.id, else_=last) if values else last


def _responses(who: Subquery) -> Select[Any]:
    """Per person and campaign: campaign_id, customer_id, and redemptions within the campaign's window."""
    at = type_coerce(Redemption.redeemed_at, BigInteger)
    return (
        select(who.c.campaign_id, who.c.customer_id, func.count(Redemption.id).label("uses"))
        .outerjoin(Redemption, and_(Redemption.campaign == who.c.key, Redemption.customer_id == who.c.customer_id,
                                    Redemption.state == "redeemed", at >= who.c.since_us, at < who.c.until_us))
        .group_by(who.c.campaign_id, who.c.customer_id)
    )
