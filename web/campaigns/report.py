"""How does a campaign report stand on its page?

Owns turning a report's values into plots, table rows and marked sentences; every number was worked out in reporting/.
The promise: response is hollow, effect is filled, no estimate stands without its range, and what is undefined is shown
as unknown.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup, escape

from core.statistics.estimates import Comparison, Interval
from core.statistics.proportions import Count
from core.statistics.proportions import rate as share
from reporting.results import Arm, CampaignReport
from web.campaigns.messages import STATE_WORDS
from web.frame.plots import Estimate, IntervalPlot, SmallLine, interval_plot, small_line
from web.wording import formatting
from web.wording.formatting import NONE, count, money, money_short, number, points, rate, span

CHANNEL_NAMES = {"email": "Newsletter", "letter": "Letter", "phone": "Phone"}
MOST_ROWS = 12
_RANGE = re.compile(r"\(95\N{NO-BREAK SPACE}%: [^()]*\)")
_NUMBER = re.compile(r"(?<=about )[\d,]+(?: people| person)?|(?:[A-Z]{0,2}[€$£¥]|[A-Z]{3}\N{NO-BREAK SPACE})[\d,.]*\d")


@dataclass(frozen=True)
class OfferRow:
    """One line of the offers table; texts are formatted, ranges stand under their numbers."""

    name: str
    note: str
    people: str
    sent: str
    redeemed: str
    rate: str
    rate_range: str
    ordered: str
    ordered_rate: str
    ordered_range: str
    average: str
    returned: str
    gain: str
    gain_range: str
    p_value: str


@dataclass(frozen=True)
class ReportView:
    """Everything the page draws besides the report's own sentences."""

    checks: tuple[tuple[str, str, str], ...]
    response: IntervalPlot | None
    channels: IntervalPlot | None
    effect: IntervalPlot | None
    gain: IntervalPlot | None
    response_note: str
    effect_note: str
    rows: tuple[OfferRow, ...]
    wait: SmallLine | None
    wait_words: str
    wait_spoken: str
    money_name: str
    silences: tuple[tuple[str, str, str, int], ...]


def view_of(report: CampaignReport) -> ReportView:
    """Lay out a report."""
    currency = report.campaign.currency
    gains = _gains(report) if not report.campaign.is_past else ()
    wait, words, spoken = _wait(report)
    return ReportView(
        checks=tuple((check.name, check.evidence, _state(check.fine, check.blocking)) for check in report.checks),
        response=_plot([_rated(_label(arm, report), arm.rate, f"{count(arm.assigned)} people")
                        for arm in report.arms[:MOST_ROWS]],
                       "Redeemed their code, by offer" if len(report.arms) > 1 else "Redeemed their code"),
        channels=_plot([_rated(CHANNEL_NAMES.get(line.channel, line.channel), line.rate, f"{count(line.people)} people")
                        for line in report.channels[:MOST_ROWS]], "By channel"),
        effect=_effects(report), gain=interval_plot(
            gains, kind="effect", title=f"{_money_name(report)} per person written to",
            tick=lambda value: money_short(value, currency=currency, signed=True)) if gains else None,
        response_note=_response_note(report), effect_note=_effect_note(report),
        rows=(*(_row(arm, report) for arm in report.arms[:MOST_ROWS]), *_holdout_row(report)),
        wait=wait, wait_words=words, wait_spoken=spoken, money_name=_money_name(report),
        silences=tuple((STATE_WORDS.get(state, state), state, reason, messages)
                       for state, reason, messages in report.silences))


def marked(sentence: str) -> Markup:
    """A sentence with its ranges in grey and its main numbers in bold."""
    pieces: list[str] = []
    at = 0
    for found in _RANGE.finditer(sentence):
        pieces.append(_bold(sentence[at:found.start()]))
        pieces.append(f'<span class="range">{escape(found[0])}</span>')
        at = found.end()
    return Markup("".join([*pieces, _bold(sentence[at:])]))


def _bold(text: str) -> str:
    pieces, at = [], 0
    for found in _NUMBER.finditer(text):
        pieces += [str(escape(text[at:found.start()])), f"<b>{escape(found[0])}</b>"]
        at = found.end()
    return "".join([*pieces, str(escape(text[at:]))])


def rate_words(hits: int, people: int) -> tuple[str, str]:
    """A share of people and its 95 % range (Wilson) under it, both unknown for nobody."""
    found = share(Count(hits, people))
    return rate(found.estimate), span(rate(found.low), rate(found.high)) if people else ""


def goal_words(report: CampaignReport) -> str:
    """What counts: "furniture orders", "orders"."""
    goal = report.campaign.goal_categories
    return f"{goal[0]} orders" if len(goal) == 1 else "goal orders" if goal else "orders"


def _state(fine: bool, blocking: bool) -> str:
    return "ok" if fine else "b" if blocking else "w"


def _money_name(report: CampaignReport) -> str:
    return "Contribution" if report.money_measure == "contribution" else "Net revenue"


def _label(arm: Arm, report: CampaignReport) -> str:
    return "Everybody" if len(report.arms) == 1 and arm.offer is None else arm.label


def _plot(rows: list[Estimate], title: str) -> IntervalPlot | None:
    if not rows:
        return None
    return interval_plot(rows, kind="response", title=title, tick=lambda value: rate(value, decimals=_places(rows)))


def _places(rows: list[Estimate]) -> int:
    ends = [end for row in rows for end in (row.low, row.high) if end is not None and math.isfinite(end)]
    return 0 if not ends or max(ends) - min(ends) >= 0.02 else 1


def _rated(label: str, interval: Interval, note: str) -> Estimate:
    return Estimate(label, interval.estimate, interval.low, interval.high, rate(interval.estimate),
                    span(rate(interval.low), rate(interval.high)), note)


def compared(label: str, found: Comparison | Interval, note: str, write: Callable[[float], str],
             href: str | None = None) -> Estimate:
    """A row of an effect; without a range there is no estimate to show, only that it is too early."""
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return Estimate(label, None, None, None, "too early", "", note, href)
    return Estimate(label, found.estimate, found.low, found.high, write(found.estimate),
                    span(write(found.low), write(found.high)), note, href)


def _effects(report: CampaignReport) -> IntervalPlot | None:
    rows = [
        compared(_label(arm, report), arm.effect.judged(report.judged), f"{rate(arm.ordered_rate.estimate)} ordered",
                  lambda value: points(value, short=True))
        for arm in report.arms[:MOST_ROWS] if arm.effect is not None]
    if not rows:
        return None
    return interval_plot(rows, kind="effect", title=f"More {goal_words(report)} per 100 people",
                         tick=lambda value: number(value * 100, decimals=0 if abs(value) >= 0.01 or value == 0 else 1,
                                                   signed=True))


def _gains(report: CampaignReport) -> tuple[Estimate, ...]:
    def write(cents: float) -> str:
        return money(cents, currency=report.campaign.currency, signed=True)

    rows = []
    for arm in report.arms[:MOST_ROWS]:
        if arm.gain is not None:
            found = arm.gain.judged(report.judged)
            sure = "worth it" if found.low > 0 else "costs more" if found.high < 0 else "not sure yet"
            rows.append(compared(_label(arm, report), found, sure, write))
    labels = {arm.name: _label(arm, report) for arm in report.arms}
    differences = [
        compared("Difference", pair.contrast.judged(report.judged),
                  f"{labels.get(pair.arm, pair.arm)} less {labels.get(pair.against, pair.against)}", write)
        for pair in report.offers_compared[:3]]
    return (*rows, *differences) if rows else ()


def _response_note(report: CampaignReport) -> str:
    notes = []
    first = _label(report.arms[0], report) if report.arms else ""
    for arm in report.arms[1:3]:
        if arm.against_first is not None:
            found = arm.against_first.judged(report.judged)
            if math.isnan(found.low) or math.isnan(found.high):
                notes.append(f"{arm.label} against {first}: no difference can be told yet.")
                continue
            notes.append(f"{arm.label} against {first}: {points(found.estimate)} "
                         f"({span(number(found.low * 100, decimals=1), number(found.high * 100, decimals=1))}), "
                         f"p {_equals(arm.against_first.p_adjusted)}.")
    if report.channels:
        notes.append("Channels were chosen, not drawn: do not compare them as causes.")
    return " ".join(notes)


def _equals(value: float) -> str:
    text = formatting.p_value(value)
    return text if text.startswith(("<", ">")) else f"= {text}"


def _effect_note(report: CampaignReport) -> str:
    if report.holdout is None:
        return ""
    kept = report.holdout.ordered_rate
    words = (f"Left alone, {rate(kept.estimate)} had {goal_words(report)} "
             f"({span(rate(kept.low), rate(kept.high))}).")
    anyway = report.would_have_anyway
    if anyway is not None and math.isfinite(anyway.estimate) and math.isfinite(anyway.low):
        words += (f" Of those who redeemed, about {rate(anyway.estimate, decimals=0)} "
                  f"({span(rate(anyway.low, decimals=0), rate(anyway.high, decimals=0))}) would have ordered anyway.")
    return words


def _row(arm: Arm, report: CampaignReport) -> OfferRow:
    currency = report.campaign.currency
    gain = arm.gain.judged(report.judged) if arm.gain is not None else None
    if gain is not None and not math.isfinite(gain.low):
        gain = None
    average = arm.money.revenue_cents / arm.money.orders if arm.money.orders else None

    def write(cents: float) -> str:
        return money(cents, currency=currency, signed=True)

    return OfferRow(
        name=_label(arm, report), note=arm.name if arm.offer else "", people=count(arm.assigned), sent=count(arm.sent),
        redeemed=count(arm.redeemed), rate=rate(arm.rate.estimate), rate_range=_ends(arm.rate),
        ordered=count(arm.ordered), ordered_rate=rate(arm.ordered_rate.estimate), ordered_range=_ends(arm.ordered_rate),
        average=money(average, currency=currency), returned=rate(arm.money.returned_rate),
        gain=write(gain.estimate) if gain else NONE, gain_range=span(write(gain.low), write(gain.high)) if gain else "",
        p_value=formatting.p_value(arm.gain.p_adjusted) if arm.gain is not None else NONE)


def _holdout_row(report: CampaignReport) -> list[OfferRow]:
    kept = report.holdout
    if kept is None:
        return []
    average = kept.money.revenue_cents / kept.money.orders if kept.money.orders else None
    return [OfferRow(
        name="Left alone", note=f"hold-out, {report.campaign.holdout_percent:g} %", people=count(kept.assigned),
        sent="0", redeemed=NONE, rate=NONE, rate_range="", ordered=count(kept.ordered),
        ordered_rate=rate(kept.ordered_rate.estimate), ordered_range=_ends(kept.ordered_rate),
        average=money(average, currency=report.campaign.currency), returned=rate(kept.money.returned_rate),
        gain="compared with", gain_range="", p_value="")]


def _ends(interval: Interval) -> str:
    return span(rate(interval.low), rate(interval.high)) if math.isfinite(interval.low) else ""


def _wait(report: CampaignReport) -> tuple[SmallLine | None, str, str]:
    wait = report.wait
    if not wait.redeemed:
        return None, "Nobody has redeemed yet.", ""
    shares = [share for _day, share, _low, _high in wait.curve if math.isfinite(share)]
    usual = f"{wait.usual_days:.0f}" if math.isfinite(wait.usual_days) and wait.usual_days >= 1.5 else "one"
    if not math.isfinite(wait.usual_days):
        words = "It is too early to say how long people take."
    elif wait.usual_days < 0.5:
        words = "Half of the redemptions came on the day the code was expected to arrive."
    else:
        words = (f"Half of the redemptions came within {usual} {'day' if usual == 'one' else 'days'} of the day the "
                 "code was expected to arrive.")
    if len(shares) < 3:
        return None, words, ""
    last = len(shares) - 1
    return small_line([1000 * share for share in shares]), words, (
        f"Share of people who had redeemed, by day from 0 to {last}: {rate(shares[-1])} at the end")
