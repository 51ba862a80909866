"""May the numbers of this report be believed, and are they final?

Owns the integrity checks that stand above every verdict, and what is still open. The promise: each check says its
evidence whether it is fine or not, and a check that breaks the comparison itself (the split, the hold-out, messages or
redemptions that cannot be) takes the verdict's place.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.models import Campaign
from core.statistics.samples import THRESHOLD, SampleRatio, sample_ratio
from core.types import from_us, to_us
from reporting.aggregates import Traces
from reporting.audience import Design, Frame
from reporting.groups import Sums
from reporting.results import Check, Judged, Maturity
from reporting.wording import number, p_words, people, percent

RETURN_DAYS = 14
"""Days for returns after delivery, where the campaign's settings do not say otherwise (`return_days`)."""

CONTAMINATED_RATE = 0.01
"""Share of the people left alone who may have used somebody else's code before the comparison is called broken."""

LEFT_ALONE = "left alone"


@dataclass(frozen=True)
class Evidence:
    """What the checks look at."""

    campaign: Campaign
    split: Check
    traces: Traces
    judged: Judged
    maturity: Maturity
    people: int
    held_out: int
    uncertain: int
    silent: int
    is_past: bool


def integrity_checks(evidence: Evidence) -> tuple[Check, ...]:
    """The checks in the order they are shown. A campaign of the past has no split, hold-out or ledger to look at."""
    if evidence.is_past:
        return (_redemptions(evidence), _final(evidence))
    checks = [evidence.split]
    if evidence.campaign.holdout_percent or evidence.held_out:
        checks.append(_left_alone(evidence))
    return (*checks, _nothing_twice(evidence), _redemptions(evidence), _judged(evidence), _final(evidence))


def split_check(
    design: Design, arms: Mapping[str, int], held_out: int, undrawn: int
) -> tuple[float, Check]:
    """The sample-ratio check on the configured shares: its p value (nan with nothing to check) and its line."""
    observed = {**arms, **({LEFT_ALONE: held_out} if held_out or (design.expected or {}).get(None) else {})}
    shown = " : ".join(number(count) for count in observed.values())
    tests = _split_tests(design, arms, held_out, undrawn)
    known = [test.p_value for test in tests if not math.isnan(test.p_value)]
    # Two looks at the same drawing count twice (Bonferroni).
    p_value = min(1.0, min(known) * len(known)) if known else math.nan
    broken = any(test.mismatch for test in tests) and p_value < THRESHOLD
    if not known:
        evidence = f"{shown}, nothing to compare" if sum(observed.values()) else "nobody has entered yet"
    elif broken:
        meant = " : ".join(number(count) for test in tests for count in test.expected.values())
        evidence = f"{shown}, meant were {meant} ({p_words(p_value)}); people were lost or added on the way"
    else:
        evidence = f"{shown}, {p_words(p_value)}"
    return p_value, Check("split", "Split as planned", not broken, True, evidence)


def _split_tests(design: Design, arms: Mapping[str, int], held_out: int, undrawn: int) -> list[SampleRatio]:
    """One test over all groups; two (arms, then hold-out) while some people have not come to the split."""
    if design.expected is None:
        return []
    kept = design.expected.get(None, 0.0)
    shares = {name: count for name, count in design.expected.items() if name is not None}
    if not undrawn:
        weights = {**shares, **({LEFT_ALONE: kept} if kept else {})}
        return [sample_ratio({**arms, **({LEFT_ALONE: held_out} if held_out else {})}, weights)]
    tests = [sample_ratio(arms, shares)] if sum(arms.values()) else []
    if kept:
        treated = sum(arms.values()) + undrawn
        tests.append(sample_ratio({"written to": treated, LEFT_ALONE: held_out},
                                  {"written to": sum(shares.values()), LEFT_ALONE: kept}))
    return tests


def _left_alone(evidence: Evidence) -> Check:
    traces, held_out = evidence.traces, evidence.held_out
    name = "Hold-out left alone"
    if not held_out:
        return Check("holdout", name, True, True, "nobody was drawn to be left alone")
    problems = []
    if traces.held_out_spoken:
        problems.append(f"{number(traces.held_out_spoken)} got a message of this campaign")
    if traces.held_out_holders:
        problems.append(f"{number(traces.held_out_holders)} redeemed a code of their own")
    shared = traces.held_out_redeemers
    if shared:
        problems.append(f"{number(shared)} used somebody else's code")
    fine = not (traces.held_out_spoken or traces.held_out_holders or shared > CONTAMINATED_RATE * held_out)
    other = traces.held_out_other_post
    post = f"{number(other)} of {number(held_out)} got other post, {percent(other / held_out)}"
    return Check("holdout", name, fine, True, "; ".join([*problems, post]))


def _nothing_twice(evidence: Evidence) -> Check:
    traces = evidence.traces
    fine = not (traces.sent_twice or traces.double_rows)
    sent = f"{number(traces.sent)} sent, {number(evidence.silent)} not, {number(evidence.uncertain)} uncertain"
    if not fine:
        sent = f"{people(max(traces.sent_twice, traces.double_rows))} got the same message twice; {sent}"
    return Check("twice", "Nothing sent twice", fine, True, sent)


def _redemptions(evidence: Evidence) -> Check:
    traces = evidence.traces
    parts = [f"{number(traces.redemptions)} redeemed"]
    if traces.without_person:
        parts.append(f"{number(traces.without_person)} by people who are not in the campaign")
    if traces.before_entry:
        parts.append(f"{number(traces.before_entry)} before the person's entry")
    if traces.late:
        parts.append(f"{number(traces.late)} after the end, not counted")
    if len(parts) == 1:
        parts.append("all by people in the campaign, within its window")
    impossible = bool(traces.without_person or traces.before_entry)
    return Check("redemptions", "Redemptions belong here", not impossible and not traces.late, impossible,
                 ", ".join(parts))


def _judged(evidence: Evidence) -> Check:
    planned = evidence.campaign.planned_people
    fine = evidence.judged == "fixed"
    if planned is None:
        words = "at the end of the window" if fine else "no number of people was set; ranges hold at any look"
    elif fine and evidence.people < planned:
        words = f"at the end of the window, with {number(evidence.people)} of {number(planned)} people"
    elif fine:
        words = f"{number(planned)} people set, reached"
    else:
        words = (f"{number(evidence.people)} of {number(planned)} people so far; ranges are wider until then and hold"
                 " at any look")
    return Check("judged", "Judged as planned" if fine else "Before the planned end", fine, False, words)


def _final(evidence: Evidence) -> Check:
    maturity = evidence.maturity
    return Check("final", "Final" if maturity.final else "Not final", maturity.final, False, maturity.sentence)


def maturity_of(
    campaign: Campaign, frame: Frame, sums: Sums, traces: Traces, *, now: datetime, window_over: bool
) -> Maturity:
    """What is still open: the window, deliveries, and the days for returns."""
    ends_at = None if frame.ends_us is None else from_us(frame.ends_us)
    zone = ZoneInfo(campaign.timezone)
    starts_at = campaign.starts_at
    share = math.nan
    if window_over:
        share = 1.0
    elif ends_at is not None and starts_at is not None and ends_at > starts_at:
        share = min(1.0, max(0.0, (now - starts_at) / (ends_at - starts_at)))
    # No line with a delivery: the shop does not tell, and nothing can be waited for.
    told = sums.delivered_lines > 0
    delivered = sums.delivered_lines / sums.lines if told else math.nan
    if not window_over:
        until = "it has no end" if ends_at is None else f"orders count until {_day(ends_at, zone, now)}"
        return Maturity(False, share, delivered, False, None if told or ends_at is None else ends_at, until)
    if told and sums.delivered_lines < sums.lines:
        days = _return_days(campaign)
        return Maturity(True, share, delivered, False, None,
                        f"{number(sums.lines - sums.delivered_lines)} of {number(sums.lines)} lines are not delivered;"
                        f" final {days} days after the last one")
    final_at = ends_at
    if told and traces.newest_delivery_us is not None:
        back = from_us(traces.newest_delivery_us) + timedelta(days=_return_days(campaign))
        final_at = back if final_at is None else max(final_at, back)
    if final_at is not None and now < final_at:
        return Maturity(True, share, delivered, False, final_at, f"returns open until {_day(final_at, zone, now)}")
    ended = "the window is over" if ends_at is None else f"over since {_day(ends_at, zone, now)}"
    return Maturity(True, share, delivered, True, final_at, ended + (", returns are in" if told else ""))


def _return_days(campaign: Campaign) -> int:
    days = campaign.settings.get("return_days", RETURN_DAYS)
    return days if isinstance(days, int) and days >= 0 else RETURN_DAYS


def _day(instant: datetime, zone: ZoneInfo, now: datetime) -> str:
    """The day as people write it; an end at midnight names the day before, which is the last that counts."""
    local = (datetime.fromtimestamp(to_us(instant) / 1_000_000, UTC) - timedelta(microseconds=1)).astimezone(zone)
    year = "" if local.year == now.astimezone(zone).year else f" {local.year}"
    return f"{local.day} {local:%b}{year}"
