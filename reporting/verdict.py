"""What may be said about a campaign in three sentences, and what should be done next?

Owns the verdict: the effect with its range first, then the money, then what to do and why. The promises: no verdict
while a check is broken, no effect without people left alone, and "we cannot tell yet" whenever the range holds 0.
"""

import math
from dataclasses import dataclass

from core.errors import Invalid
from core.statistics.estimates import Interval
from core.statistics.power import people_needed_for_rate
from reporting.results import Arm, Check, Contrast, Facts, Judged, PairOfArms, Verdict
from reporting.wording import amount, listed, number, people, percent, points, span

ALPHA = 0.05
SMALL_LIFT = 0.1
"""The rise to plan for when the campaign itself shows none."""

MONEY_WORDS = {"contribution": "earned", "net_revenue": "brought in"}


@dataclass(frozen=True)
class Findings:
    """What the verdict is made of."""

    facts: Facts
    checks: tuple[Check, ...]
    judged: Judged
    arms: tuple[Arm, ...]
    pairs: tuple[PairOfArms, ...]
    treated: int
    holdout: int
    effect: Contrast | None
    extra: Interval | None
    gained: Interval | None
    measure: str
    response: Interval
    holdout_rate: float
    design_effect: float = 1.0


def verdict_of(findings: Findings) -> Verdict:
    """The verdict, or what stands in its place."""
    broken = [check for check in findings.checks if check.blocking and not check.fine]
    if not findings.treated + findings.holdout:
        return Verdict("empty", "Nobody has entered this campaign yet.")
    if broken:
        return Verdict("failed", "No verdict: " + "; ".join(f"{_failed(check)}: {check.evidence}" for check in broken)
                       + ".", advice="Find out why before you believe any number below.")
    if findings.effect is None or findings.extra is None:
        return _without_holdout(findings)
    if math.isnan(findings.extra.low):
        return Verdict("cannot_tell", "We cannot tell yet: nobody has ordered, neither among those written to nor among"
                       " those left alone." if not findings.holdout_rate else
                       "We cannot tell yet: there are too few orders to compare.",
                       advice="Wait for the first orders.")
    if findings.extra.low > 0:
        return _caused(findings, findings.extra)
    if findings.extra.high < 0:
        return _harmed(findings, findings.extra)
    return _cannot_tell(findings, findings.extra)


def _failed(check: Check) -> str:
    return {"split": "the split is not as planned", "holdout": "the hold-out was not left alone",
            "twice": "messages were sent twice", "redemptions": "some redemptions cannot belong here",
            }.get(check.key, check.name)


def _goods(findings: Findings) -> str:
    """What an order has to hold to count, as an object of "order": " furniture or lighting", or nothing."""
    goal = findings.facts.goal_categories
    return f" {listed(goal)}" if goal else ""


def _range(interval: Interval) -> str:
    return span(number(interval.low), number(interval.high))


def _caused(findings: Findings, extra: Interval) -> Verdict:
    sentence = (f"The campaign caused about {people(extra.estimate)} to order{_goods(findings)} who would not have"
                f" ordered without it {_range(extra)}.")
    prefer, advice = _choice(findings)
    return Verdict("caused", sentence, _money(findings), advice, prefer)


def _harmed(findings: Findings, extra: Interval) -> Verdict:
    fewer = Interval(-extra.estimate, -extra.high, -extra.low, extra.n, extra.method)
    sentence = (f"The campaign kept about {people(fewer.estimate)} from ordering{_goods(findings)} {_range(fewer)}.")
    return Verdict("harmed", sentence, _money(findings), "Do not repeat it as it is.")


def _cannot_tell(findings: Findings, extra: Interval) -> Verdict:
    more = "more" if extra.estimate >= 0 else "fewer"
    sentence = (f"We cannot tell yet whether the campaign caused any orders: about {people(abs(extra.estimate))}"
                f" {more} than expected ordered{_goods(findings)} (95\N{NO-BREAK SPACE}%: {number(extra.low)} to"
                f" {number(extra.high, signed=True)}).")
    needed, why = _needed(findings)
    advice = "Nobody left alone has ordered, so we cannot say how many people are needed."
    if needed is not None:
        advice = f"{why} would show with about {number(needed)} people in all; there are" \
                 f" {number(findings.treated + findings.holdout)}."
    return Verdict("cannot_tell", sentence, _money(findings), advice, None, needed)


def _needed(findings: Findings) -> tuple[int | None, str]:
    """People in all, hold-out included at its present share, who would show an effect of this size; and in words."""
    base = findings.holdout_rate
    assert findings.effect is not None
    if not base > 0 or base >= 1:
        return None, ""
    difference = findings.effect.fixed.estimate
    lift, words = difference / base, f"An effect of this size ({points(difference)})"
    if lift <= 0:
        lift, words = SMALL_LIFT, f"A rise by a tenth over the {percent(base)} of those left alone"
    try:
        needed = people_needed_for_rate(base, lift=min(lift, 1 / base - 1),
                                        treated_per_control=findings.treated / findings.holdout)
    except Invalid:
        return None, ""
    return (None, "") if math.isnan(needed.total) else (math.ceil(needed.total * findings.design_effect), words)


def _money(findings: Findings) -> str:
    """What the campaign earned on top of what would have come anyway."""
    gained, currency = findings.gained, findings.facts.currency
    if gained is None:
        return ""
    if math.isnan(gained.low):
        return "What it earned cannot be told: too few people in one of the groups have ordered."
    after = "after returns, discounts and what the messages cost"
    middle = amount(abs(gained.estimate), currency)
    if gained.low > 0:
        words = MONEY_WORDS[findings.measure]
        return f"It {words} {middle} more than without it, {after} {_money_range(gained, currency)}."
    if gained.high < 0:
        fewer = Interval(-gained.estimate, -gained.high, -gained.low, gained.n, gained.method)
        return f"It cost {middle} more than it brought, {after} {_money_range(fewer, currency)}."
    verb = "earned" if gained.estimate >= 0 else "cost"
    return (f"Whether it paid cannot be told yet: it {verb} about {middle}, {after}"
            f" {_money_range(gained, currency)}.")


def _money_range(interval: Interval, currency: str) -> str:
    return span(amount(interval.low, currency), amount(interval.high, currency))


def _choice(findings: Findings) -> tuple[str | None, str]:
    """Which offer next time, and why: the one that leaves more money per person, if that is beyond chance."""
    with_people = [arm for arm in findings.arms if arm.assigned]
    if len(with_people) < 2:
        if findings.gained is not None and findings.gained.high < 0:
            return None, "It did not pay. Change the offer or the audience before you repeat it."
        return None, "Do it again, and leave people alone again to keep knowing."
    labels = {arm.name: arm.label for arm in with_people}
    leaders = {pair.arm if pair.contrast.fixed.estimate >= 0 else pair.against for pair in findings.pairs}
    best = next((name for name in leaders if all(_beats(name, pair) for pair in findings.pairs
                                                 if name in (pair.arm, pair.against))), None)
    best = best if best is not None else _ahead(with_people)
    rivals = [pair for pair in findings.pairs if best in (pair.arm, pair.against)]
    if best is None or not rivals:
        return None, "Keep drawing the offers: they cannot be told apart yet."
    closest = max(rivals, key=lambda pair: _p(pair, findings))
    other = closest.against if closest.arm == best else closest.arm
    ahead = _ahead_words(best, closest, findings)
    if _p(closest, findings) < ALPHA and all(_beats(best, pair) for pair in rivals):
        more = next(arm for arm in with_people if arm.name == other)
        mine = next(arm for arm in with_people if arm.name == best)
        but = f"{labels[other]} was redeemed more often, but " if more.rate.estimate > mine.rate.estimate else ""
        return best, f"{but}{labels[best]} {ahead}. Prefer {labels[best]} next time."
    return None, f"Which offer is better cannot be told yet: {labels[best]} {ahead} against {labels[other]}. Keep" \
                 " drawing both."


def _beats(name: str, pair: PairOfArms) -> bool:
    estimate = pair.contrast.fixed.estimate
    return estimate > 0 if pair.arm == name else estimate < 0


def _ahead(arms: list[Arm]) -> str | None:
    """The arm with the most money per person, None while nobody has any."""
    known = [(arm.money.per_person_cents.estimate, arm.name) for arm in arms
             if arm.money.per_person_cents is not None and not math.isnan(arm.money.per_person_cents.estimate)]
    return max(known)[1] if known else None


def _p(pair: PairOfArms, findings: Findings) -> float:
    """The p value to decide on: Holm's over all pairs, or the always-valid one times the number of pairs."""
    if findings.judged == "fixed":
        value = pair.contrast.p_adjusted
    else:
        value = pair.contrast.always_valid.p_value * len(findings.pairs)
    return 1.0 if math.isnan(value) else min(1.0, value)


def _ahead_words(best: str, pair: PairOfArms, findings: Findings) -> str:
    judged = pair.contrast.judged(findings.judged)
    sign = 1 if pair.arm == best else -1
    low, high = sorted((sign * judged.low, sign * judged.high))
    currency = findings.facts.currency
    verb = MONEY_WORDS[findings.measure]
    limits = "" if math.isnan(low) else f" {span(amount(low, currency), amount(high, currency))}"
    return f"{verb} {amount(sign * judged.estimate, currency)} more per person{limits}"


def _without_holdout(findings: Findings) -> Verdict:
    response = findings.response
    limits = span(percent(response.low), percent(response.high)) if not math.isnan(response.low) else ""
    told = f"{percent(response.estimate)} of {people(findings.treated)} redeemed {limits}.".replace("  ", " ") \
        if findings.treated else "Nobody was written to."
    why = "Nobody was left alone, so what it caused cannot be known: many would have ordered anyway."
    if not findings.treated:
        return Verdict("no_effect", "Everybody in this campaign was left alone; there is nothing to compare with.")
    advice = "" if findings.facts.is_past else "Leave at least one in ten alone next time."
    return Verdict("no_holdout", f"{told} {why}", advice=advice)
