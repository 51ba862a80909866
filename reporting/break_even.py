"""Is this campaign worth it, before anything is sent?

Owns the break-even: what writing to everybody costs, how many orders on top must come of it to pay for that, and what
earlier campaigns with the same goal have caused. An order is worth its contribution (without VAT, after the cost of
goods and what came back) in the campaign's goal over the past year, less the discount; where costs are not known, the
house's own share of the value. Discounts to people who would have ordered anyway come on top; the words say so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, case, func, select
from sqlalchemy.orm import Session

from campaigns.house import house
from campaigns.models import Campaign
from campaigns.planning import campaign_by_key, list_campaigns
from core.types import to_us
from coupons.models import Offer
from journeys.editing.audience import Audience, graph_of
from journeys.graphs.graph import Graph, Leave, Send, ways_of
from reporting.reports import campaign_report
from segments.compiling.amounts import margin_cents, margin_unknown, net_cents
from segments.compiling.sources import LINES
from segments.dialects.instants import Fixed
from segments.engines.questions import Questions

DAYS = 365
NOBODY = "Nobody would be written to as things stand, so there is nothing to pay for."
ENOUGH_KNOWN = 0.5
"""Share of the lines' value whose cost must be known before the contribution is taken from them."""
MOST_PAST = 3


@dataclass(frozen=True)
class PastEffect:
    """What an earlier campaign caused: the difference of the share that ordered, with its interval, as rates."""

    name: str
    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class BreakEven:
    """Costs of every message on the longest way, against what one order on top brings; amounts in cents.

    `per_order_cents` is None when neither costs of goods nor the house's share are known, or nothing was ordered;
    `orders` and `rate` (of `people`) are None then, and when the discount eats an order's contribution whole.
    """

    people: int
    sends: int
    cost_cents: int
    by_channel: tuple[tuple[str, int, int], ...]
    per_order_cents: int | None
    discount_cents: int
    basis: str
    orders: int | None
    rate: float | None
    past: tuple[PastEffect, ...]
    currency: str

    @property
    def sentence(self) -> str:
        """The break-even in one sentence, amounts and earlier effects aside."""
        if not self.people:
            return NOBODY
        if self.orders is None or self.rate is None:
            return self.basis
        return (f"Needs {self.orders:,} extra {'order' if self.orders == 1 else 'orders'}, "
                f"{100 * self.rate:.1f} % of the {self.people:,} people written to.")


@dataclass(frozen=True)
class Worth:
    """What orders on top must come of it: of `per_order_cents` less `discount_cents` each, so many pay for all.
    `value_cents` is what an order is worth at the till."""

    per_order_cents: int | None
    discount_cents: int
    basis: str
    orders: int | None
    rate: float | None
    past: tuple[PastEffect, ...]
    value_cents: int = 0

    def sentence(self, people: int) -> str:
        """In one sentence, with what earlier campaigns with the same goal have caused."""
        if not people:
            return NOBODY
        if self.orders is None or self.rate is None:
            return self.basis
        said = (f"Needs {self.orders:,} extra {'order' if self.orders == 1 else 'orders'}, "
                f"{100 * self.rate:.1f} % of the {people:,} people written to")
        if not self.past:
            return f"{said}."
        if len(self.past) == 1:
            last = self.past[0]
            return (f"{said}; the last one with this goal caused {_points(last.estimate)} % "
                    f"({_points(last.low)} to {_points(last.high)} %).")
        caused = sorted(each.estimate for each in self.past)
        return (f"{said}; the last {len(caused)} with this goal caused {_points(caused[0])} to "
                f"{_points(caused[-1])} %.")


def _points(rate: float) -> str:
    return f"{100 * rate:.1f}".replace("-", "\N{MINUS SIGN}")


def break_even(questions: Questions, key: str, found: Audience, *, now: datetime) -> BreakEven:
    """The break-even of a campaign whose reach is `found`. Raises NotFound, NotReady, TooSlow."""
    with questions.database.reading() as session:
        campaign = campaign_by_key(session, key)
        graph = graph_of(session, campaign)[1]
        prices = house(session).prices
        sends = _most_sends(graph) if graph is not None else 1
        by_channel = tuple((channel, people, sends * prices[channel].cents(people))
                           for channel, people in found.spoken_to if people)
    people, cost = sum(line[1] for line in by_channel), sum(line[2] for line in by_channel)
    worth = worth_it(questions, campaign, graph, people=people, cost_cents=cost, now=now)
    return BreakEven(people, sends, cost, by_channel, worth.per_order_cents, worth.discount_cents, worth.basis,
                     worth.orders, worth.rate, worth.past, campaign.currency)


def worth_it(
    questions: Questions, campaign: Campaign, graph: Graph | None, *, people: int, cost_cents: int, now: datetime
) -> Worth:
    """What has to come of writing to so many people at this cost."""
    with questions.database.reading() as session:
        margin_rate = house(session).margin_rate
        past = _past(session, campaign, now=now)
    worth, value, basis = _order_worth(questions, campaign, margin_rate, now=now)
    with questions.database.reading() as session:
        discount = _discount(session, graph, value)
    left = None if worth is None else worth - discount
    if left is not None and left <= 0:
        basis = "The discount is larger than what an order brings, so no number of orders pays for it."
    orders = math.ceil(cost_cents / left) if left is not None and left > 0 and people else None
    return Worth(worth, discount, basis, orders, None if orders is None else orders / people, past, value)


def _order_worth(
    questions: Questions, campaign: Campaign, margin_rate: float | None, *, now: datetime
) -> tuple[int | None, int, str]:
    """What an order in the goal brings and what it is worth at the till, in cents; and where this comes from."""
    row = questions.read(_orders(campaign, now), now=now).value[0]
    orders, net, known_value, margin = (int(value or 0) for value in row)
    where = "in " + ", ".join(campaign.goal_categories) if campaign.goal_categories else "of any kind"
    if not orders or net <= 0:
        return None, 0, f"Nobody ordered {where} in the last {DAYS} days, so there is nothing to reckon with."
    value = round(net / orders)
    if known_value >= ENOUGH_KNOWN * net:
        return round(margin / known_value * value), value, f"the mean of {orders:,} orders {where} in {DAYS} days"
    if margin_rate is not None:
        return round(margin_rate * value), value, f"{100 * margin_rate:g} % of {orders:,} orders' value {where}"
    return None, value, ("What goods cost is not known. Say under House rules what share of an order's value stays, "
                         "and the break-even stands here.")


def _orders(campaign: Campaign, now: datetime) -> Select[*tuple[Any, ...]]:
    cuts = Fixed(now)
    known = ~margin_unknown(cuts)
    holds = [~LINES.c.cancelled, LINES.c.currency == campaign.currency, LINES.c.ordered_at < to_us(now),
             LINES.c.ordered_at >= to_us(now - timedelta(days=DAYS))]
    if campaign.goal_categories:
        holds.append(LINES.c.category.in_(campaign.goal_categories))
    return select(
        func.count(LINES.c.order_id.distinct()), func.sum(net_cents(cuts)),
        func.sum(case((known, net_cents(cuts)), else_=0)), func.sum(case((known, margin_cents(cuts)), else_=0)),
    ).where(and_(*holds))


def _most_sends(graph: Graph) -> int:
    """Messages on the longest way; a way that turns round counts each step once."""
    best, ahead = 0, [(graph.start, frozenset[str](), 0)]
    looked = 0
    while ahead and looked < 20_000:
        looked += 1
        here, seen, sends = ahead.pop()
        step = graph.steps.get(here)
        if step is None or here in seen:
            continue
        sends += isinstance(step, Send)
        best = max(best, sends)
        if not isinstance(step, Leave):
            ahead += [(target, seen | {here}, sends) for target in set(ways_of(step).values())]
    return best


def _discount(session: Session, graph: Graph | None, value: int) -> int:
    """What the offers of the journey take off an order of this value, their mean."""
    keys = {step.offer for step in graph.steps.values() if isinstance(step, Send) and step.offer} if graph else set()
    offers = list(session.scalars(select(Offer).where(Offer.key.in_(sorted(keys)))))
    taken = [_taken(offer, value) for offer in offers]
    return round(sum(taken) / len(taken)) if taken else 0


def _taken(offer: Offer, value: int) -> int:
    if offer.percent_bp is not None:
        found = value * offer.percent_bp // 10_000
        return found if offer.cap_cents is None else min(found, offer.cap_cents)
    return min(offer.amount_cents or 0, value)


def _past(session: Session, campaign: Campaign, *, now: datetime) -> tuple[PastEffect, ...]:
    """What the newest campaigns with the same goal have caused."""
    found: list[PastEffect] = []
    for each in _alike(session, campaign):
        report = campaign_report(session, each.key, now=now)
        effect = report.effect.judged(report.judged) if report.effect is not None else None
        if effect is not None and math.isfinite(effect.low):
            found.append(PastEffect(each.name, effect.estimate, effect.low, effect.high))
        if len(found) == MOST_PAST:
            break
    return tuple(found)


def _alike(session: Session, campaign: Campaign) -> Sequence[Campaign]:
    goal = set(campaign.goal_categories)
    return [each for each in list_campaigns(session, kind="journey")
            if each.id != campaign.id and each.state in ("running", "paused", "ended")
            and set(each.goal_categories) == goal][:2 * MOST_PAST]
