"""What does history say about who orders by themselves, and who redeems?

Owns fitting the model that a forecast walks with: two logistic curves over how long ago, how often and for how much
somebody has ordered (statsmodels), each judged at an instant of the past by what came after it. Where history is too
short for a curve there is one rate for everybody; where there is none, a sentence that asks for one. The promise: what
came later never tells about what was known then.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.arrays import in_ids
from core.bulk import chunks
from core.types import to_us
from coupons.models import Redemption
from customers.models import Order, OrderLine
from delivery.models import CallTask, Message
from journeys.responding import DAY_US, Curve, Numbers, Response, features_of, flat
from reporting.histories import chosen_campaigns, responses, started_at
from segments.engines.questions import Questions
from segments.language.conditions import All, InSegment

MOST_PEOPLE = 20_000
FEWEST_PEOPLE, FEWEST_HITS = 200, 20
"""With fewer people, or fewer of them who did it, one rate says as much as a curve."""
FEWEST_FOR_A_RATE = 50
MOST_CAMPAIGNS = 6
MOST_BASKETS = 2_000
_AT_ONCE = 5_000


def fit_response(
    questions: Questions, campaign: Campaign, segment: str, *, now: datetime, days: int,
    redemption_rate: float | None = None, order_rate: float | None = None,
) -> Response:
    """The model for one campaign to a segment ("": none). `redemption_rate` (of those a code reaches) and `order_rate`
    (within `days`) are what somebody said; they go before history. Raises what `Questions.ids` raises."""
    missing: list[str] = []
    if order_rate is not None:
        ordering: Curve | None = flat(order_rate, days=days, words="as given")
    else:
        ordering = _ordering(questions, campaign, segment, now=now, days=days)
    if redemption_rate is not None:
        redeeming: Curve | None = flat(redemption_rate, days=None, words="as given")
    else:
        redeeming = _redeeming(questions, campaign, now=now)
    if ordering is None:
        missing.append("There are no orders to learn from. Say what share of these people orders by itself.")
    if redeeming is None:
        missing.append("No campaign of the past tells how many redeem. Say what share of those a code reaches will.")
    with questions.database.reading() as session:
        found = Response(ordering, redeeming, baskets=_baskets(session, campaign, now=now), missing=tuple(missing))
        return _timing(session, found)


def _ordering(
    questions: Questions, campaign: Campaign, segment: str, *, now: datetime, days: int
) -> Curve | None:
    """Who of those that were in the segment so many days ago has ordered in the goal since."""
    then = now - timedelta(days=days)
    people: Sequence[int] = questions.ids(InSegment(segment), as_of=then, now=now, fresh=False).value if segment else ()
    who = "people who were in the segment then"
    if len(people) < FEWEST_PEOPLE:
        people, who = questions.ids(All(()), as_of=then, now=now, fresh=False).value, "customers"
    people = spread(people)
    with questions.database.reading() as session:
        connection = session.connection()
        features = features_of(connection, people, before_us=to_us(then))
        known = features[:, 2] > 0
        hit = set[int]()
        for part in chunks(people, _AT_ONCE):
            query = select(OrderLine.customer_id).distinct().where(
                in_ids(OrderLine.customer_id, part), OrderLine.cancelled.is_(False),
                OrderLine.ordered_at >= then, OrderLine.ordered_at < now)
            if campaign.goal_categories:
                query = query.where(OrderLine.category.in_(campaign.goal_categories))
            hit |= set(session.scalars(query))
    # Who had never ordered then may have been unknown then.
    did = np.array([customer_id in hit for customer_id in people], dtype=float)[known]
    words = f"{int(did.sum()):,} of {len(did):,} {who} ordered in {days} days"
    return fitted(features[known], did, days=float(days), words=words)


def _redeeming(questions: Questions, campaign: Campaign, *, now: datetime) -> Curve | None:
    """Who of those that past campaigns addressed has redeemed: those with the same goal, else all."""
    with questions.database.reading() as session:
        over = [each for each in chosen_campaigns(session, None, now=now)
                if each.id != campaign.id and started_at(each) is not None]
        alike = [each for each in over if each.goal_categories and each.goal_categories == campaign.goal_categories]
        chosen = (alike or over)[-MOST_CAMPAIGNS:]
        if not chosen:
            return None
        found = responses(session, chosen, now=now)
        rows, did = list[Numbers](), list[float]()
        for each in chosen:
            at, people = started_at(each), spread(found[each.id])
            if at is None or not people:
                continue
            rows.append(features_of(session.connection(), [who for who, _ in people], before_us=to_us(at)))
            did += [float(redeemed) for _who, redeemed in people]
    if not rows:
        return None
    names = "campaigns" if len(chosen) > 1 else "campaign"
    words = f"{int(sum(did)):,} of {len(did):,} people redeemed in {len(chosen)} past {names}"
    return fitted(np.vstack(rows), np.array(did), days=None, words=words)


def fitted(features: Numbers, did: Numbers, *, days: float | None, words: str) -> Curve | None:
    """The logistic curve, or one rate where it cannot be fitted; None with too few people to say anything."""
    people, hits = len(did), int(did.sum())
    if people < FEWEST_FOR_A_RATE:
        return None
    if people >= FEWEST_PEOPLE and min(hits, people - hits) >= FEWEST_HITS:
        found = _logit(features, did)
        if found is not None:
            return Curve(*found, days=days, words=f"{words} (logistic on recency, frequency and value)")
    # A half on either side (Agresti and Coull's idea): nobody so far does not mean nobody ever.
    return flat((hits + 0.5) / (people + 1), days=days, words=words, of=people)


def _logit(features: Numbers, did: Numbers) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]] | None:
    # Not statsmodels.api: it brings in time series and data sets, a second of every forecast.
    from statsmodels.discrete.discrete_model import Logit
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    if np.linalg.matrix_rank(features) < features.shape[1]:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit: Any = Logit(did, features).fit(disp=0, maxiter=50)
    except (PerfectSeparationError, np.linalg.LinAlgError):
        return None
    covariance = np.asarray(fit.cov_params())
    if not fit.mle_retvals["converged"] or not np.isfinite(covariance).all():
        return None
    return tuple(float(value) for value in fit.params), tuple(tuple(float(cell) for cell in row) for row in covariance)


def spread(people: Sequence[Any]) -> Sequence[Any]:
    """All of them, or about MOST_PEOPLE evenly spread."""
    return people[::-(-len(people) // MOST_PEOPLE) or 1]


def _baskets(session: Session, campaign: Campaign, *, now: datetime) -> tuple[int, ...]:
    """What the newest orders in the goal were worth, in cents."""
    inside = select(OrderLine.order_id).where(OrderLine.order_id == Order.id)
    if campaign.goal_categories:
        inside = inside.where(OrderLine.category.in_(campaign.goal_categories))
    return tuple(int(cents) for cents in session.scalars(
        select(Order.total_cents).where(
            Order.cancelled.is_(False), Order.currency == campaign.currency, Order.ordered_at < now,
            Order.total_cents > 0, inside.exists()).order_by(Order.id.desc()).limit(MOST_BASKETS)))


def _timing(session: Session, found: Response) -> Response:
    """How long people of this house take to redeem, and how many calls reach somebody, where enough is known."""
    length = type_coerce(Redemption.redeemed_at, BigInteger) - type_coerce(Message.expected_at, BigInteger)
    count, mean_us = session.execute(
        select(func.count(), func.avg(length)).select_from(Redemption)
        .join(Message, Message.code == Redemption.code_text)
        .where(Message.state == "sent", Redemption.redeemed_at >= Message.expected_at)).one()
    if count >= FEWEST_FOR_A_RATE and mean_us is not None:
        found = replace(found, delay_days=max(float(mean_us) / DAY_US, 0.1))
    else:
        found = replace(found, notes=(*found.notes, f"Codes are supposed to be redeemed {found.delay_days:g} days "
                                                    "after they arrive, on average."))
    made, reached = session.execute(
        select(func.count(), func.count().filter(CallTask.outcome.in_(("reached", "not_interested"))))
        .where(CallTask.state == "done")).one()
    return replace(found, reached=reached / made) if made >= FEWEST_FOR_A_RATE else found
