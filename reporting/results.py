"""Of what is a campaign report made, and how does it become JSON?

Owns the frozen parts of a report and their JSON forms. Two kinds never mix: *response* is what people did (rates of an
arm), *effect* is what came of writing to them (always against the people left alone). Undefined numbers are nan here
and null in JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from core.statistics.estimates import Comparison, Interval, finite_or_none
from core.statistics.proportions import Count, rate
from reporting.drawing import Drawn
from reporting.learned_arms import LearnedArm

Judged = Literal["fixed", "always valid"]

CHANNEL_NOTE = "Channels were chosen, not drawn: do not compare them as causes."


@dataclass(frozen=True)
class Contrast:
    """One difference: `fixed` holds at a size or end set beforehand, `always_valid` at every look.

    `p_adjusted` is the fixed p value after Holm's correction over the arms. `lift` is relative, nan where undefined.
    """

    fixed: Comparison
    p_adjusted: float
    always_valid: Comparison
    lift: Interval

    def judged(self, how: Judged) -> Comparison:
        """The comparison that may be believed now."""
        return self.fixed if how == "fixed" else self.always_valid

    def to_dict(self) -> dict[str, Any]:
        """Estimate, limits and p values on the absolute scale, the lift beside them."""
        numbers = {
            "estimate": self.fixed.estimate, "low": self.fixed.low, "high": self.fixed.high,
            "p_value": self.fixed.p_value, "p_adjusted": self.p_adjusted,
            "always_valid_low": self.always_valid.low, "always_valid_high": self.always_valid.high,
            "always_valid_p": self.always_valid.p_value,
            "lift": self.lift.estimate, "lift_low": self.lift.low, "lift_high": self.lift.high,
        }
        return {**{key: finite_or_none(value) for key, value in numbers.items()}, "method": self.fixed.method}


NO_CONTRAST: dict[str, Any] = dict.fromkeys(
    ("estimate", "low", "high", "p_value", "p_adjusted", "always_valid_low", "always_valid_high", "always_valid_p",
     "lift", "lift_low", "lift_high", "method"))


@dataclass(frozen=True)
class Money:
    """What one group ordered within the window. `contribution_cents` and `per_person` of contribution are None and nan
    while taxes or costs are unknown; `per_person` is after what the messages cost."""

    orders: int = 0
    revenue_cents: int = 0
    net_revenue_cents: int = 0
    contribution_cents: int | None = None
    message_cost_cents: int = 0
    returned_rate: float = float("nan")
    per_person_cents: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        """Amounts in cents; `average_order_cents` and `returned_rate` (share of lines) may be null."""
        per = self.per_person_cents
        return {
            "orders": self.orders, "revenue_cents": self.revenue_cents, "net_revenue_cents": self.net_revenue_cents,
            "contribution_cents": self.contribution_cents, "message_cost_cents": self.message_cost_cents,
            "average_order_cents": round(self.revenue_cents / self.orders) if self.orders else None,
            "returned_rate": finite_or_none(self.returned_rate),
            "per_person_cents": None if per is None else finite_or_none(per.estimate),
            "per_person_low_cents": None if per is None else finite_or_none(per.low),
            "per_person_high_cents": None if per is None else finite_or_none(per.high),
        }


@dataclass(frozen=True)
class Arm:
    """One arm of those who were to be written to. `rate` is people who redeemed at least once per person assigned;
    `against_first` compares it with the first arm; `effect` and `gain` compare orders and money with the hold-out."""

    name: str
    offer: str | None
    assigned: int
    sent: int
    redeemed: int
    redemptions: int
    rate: Interval
    rate_among_sent: Interval
    ordered: int
    ordered_rate: Interval
    redeemed_revenue_cents: int
    discount_cents: int
    money: Money
    messages: Mapping[str, int]
    against_first: Contrast | None
    effect: Contrast | None
    gain: Contrast | None
    usual_wait_days: float

    @property
    def label(self) -> str:
        """How people call the arm: by its offer where that tells arms apart."""
        return self.offer or self.name

    def to_dict(self) -> dict[str, Any]:
        """The arm as in the contract, and more."""
        return {
            "name": self.name, "offer": self.offer, "label": self.label, "assigned": self.assigned, "sent": self.sent,
            "redeemed": self.redeemed,
            **_limits("rate", self.rate), "redemptions": self.redemptions,
            **_limits("rate_among_sent", self.rate_among_sent),
            "ordered": self.ordered, **_limits("ordered_rate", self.ordered_rate),
            "redeemed_revenue_cents": self.redeemed_revenue_cents, "discount_cents": self.discount_cents,
            **self.money.to_dict(),
            "p_value": None if self.against_first is None else finite_or_none(self.against_first.p_adjusted),
            "against_first": None if self.against_first is None else self.against_first.to_dict(),
            "effect": None if self.effect is None else self.effect.to_dict(),
            "gain_per_person_cents": None if self.gain is None else self.gain.to_dict(),
            "messages": dict(self.messages), "usual_wait_days": finite_or_none(self.usual_wait_days),
        }


@dataclass(frozen=True)
class Holdout:
    """The people left alone."""

    assigned: int
    ordered: int
    ordered_rate: Interval
    withheld: int
    money: Money

    def to_dict(self) -> dict[str, Any]:
        """The hold-out as in the contract, and more; all zeros and null without one."""
        return {"assigned": self.assigned, "ordered": self.ordered, **_limits("ordered_rate", self.ordered_rate),
                "withheld": self.withheld, **self.money.to_dict()}


@dataclass(frozen=True)
class ChannelLine:
    """Response over one channel. Channels were chosen, not drawn: never compared as causes."""

    channel: str
    people: int
    sent: int
    redeemed: int
    rate: Interval

    def to_dict(self) -> dict[str, Any]:
        """Counts and the rate with its limits."""
        return {"channel": self.channel, "people": self.people, "sent": self.sent, "redeemed": self.redeemed,
                **_limits("rate", self.rate)}


@dataclass(frozen=True)
class Check:
    """One line of the integrity strip. A `blocking` check that is not fine takes the verdict's place."""

    key: str
    name: str
    fine: bool
    blocking: bool
    evidence: str

    def to_dict(self) -> dict[str, Any]:
        """The check with `fine` and its evidence."""
        return {"key": self.key, "name": self.name, "fine": self.fine, "blocking": self.blocking,
                "evidence": self.evidence}


@dataclass(frozen=True)
class Maturity:
    """What is still open. `final_at` is None while it depends on deliveries; shares are 0..1, nan when unknown."""

    window_over: bool
    window_share: float
    delivered_share: float
    final: bool
    final_at: datetime | None
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Shares or null; `final_at` in ISO 8601."""
        return {"window_over": self.window_over, "window_share": finite_or_none(self.window_share),
                "delivered_share": finite_or_none(self.delivered_share), "final": self.final,
                "final_at": instant_text(self.final_at), "sentence": self.sentence}


@dataclass(frozen=True)
class Verdict:
    """What may be said. `kind`: caused, harmed, cannot_tell, no_holdout, no_effect, failed or empty. `sentence` stands
    alone; `money` and `advice` follow it where there is something to say."""

    kind: str
    sentence: str
    money: str = ""
    advice: str = ""
    prefer: str | None = None
    people_needed: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The sentences and the arm to prefer."""
        return {"kind": self.kind, "sentence": self.sentence, "money": self.money, "advice": self.advice,
                "prefer": self.prefer, "people_needed": self.people_needed}


@dataclass(frozen=True)
class Wait:
    """How long redeemers took from the expected arrival. `usual_days`: half of the redemptions had come by then, those
    still within their time allowed for. `curve`: (day, share of people redeemed by its end, low, high)."""

    usual_days: float
    redeemed: int
    watched: int
    curve: tuple[tuple[int, float, float, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """The usual wait and the curve by day."""
        return {
            "usual_days": finite_or_none(self.usual_days), "redeemed": self.redeemed, "watched": self.watched,
            "curve": [{"day": day, "share": finite_or_none(share), "low": finite_or_none(low),
                       "high": finite_or_none(high)} for day, share, low, high in self.curve],
        }


@dataclass(frozen=True)
class Facts:
    """Which campaign this is."""

    key: str
    name: str
    kind: str
    state: str
    currency: str
    starts_at: datetime | None
    ends_at: datetime | None
    goal_categories: tuple[str, ...]
    holdout_percent: float
    planned_people: int | None

    @property
    def is_past(self) -> bool:
        """Whether it was imported and never ran here."""
        return self.state == "history"

    def to_dict(self) -> dict[str, Any]:
        """The facts; instants in ISO 8601, `ends_at` exclusive."""
        return {"key": self.key, "name": self.name, "kind": self.kind, "state": self.state, "currency": self.currency,
                "starts_at": instant_text(self.starts_at), "ends_at": instant_text(self.ends_at),
                "goal_categories": list(self.goal_categories), "holdout_percent": self.holdout_percent,
                "planned_people": self.planned_people}


@dataclass(frozen=True)
class CampaignReport:
    """Everything known about one campaign as of one instant."""

    campaign: Facts
    as_of: datetime
    judged: Judged
    checks: tuple[Check, ...]
    verdict: Verdict
    maturity: Maturity
    arms: tuple[Arm, ...]
    undrawn: int
    holdout: Holdout | None
    effect: Contrast | None
    gain: Contrast | None
    extra_people: Interval | None
    gained_cents: Interval | None
    would_have_anyway: Interval | None
    treated: int
    money_measure: str
    offers_compared: tuple["PairOfArms", ...]
    srm_p_value: float
    channels: tuple[ChannelLine, ...]
    messages: Mapping[str, int]
    silences: tuple[tuple[str, str, int], ...]
    wait: Wait
    notes: tuple[str, ...] = field(default=())
    learned: tuple[LearnedArm, ...] = ()
    drawn: Drawn = field(default_factory=Drawn)

    @property
    def assigned(self) -> int:
        """Everybody in the campaign, hold-out included."""
        return self.treated + (self.holdout.assigned if self.holdout else 0)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON: the contract's keys, and more. Never NaN."""
        nobody = Holdout(0, 0, rate(Count(0, 0)), 0, Money())
        return {
            "campaign": self.campaign.to_dict(), "as_of": instant_text(self.as_of), "judged": self.judged,
            "assigned": self.assigned, "undrawn": self.undrawn,
            "arms": [arm.to_dict() for arm in self.arms],
            "holdout": (self.holdout or nobody).to_dict(),
            "effect": NO_CONTRAST if self.effect is None else self.effect.to_dict(),
            "srm": {"p_value": finite_or_none(self.srm_p_value)},
            "gain_per_person_cents": NO_CONTRAST if self.gain is None else self.gain.to_dict(),
            "money_measure": self.money_measure,
            "extra_people": _interval(self.extra_people), "gained_cents": _interval(self.gained_cents),
            "would_have_anyway": _interval(self.would_have_anyway),
            "offers_compared": [pair.to_dict() for pair in self.offers_compared],
            "channels": [line.to_dict() for line in self.channels], "channel_note": CHANNEL_NOTE,
            "messages": dict(self.messages),
            "silences": [{"state": state, "reason": reason, "messages": count}
                         for state, reason, count in self.silences],
            "redemption_wait": self.wait.to_dict(),
            "integrity": [check.to_dict() for check in self.checks],
            "maturity": self.maturity.to_dict(), "verdict": self.verdict.to_dict(), "notes": list(self.notes),
            "learned_arms": [arm.to_dict() for arm in self.learned], "drawn": self.drawn.to_dict(),
        }


@dataclass(frozen=True)
class PairOfArms:
    """Money per person of one arm less another's; `contrast.p_adjusted` is Holm's over all pairs."""

    arm: str
    against: str
    contrast: Contrast

    def to_dict(self) -> dict[str, Any]:
        """The two names and the difference in cents per person."""
        return {"arm": self.arm, "against": self.against, **self.contrast.to_dict()}


def instant_text(instant: datetime | None) -> str | None:
    """ISO 8601 in UTC with Z."""
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _limits(name: str, interval: Interval) -> dict[str, float | None]:
    return {name: finite_or_none(interval.estimate), f"{name}_low": finite_or_none(interval.low),
            f"{name}_high": finite_or_none(interval.high)}


def _interval(interval: Interval | None) -> dict[str, float | None]:
    values = (None,) * 3 if interval is None else (interval.estimate, interval.low, interval.high)
    return dict(zip(("estimate", "low", "high"), map(finite_or_none, values), strict=True))
