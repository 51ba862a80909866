"""What came of a campaign: who responded, what did we cause, what did it earn, and may that be believed?

Owns the campaign report: grouped sums in, pure statistics, one frozen value out. The promises: response (what people
did) and effect (against the people left alone) stay two numbers; a fixed p value decides only when the declared number
of people is reached or the window is over, else the always-valid one does; no verdict without its checks.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key
from core.statistics.durations import redemption_curve
from core.statistics.estimates import Comparison, Interval
from core.statistics.means import Moments, compare_means, lift_of_means, mean
from core.statistics.multiplicity import adjust
from core.statistics.proportions import Count, compare_rates, lift_of_rates, rate
from core.statistics.sequential import PLANNED_PEOPLE, always_valid_means, always_valid_rates
from core.types import from_us, to_us
from coupons.models import Offer
from journeys.walk.posting import count_crossed
from reporting import aggregates
from reporting.audience import NOT_DRAWN, Design, Frame, design_of, frame_of
from reporting.clusters import ClusteredGroups, clustered_groups
from reporting.drawing import drawn_of
from reporting.groups import Heads, Sums
from reporting.integrity import Evidence, integrity_checks, maturity_of, split_check
from reporting.learned_arms import learned_arms
from reporting.results import (
    Arm,
    CampaignReport,
    ChannelLine,
    Contrast,
    Facts,
    Holdout,
    Judged,
    Money,
    PairOfArms,
    Wait,
)
from reporting.verdict import Findings, verdict_of
from reporting.written import MessageCount, messages

KNOWN_SHARE = 0.95
"""Share of the orders' value whose tax rate and cost must be known before contribution is shown."""

Measure = Literal["contribution", "net_revenue"]
SILENT = ("withheld", "suppressed", "failed", "uncertain", "expired", "cancelled")
WAIT_DAYS = 60


FEWEST_ORDERS = 5
"""Below so many orders in a group its money is not compared: zero orders would show no spread and look certain."""


def campaign_report(session: Session, key: str, *, now: datetime) -> CampaignReport:
    """The report of one campaign as of `now`. Raises NotFound when there is no such campaign."""
    campaign = campaign_by_key(session, key)
    design = design_of(session, campaign)
    frame = frame_of(campaign, design, now=now)
    found = aggregates.currencies(session, frame)
    currency = campaign.currency if campaign.currency in found or not found else next(iter(found))
    book = _Book(
        session, campaign, design, frame, currency,
        aggregates.heads(session, frame, by_channel=False, currency=currency),
        aggregates.money(session, frame, currency=currency), messages(session, frame), now,
        clustered_groups(session, frame, currency=currency) if frame.clustered else None,
    )
    return book.report(foreign_orders=sum(count for name, count in found.items() if name != currency))


LEARNED_NOTE = ("Arms that do better were drawn more often as time went on. Compare them by the weighted numbers; their"
                " plain rates and p values also compare the times at which they were drawn.")


class _Book:
    """The sums of one campaign, and the steps that make a report of them."""

    def __init__(
        self, session: Session, campaign: Campaign, design: Design, frame: Frame, currency: str,
        heads: Mapping[tuple[bool, str], Heads], money: Mapping[tuple[bool, str], Sums],
        messages: list[MessageCount], now: datetime, groups: ClusteredGroups | None = None,
    ) -> None:
        if groups is not None:
            heads = {key: replace(value, clusters=groups.by_arm.get(key)) for key, value in heads.items()}
            money = {key: replace(value, clusters=groups.by_arm.get(key)) for key, value in money.items()}
        self.groups = groups
        self.session, self.campaign, self.design, self.frame, self.now = session, campaign, design, frame, now
        self.currency, self.messages = currency, messages
        seen = [arm for held, arm in heads if not held and arm not in design.arms and arm != NOT_DRAWN]
        self.names = (*design.arms, *sorted(seen))
        self.heads = {name: heads.get((False, name), Heads()) for name in self.names}
        self.sums = {name: money.get((False, name), Sums()) for name in self.names}
        self.undrawn = heads.get((False, NOT_DRAWN), Heads())
        sides = {} if groups is None else groups.by_side
        self.kept_heads, self.treated = (replace(_heads_of(
            [value for (held, _arm), value in heads.items() if held == side]), clusters=sides.get(side))
            for side in (True, False))
        self.kept_sums, self.treated_sums = (replace(_sums_of(
            [value for (held, _arm), value in money.items() if held == side]), clusters=sides.get(side))
            for side in (True, False))
        self.has_holdout = self.kept_heads.people > 0
        every = _sums_of(list(money.values()))
        known = every.lines_cents > 0 and every.known_cents >= KNOWN_SHARE * every.lines_cents
        self.measure: Measure = "contribution" if known else "net_revenue"
        self.unknown_share = 1 - every.known_cents / every.lines_cents if every.lines_cents else 0.0
        self.every = every
        self.planned = campaign.planned_people or PLANNED_PEOPLE
        # The always-valid test counts what was drawn; of means it is told so, of rates it knows.
        self.planned_units = self.planned if groups is None or not groups.people else max(
            1, round(self.planned * groups.units / groups.people))
        people = self.treated.people + self.kept_heads.people
        self.window_over = frame.ends_us is not None and to_us(now) >= frame.ends_us
        if frame.history and frame.ends_us is None:
            self.window_over = True
        reached = campaign.planned_people is not None and people >= campaign.planned_people
        self.judged: Judged = "fixed" if self.window_over or reached else "always valid"

    def report(self, *, foreign_orders: int) -> CampaignReport:
        """Put the parts together."""
        arms = self._arms()
        effect = self._effect()
        gain = self._gains([self.treated_sums])[0] if self.has_holdout else None
        learned = () if self.frame.history else learned_arms(self.session, self.frame)
        pairs = () if learned else self._pairs()
        silences = self._silences()
        traces = aggregates.traces(self.session, self.frame, now_us=to_us(self.now))
        maturity = maturity_of(self.campaign, self.frame, self.every, traces, now=self.now,
                               window_over=self.window_over)
        srm_p_value, split = split_check(
            self.design, *self._drawn())
        checks = integrity_checks(Evidence(
            campaign=self.campaign, split=split, traces=traces, judged=self.judged, maturity=maturity,
            people=self.treated.people + self.kept_heads.people, held_out=self.kept_heads.people,
            uncertain=self._messages_in("uncertain"),
            silent=sum(count for state, _reason, count in silences if state != "uncertain"),
            is_past=self.frame.history))
        extra = _scaled(effect, self.treated.people, self.judged)
        gained = _scaled(gain, self.treated.people, self.judged)
        notes = (*self._notes(foreign_orders), *((LEARNED_NOTE,) if learned else ()))
        facts = self._facts()
        drawn = drawn_of(self.frame.unit, self.groups, self.treated, self.kept_heads)
        verdict = verdict_of(Findings(
            facts=facts, checks=checks, judged=self.judged, arms=arms, pairs=pairs, treated=self.treated.people,
            holdout=self.kept_heads.people, effect=effect, extra=extra, gained=gained, measure=self.measure,
            response=rate(self.treated.redeemed_of_all),
            holdout_rate=self.kept_heads.ordered_of_all.rate,
            design_effect=drawn.design_effect or 1.0))
        return CampaignReport(
            campaign=facts, as_of=self.now, judged=self.judged, checks=checks, verdict=verdict, maturity=maturity,
            arms=arms, undrawn=self.undrawn.people, holdout=self._holdout() if self.has_holdout else None,
            effect=effect, gain=gain, extra_people=extra, gained_cents=gained,
            would_have_anyway=_anyway(extra, self.treated.redeemers), treated=self.treated.people,
            money_measure=self.measure, offers_compared=pairs, srm_p_value=srm_p_value, channels=self._channels(),
            messages=self._by_state(), silences=silences, wait=self._wait(), notes=notes, learned=learned,
            drawn=drawn)

    def _drawn(self) -> tuple[dict[str, int], int, int]:
        """What was drawn into each arm, into the hold-out, and not into any arm yet: people, or organisations."""
        if self.groups is None:
            return ({name: heads.people for name, heads in self.heads.items()}, self.kept_heads.people,
                    self.undrawn.people)
        drawn = self.groups.drawn
        return ({name: drawn.get((False, name), 0) for name in self.names},
                sum(count for (held, _arm), count in drawn.items() if held), drawn.get((False, NOT_DRAWN), 0))

    # -- response ------------------------------------------------------------------------------------------------

    def _arms(self) -> tuple[Arm, ...]:
        offers = self._offers()
        waits = aggregates.waits(self.session, self.frame)
        against = self._rate_contrasts(
            [heads.redeemed_of_all for heads in self.heads.values()][1:],
            next((heads.redeemed_of_all for heads in self.heads.values()), Count(0, 0)))
        kept = self.kept_heads.ordered_of_all
        effects: list[Contrast | None] = [None] * len(self.names)
        gains: list[Contrast | None] = [None] * len(self.names)
        if self.has_holdout:
            effects = list(self._rate_contrasts(
                [heads.ordered_of_all for heads in self.heads.values()], kept))
            gains = list(self._gains(list(self.sums.values())))
        self._waits = waits
        return tuple(
            Arm(
                name=name, offer=offers.get(name), assigned=heads.people, sent=heads.sent, redeemed=heads.redeemers,
                redemptions=heads.redemptions, rate=rate(heads.redeemed_of_all),
                rate_among_sent=rate(replace(heads.redeemed_of_all, hits=min(heads.redeemers, heads.sent),
                                             n=heads.sent)),
                ordered=heads.ordered, ordered_rate=rate(heads.ordered_of_all),
                redeemed_revenue_cents=heads.redeemed_cents, discount_cents=heads.discount_cents,
                money=self._money(self.sums[name]), messages=self._by_state(name),
                against_first=None if place == 0 else against[place - 1], effect=effects[place], gain=gains[place],
                usual_wait_days=_usual_wait(waits.get(name, ({}, {}))),
            )
            for place, (name, heads) in enumerate(self.heads.items())
        )

    def _channels(self) -> tuple[ChannelLine, ...]:
        found = aggregates.heads(self.session, self.frame, by_channel=True, currency=self.currency)
        alike = {} if self.groups is None else self.groups.by_channel
        lines = [
            ChannelLine(channel, heads.people, heads.sent, heads.redeemers, rate(replace(
                heads, clusters=alike.get((held, channel))).redeemed_of_all))
            for (held, channel), heads in found.items() if not held and channel
        ]
        return tuple(sorted(lines, key=lambda line: (-line.people, line.channel)))

    def _wait(self) -> Wait:
        redeemed: dict[float, int] = {}
        watching: dict[float, int] = {}
        for tallies in self._waits.values():
            for total, tally in zip((redeemed, watching), tallies, strict=True):
                for hours, count in tally.items():
                    total[hours / 24] = total.get(hours / 24, 0) + count
        curve = redemption_curve(redeemed, watching)
        last = 0 if math.isnan(curve.watched_until) else min(WAIT_DAYS, int(curve.watched_until))
        days = [(day, curve.share_by(day)) for day in range(last + 1)] if curve.n else []
        return Wait(curve.usual_wait(0.5), curve.redeemed, curve.n,
                    tuple((day, at.estimate, at.low, at.high) for day, at in days))

    # -- effect --------------------------------------------------------------------------------------------------

    def _effect(self) -> Contrast | None:
        if not (self.has_holdout and self.treated.people):
            return None
        return self._rate_contrasts([self.treated.ordered_of_all], self.kept_heads.ordered_of_all)[0]

    def _rate_contrasts(self, counts: list[Count], against: Count) -> list[Contrast]:
        fixed = [compare_rates(count, against=against) for count in counts]
        return [
            Contrast(one, adjusted, always_valid_rates(count, against=against, planned_people=self.planned),
                     lift_of_rates(count, against=against))
            for one, adjusted, count in zip(fixed, _adjusted(fixed), counts, strict=True)
        ]

    def _gains(self, sums: list[Sums]) -> list[Contrast]:
        return _money_contrasts(
            [(self._comparable(one), self._comparable(self.kept_sums)) for one in sums], self.planned_units)

    def _pairs(self) -> tuple[PairOfArms, ...]:
        names = [name for name in self.names if self.heads[name].people]
        pairs = [(one, other) for place, one in enumerate(names) for other in names[:place]]
        contrasts = _money_contrasts(
            [(self._comparable(self.sums[one]), self._comparable(self.sums[other])) for one, other in pairs],
            self.planned_units)
        return tuple(PairOfArms(one, other, contrast)
                     for (one, other), contrast in zip(pairs, contrasts, strict=True))

    def _comparable(self, sums: Sums) -> Moments:
        """Moments for a comparison of money; with hardly an order the spread seen misleads."""
        moments = sums.moments(self.measure)
        return moments if sums.orders >= FEWEST_ORDERS else Moments(moments.n, moments.mean, math.nan)

    # -- what was booked and sent --------------------------------------------------------------------------------

    def _money(self, sums: Sums) -> Money:
        return Money(
            orders=sums.orders, revenue_cents=sums.revenue, net_revenue_cents=round(sums.net),
            contribution_cents=round(sums.contribution) if self.measure == "contribution" else None,
            message_cost_cents=sums.message_cost,
            returned_rate=sums.returned_lines / sums.lines if sums.lines else math.nan,
            per_person_cents=mean(sums.moments(self.measure)))

    def _holdout(self) -> Holdout:
        heads = self.kept_heads
        withheld = sum(line.messages for line in self.messages if line.held_out and line.state == "withheld")
        return Holdout(heads.people, heads.ordered, rate(heads.ordered_of_all), withheld,
                       self._money(self.kept_sums))

    def _by_state(self, arm: str | None = None) -> dict[str, int]:
        found: dict[str, int] = dict.fromkeys(("sent", "withheld", "suppressed", "failed", "uncertain"), 0)
        for line in self.messages:
            if arm is None or (line.arm == arm and not line.held_out):
                found[line.state] = found.get(line.state, 0) + line.messages
        return found

    def _messages_in(self, state: str) -> int:
        return sum(line.messages for line in self.messages if line.state == state)

    def _silences(self) -> tuple[tuple[str, str, int], ...]:
        found: dict[tuple[str, str], int] = {}
        for line in self.messages:
            if line.state in SILENT:
                pair = (line.state, line.reason or "")
                found[pair] = found.get(pair, 0) + line.messages
        return tuple((state, reason, count) for (state, reason), count in
                     sorted(found.items(), key=lambda item: (SILENT.index(item[0][0]), -item[1], item[0])))

    def _offers(self) -> dict[str, str]:
        """The name of the offer that each arm shows, where every arm has one of its own."""
        keys = self.design.offers
        if not keys:
            return {}
        rows = self.session.execute(select(Offer.key, Offer.name).where(Offer.key.in_(set(keys.values()))))
        names = {row[0]: row[1] for row in rows}
        named = {arm: names[key] for arm, key in keys.items() if key in names}
        return named if len(set(named.values())) == len(named) else {}

    def _facts(self) -> Facts:
        campaign, frame = self.campaign, self.frame
        starts_at = campaign.starts_at
        if frame.history:
            starts_at = None if frame.starts_us is None else from_us(frame.starts_us)
        return Facts(
            campaign.key, campaign.name, campaign.kind, campaign.state, self.currency, starts_at,
            None if frame.ends_us is None else from_us(frame.ends_us), tuple(campaign.goal_categories),
            campaign.holdout_percent, campaign.planned_people)

    def _notes(self, foreign_orders: int) -> tuple[str, ...]:
        notes = ["Response is what people did; many would have ordered anyway. Effect is what came of writing to them,"
                 " against the people left alone. The two are never added up."]
        if len(self.names) > 2:
            notes.append("p values and the choice of an offer are corrected for all arms (Holm).")
        if self.measure == "net_revenue":
            notes.append("Tax rates and costs of the goods are not known, so money is net revenue: after discounts,"
                         " returns and what the messages cost. Contribution is left out.")
        elif self.unknown_share > 0:
            notes.append(f"Tax rate or cost is unknown for {self.unknown_share * 100:.1f} % of the orders' value; it is"
                         " left out of the contribution of everybody alike.")
        if crossed := count_crossed(self.session, self.campaign.key):
            notes.append(f"{crossed:,} {'letter' if crossed == 1 else 'letters'} crossed with the order in the post: "
                         "posted before it, expected after it.")
        if self.undrawn.people:
            notes.append(f"{self.undrawn.people:,} people have not come to the split or left before it. They count in"
                         " the effect and belong to no offer.")
        if foreign_orders:
            notes.append(f"{foreign_orders:,} orders in other currencies than {self.currency} count as orders; their"
                         " amounts are left out.")
        if self.has_holdout:
            notes.append("Amounts per person scatter far more than rates do: a few large orders can move them, and it"
                         " takes about ten times as many people to be sure of them.")
        return tuple(notes)


def _heads_of(parts: list[Heads]) -> Heads:
    return Heads(*(sum(values) for values in zip(*(
        (one.people, one.sent, one.redeemers, one.redemptions, one.redeemed_cents, one.discount_cents, one.ordered)
        for one in parts), strict=True))) if parts else Heads()


def _sums_of(parts: list[Sums]) -> Sums:
    names = [name for name in Sums.__dataclass_fields__ if name != "clusters"]
    return Sums(**{name: sum(getattr(one, name) for one in parts) for name in names}) if parts else Sums()


def _adjusted(comparisons: list[Comparison]) -> tuple[float, ...]:
    """Holm over the arms; a family of one stays as it is (and spares the adjustment's own cost)."""
    if len(comparisons) < 2:
        return tuple(one.p_value for one in comparisons)
    return adjust([one.p_value for one in comparisons])


def _money_contrasts(pairs: list[tuple[Moments, Moments]], planned_people: int) -> list[Contrast]:
    fixed = [compare_means(one, against=other) for one, other in pairs]
    return [
        Contrast(comparison, adjusted, always_valid_means(one, against=other, planned_people=planned_people),
                 lift_of_means(one, against=other))
        for comparison, adjusted, (one, other) in zip(fixed, _adjusted(fixed), pairs, strict=True)
    ]


def _scaled(contrast: Contrast | None, people: int, judged: Judged) -> Interval | None:
    """A difference per person as a total over everybody written to."""
    if contrast is None:
        return None
    one = contrast.judged(judged)
    return Interval(one.estimate * people, one.low * people, one.high * people, one.n + one.n_against, one.method)


def _anyway(extra: Interval | None, redeemers: int) -> Interval | None:
    """The share of redeemers who would have ordered without the campaign: what the effect leaves of them, in 0..1."""
    if extra is None or not redeemers or math.isnan(extra.low):
        return None
    share, low, high = (min(1.0, max(0.0, 1 - value / redeemers)) for value in (extra.estimate, extra.high, extra.low))
    return Interval(share, low, high, extra.n, extra.method)


def _usual_wait(tallies: tuple[dict[int, int], dict[int, int]]) -> float:
    redeemed, watching = ({hours / 24: count for hours, count in tally.items()} for tally in tallies)
    return redemption_curve(redeemed, watching).usual_wait(0.5)
