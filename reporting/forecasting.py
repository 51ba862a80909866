"""What does a forecast say to somebody who has to decide?

Owns the finished forecast: the counts of the imagined course with what they cost, codes against stock, money against
the budget, the expected redemptions and orders with their intervals from the model's draws, what the comparison could
show, and how many orders on top would pay for it. The promise: a number that rests on an assumption says so.
"""

import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.house import house
from campaigns.models import Campaign
from core.statistics.clusters import design_effect_of_rate
from core.statistics.estimates import finite_or_none
from core.statistics.power import smallest_lift_of_rate
from coupons.models import Code, Offer
from journeys.entry.ranking import ranking_from
from journeys.forecasting.asking import Wish
from journeys.forecasting.playing import Drafted, Frame, Outlook, Surroundings, frame, play
from journeys.forecasting.tallying import Days, StepDays
from journeys.responding import Curve, Response
from reporting.break_even import Worth, worth_it
from reporting.response_model import fit_response
from reporting.results import instant_text
from segments.engines.questions import Questions

INTERVAL = (5, 95)
"""Percentiles of the draws: nine of ten times it lies between."""


def forecast(
    around: Surroundings, campaign_key: str, asked: Wish, *, now: datetime, drafted: Drafted | None = None
) -> dict[str, Any]:
    """The forecast of a campaign, or of a file, as a JSON object (docs/campaigns.md says what its fields mean).

    Raises NotFound, Conflict and InvalidPlan where nothing could happen, NotReady and TooSlow.
    """
    with around.database.reading() as session:
        what = frame(session, campaign_key, now=now, days=asked.days, drafted=drafted)
    model = fit_response(around.questions, what.campaign, what.graph.segment, now=now, days=asked.days,
                         redemption_rate=asked.redemption_rate, order_rate=asked.order_rate)
    worth = worth_it(around.questions, what.campaign, what.graph, people=0, cost_cents=0, now=now)
    ranking = _ranking(model, worth)
    found = play(around, what, model, now=now, ranking=ranking)
    days = _days(found)
    with around.database.reading() as session:
        costs = _costs(session, what.campaign, found, days)
        codes = _codes(session, found)
    response = _responses(found, model)
    return {
        "as_of": instant_text(now), "from": instant_text(found.begins_at), "until": instant_text(found.until),
        "days": [day.isoformat() for day in days],
        "audience": {"people": found.audience, "walked": found.walked, "entered": found.tally.entered,
                     "held_out": found.tally.held_out, "left_out": dict(found.tally.kept_out),
                     "told": found.tally.told, "inside_at_the_end": found.tally.standing},
        "steps": [_step(step) for step in found.tally.steps],
        "messages": {channel: _plain(counts) for channel, counts in _by_channel(found).items()},
        "letters": _total(found, "letter"), "calls": _total(found, "phone"),
        "codes": codes, "cost": costs, "stopped": _stopped(found), "response": response,
        "power": _power(found, response), "worth": _worth(around.questions, what, found, costs, now=now),
        "ranking": ranking, "missing": list(model.missing), "notes": [*found.notes, *_said(model)],
        "took_seconds": round(found.took_seconds, 1),
    }


def _days(found: Outlook) -> list[date]:
    """Every day from the first on which anything happens to the last, quiet ones too."""
    busy = [day for step in found.tally.steps for counts in (step.people, *step.channels.values()) for day in counts]
    if not busy:
        return []
    return [min(busy) + timedelta(days=number) for number in range((max(busy) - min(busy)).days + 1)]


def _step(step: StepDays) -> dict[str, Any]:
    return {"step": step.step, "people": sum(step.people.values()), "by_day": _plain(step.people),
            "channels": {channel: {"people": sum(counts.values()), "by_day": _plain(counts)}
                         for channel, counts in step.channels.items()},
            "silent": dict(step.silent)}


def _plain(counts: Days) -> dict[str, int]:
    return {day.isoformat(): count for day, count in counts.items() if count}


def _by_channel(found: Outlook) -> dict[str, Days]:
    total: dict[str, dict[date, int]] = {}
    for step in found.tally.steps:
        for channel, counts in step.channels.items():
            for day, count in counts.items():
                total.setdefault(channel, {})[day] = total.get(channel, {}).get(day, 0) + count
    return {channel: dict(sorted(counts.items())) for channel, counts in sorted(total.items())}


def _total(found: Outlook, channel: str) -> int:
    return sum(sum(step.channels.get(channel, {}).values()) for step in found.tally.steps)


def _stopped(found: Outlook) -> list[dict[str, Any]]:
    """Why people do not enter, or hear nothing, with how many times."""
    reasons: dict[str, int] = {}
    for step in found.tally.steps:
        for reason, count in step.silent.items():
            reasons[reason] = reasons.get(reason, 0) + count
    return [{"reason": reason, "people": count}
            for reason, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))]


def _costs(session: Session, campaign: Campaign, found: Outlook, days: list[date]) -> dict[str, Any]:
    """Each step's run of a channel is priced by its size; its cost falls on the days by their pieces."""
    prices = house(session).prices
    by_channel: dict[str, int] = {}
    by_day = dict.fromkeys(days, 0.0)
    for step in found.tally.steps:
        for channel, counts in step.channels.items():
            pieces = sum(counts.values())
            cents = prices[channel].cents(pieces)
            by_channel[channel] = by_channel.get(channel, 0) + cents
            for day, count in counts.items():
                by_day[day] += cents * count / pieces
    spent, over_on = 0.0, None
    for day in days:
        spent += by_day[day]
        if over_on is None and campaign.budget_cents is not None and round(spent) > campaign.budget_cents:
            over_on = day.isoformat()
    return {"cents": sum(by_channel.values()), "by_channel": by_channel, "discount_cents": found.discount_cents,
            "budget_cents": campaign.budget_cents, "over_budget_on": over_on, "currency": campaign.currency}


def _codes(session: Session, found: Outlook) -> list[dict[str, Any]]:
    """Codes needed per offer, against those that lie ready; None: they are made as they are needed."""
    stock: Mapping[str, int] = dict(session.execute(
        select(Offer.key, func.count(Code.id)).outerjoin(Code, (Code.offer_id == Offer.id) & (Code.state == "stock"))
        .where(Offer.key.in_(sorted(found.tally.codes)), Offer.code_source == "pool").group_by(Offer.key)).all())
    return [{"offer": key, "needed": count, "stock": stock.get(key)} for key, count in found.tally.codes.items()]


def _responses(found: Outlook, model: Response) -> dict[str, Any]:
    """Redeemers among those a code reaches, and people who order by themselves, each with its interval."""
    scale = found.audience / found.walked if found.walked else 1.0
    length = (found.until - found.begins_at).total_seconds() / 86_400
    answer: dict[str, Any] = {"redemptions": None, "orders_anyway": None, "walked_redemptions": found.redemptions,
                              "walked_orders": found.orders}
    for name, curve, places, over in (
            ("redemptions", model.redeeming, found.told, None),
            ("orders_anyway", model.ordering, found.inside, length)):
        answer[name] = None if curve is None else _interval(curve, found, places, scale, over)
    return answer


def _interval(curve: Curve, found: Outlook, places: Any, scale: float, over_days: float | None) -> dict[str, Any]:
    chosen = found.features[list(places)]
    draws = curve.expected(chosen, np.ones(len(chosen)), over_days=over_days, seed=len(chosen)) * scale
    low, high = np.percentile(draws, INTERVAL)
    expected = float(curve.rates(chosen, over_days=over_days).sum()) * scale
    return {"estimate": round(expected), "low": math.floor(low), "high": math.ceil(high),
            "rate": expected / (len(chosen) * scale) if len(chosen) else None, "people": round(len(chosen) * scale),
            "basis": curve.words}


def _power(found: Outlook, response: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The smallest lifts that the arms, and the people left alone, would show."""
    lines = []
    effect = _design_effect(found)
    arms = sorted(found.tally.arms.values())
    redeemed, anyway = response["redemptions"], response["orders_anyway"]
    if len(arms) > 1 and redeemed is not None:
        lines.append(_line("arms", "redemptions", redeemed["rate"], arms[0], arms[-1], effect))
    treated = found.tally.entered - found.tally.held_out
    if found.tally.held_out and anyway is not None:
        lines.append(_line("holdout", "orders", anyway["rate"], found.tally.held_out, treated, effect))
    return lines


def _design_effect(found: Outlook) -> float:
    """By how much people who are drawn as one say less; in a spread of the people everybody misses most colleagues."""
    if found.alike is None or not found.walked:
        return 1.0
    effect = design_effect_of_rate(found.alike)
    return 1 + (effect - 1) * found.audience / found.walked if math.isfinite(effect) else 1.0


def _line(
    what: str, outcome: str, base: float | None, control: int, treated: int, effect: float
) -> dict[str, Any]:
    lift = math.nan if base is None else smallest_lift_of_rate(
        base, control=math.floor(control / effect), treated=math.floor(treated / effect))
    seen = f"you will see a lift of {100 * lift:,.0f} % or more" if math.isfinite(lift) else "no lift would be seen"
    group = f"{control:,} per arm" if what == "arms" else f"{control:,} left alone"
    alike = "" if effect < 1.05 else (
        " Organisations are drawn as one: by the orders of as many days before, the design effect is "
        f"{effect:.1f}, so {control:,} people say as much as {math.floor(control / effect):,}.")
    return {"comparison": what, "design_effect": effect, "outcome": outcome, "control": control, "treated": treated,
            "base_rate": finite_or_none(math.nan if base is None else base), "smallest_lift": finite_or_none(lift),
            "sentence": f"With {group}, {seen} in {outcome}.{alike}"}


def _worth(
    questions: Questions, what: Frame, found: Outlook, costs: Mapping[str, Any], *, now: datetime
) -> dict[str, Any]:
    answer = worth_it(questions, what.campaign, what.graph, people=found.tally.told, cost_cents=costs["cents"], now=now)
    return {"per_order_cents": answer.per_order_cents, "discount_cents": answer.discount_cents,
            "orders": answer.orders, "rate": answer.rate, "sentence": answer.sentence(found.tally.told),
            "past": [vars(each) for each in answer.past]}


def _ranking(model: Response, worth: Worth) -> dict[str, Any] | None:
    """By what the best few would be chosen; None where redeeming or what an order leaves is not known."""
    if model.redeeming is None or not worth.per_order_cents or not worth.value_cents:
        return None
    return ranking_from(model.redeeming, share=worth.per_order_cents / worth.value_cents,
                        discount_cents=worth.discount_cents, mean_cents=worth.value_cents)


def _said(model: Response) -> list[str]:
    """Where the model comes from."""
    said = []
    if model.ordering is not None:
        said.append(f"Orders without a word from us: {model.ordering.words}.")
    if model.redeeming is not None:
        said.append(f"Redemptions: {model.redeeming.words}.")
    return said
