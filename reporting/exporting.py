"""How does a report leave the house: as a table for a spreadsheet, or as text for the shell?

Owns the CSV of a report and its plain-text form. The promise: nothing a cell holds is ever run by a spreadsheet (OWASP
ASVS 5.0, 1.2.10): a cell that a program might take for a formula, also behind blanks, starts with a quote mark. "Not
final" travels with the numbers.
"""

import csv
import io
import math
from collections.abc import Iterable, Sequence

from core.money import NBSP
from core.statistics.estimates import Interval
from core.texts import harmless_cell
from reporting.results import Arm, CampaignReport, Contrast, Money, instant_text
from reporting.wording import UNKNOWN, amount, number, p_words, percent, points

Value = str | int | float | None

CSV_COLUMNS = (
    "campaign", "as_of", "final", "group", "offer", "assigned", "sent", "redeemed", "rate", "rate_low", "rate_high",
    "p_value", "ordered", "ordered_rate", "ordered_rate_low", "ordered_rate_high", "effect", "effect_low",
    "effect_high", "effect_p_value", "currency", "revenue", "redeemed_revenue", "net_revenue", "contribution",
    "message_cost",
)


def csv_report(report: CampaignReport) -> str:
    """The report as CSV (RFC 4180): one line per arm, then `hold-out` and `all written to`. Amounts in major units."""
    rows = [_arm_row(report, arm) for arm in report.arms]
    if report.holdout is not None:
        held = report.holdout
        rows.append(_row(report, "hold-out", assigned=held.assigned, sent=0, ordered=held.ordered,
                         **_limits("ordered_rate", held.ordered_rate), **_amounts(held.money)))
    rows.append(_row(report, "all written to", assigned=report.treated,
                     sent=sum(arm.sent for arm in report.arms), redeemed=sum(arm.redeemed for arm in report.arms),
                     **_effect(report.effect, adjusted=False)))
    return csv_text(CSV_COLUMNS, [[row.get(name) for name in CSV_COLUMNS] for row in rows])


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    """Lines as CSV; text that a spreadsheet might run is defused, numbers stay numbers, what is undefined is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([safe_cell(name) for name in head])
    writer.writerows([[safe_cell(value) for value in row] for row in rows])
    return out.getvalue()


def safe_cell(value: Value) -> str | int | float:
    """One cell: a quote mark before text that starts, blanks aside, like a formula."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if not isinstance(value, str):
        return value
    return harmless_cell(value)


def _arm_row(report: CampaignReport, arm: Arm) -> dict[str, Value]:
    return _row(
        report, arm.name, offer=arm.offer, assigned=arm.assigned, sent=arm.sent, redeemed=arm.redeemed,
        **_limits("rate", arm.rate), p_value=None if arm.against_first is None else arm.against_first.p_adjusted,
        ordered=arm.ordered, **_limits("ordered_rate", arm.ordered_rate), **_effect(arm.effect, adjusted=True),
        **_amounts(arm.money), redeemed_revenue=arm.redeemed_revenue_cents / 100)


def _row(report: CampaignReport, group: str, **values: Value) -> dict[str, Value]:
    return {"campaign": report.campaign.key, "as_of": instant_text(report.as_of),
            "final": "yes" if report.maturity.final else "no", "group": group, "currency": report.campaign.currency,
            **values}


def _limits(name: str, interval: Interval) -> dict[str, Value]:
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _effect(contrast: Contrast | None, *, adjusted: bool) -> dict[str, Value]:
    if contrast is None:
        return {}
    fixed = contrast.fixed
    return {"effect": fixed.estimate, "effect_low": fixed.low, "effect_high": fixed.high,
            "effect_p_value": contrast.p_adjusted if adjusted else fixed.p_value}


def _amounts(money: Money) -> dict[str, Value]:
    contribution = money.contribution_cents
    return {"revenue": money.revenue_cents / 100, "net_revenue": money.net_revenue_cents / 100,
            "contribution": None if contribution is None else contribution / 100,
            "message_cost": money.message_cost_cents / 100}


# -- text for the shell ------------------------------------------------------------------------------------------

def text_report(report: CampaignReport) -> str:
    """The report as plain text in columns: checks, verdict, response, effect, what was not sent, notes."""
    facts = report.campaign
    lines = [facts.name, *_head(report), ""]
    lines += _table([[("ok" if check.fine else "NO" if check.blocking else "--"), check.name, check.evidence]
                     for check in report.checks])
    verdict = report.verdict
    lines += ["", *(part for part in (verdict.sentence, verdict.money, verdict.advice) if part)]
    if not report.maturity.final:
        lines.append("These numbers are not final.")
    lines += _response(report)
    lines += _effect_lines(report)
    if report.silences:
        lines += ["", "Not sent", *_table([["  " + state, reason or "no reason", number(count)]
                                           for state, reason, count in report.silences], right=(2,))]
    lines += ["", *report.notes]
    return "\n".join(line.replace(NBSP, " ").rstrip() for line in lines)


def _head(report: CampaignReport) -> list[str]:
    facts = report.campaign
    days = [at.date().isoformat() for at in (facts.starts_at, facts.ends_at) if at is not None]
    window = " to ".join(days) if len(days) == 2 else "from " + days[0] if days else "no window"
    kept = f", {number(report.holdout.assigned)} of them left alone" if report.holdout else ""
    goal = f" Goal: {', '.join(facts.goal_categories)}." if facts.goal_categories else ""
    return [f"{window}. {number(report.assigned)} people{kept}.{goal} As of {report.as_of:%Y-%m-%d %H:%M} UTC."]


def _response(report: CampaignReport) -> list[str]:
    if not report.arms:
        return []
    currency = report.campaign.currency
    head = ["  offer", "people", "sent", "redeemed", "rate", "95 %", "p (Holm)", "ordered", "revenue", "by code"]
    rows = [
        [f"  {_name(arm)}", number(arm.assigned), number(arm.sent), number(arm.redeemed), percent(arm.rate.estimate),
         _span(percent(arm.rate.low), percent(arm.rate.high)),
         "" if arm.against_first is None else p_words(arm.against_first.p_adjusted).removeprefix("p "),
         number(arm.ordered), amount(arm.money.revenue_cents, currency),
         amount(arm.redeemed_revenue_cents, currency)]
        for arm in report.arms
    ]
    if report.holdout is not None:
        held = report.holdout
        rows.append(["  left alone", number(held.assigned), "0", "", "", "", "", number(held.ordered),
                     amount(held.money.revenue_cents, currency), ""])
    lines = ["", "Response: what people did. Many would have ordered anyway.",
             *_table([head, *rows], right=range(1, 10))]
    if report.channels:
        rows = [[f"  {line.channel}", number(line.people), number(line.redeemed), percent(line.rate.estimate),
                 _span(percent(line.rate.low), percent(line.rate.high))] for line in report.channels]
        lines += ["", "By channel. Channels were chosen, not drawn: do not compare them as causes.",
                  *_table([["  channel", "people", "redeemed", "rate", "95 %"], *rows], right=range(1, 5))]
    usual = report.wait.usual_days
    if not math.isnan(usual):
        lines += ["", f"Half of the redemptions came within {number(usual, decimals=1)} days of arrival."]
    return lines


def _effect_lines(report: CampaignReport) -> list[str]:
    if report.effect is None:
        return []
    currency, how = report.campaign.currency, report.judged
    words = "contribution" if report.money_measure == "contribution" else "net revenue"
    rows = [["  offer", "ordered", "effect", "95 %", "p", f"{words} per person", "95 %"]]
    lines: list[tuple[str, float, Contrast | None, Contrast | None]] = [
        (_name(arm), arm.ordered_rate.estimate, arm.effect, arm.gain) for arm in report.arms]
    lines.append(("all written to", math.nan, report.effect, report.gain))
    for name, ordered, effect, gain in lines:
        if effect is None:
            continue
        one = effect.judged(how)
        p_value = effect.p_adjusted if how == "fixed" else one.p_value
        row = [f"  {name}", percent(ordered) if not math.isnan(ordered) else "", points(one.estimate),
               _span(points(one.low), points(one.high)), p_words(p_value).removeprefix("p ")]
        if gain is not None:
            paid = gain.judged(how)
            row += [amount(paid.estimate, currency, signed=True),
                    _span(amount(paid.low, currency, signed=True), amount(paid.high, currency, signed=True))]
        rows.append(row)
    held = report.holdout
    assert held is not None
    rows.append(["  left alone", percent(held.ordered_rate.estimate), "compared with", "", "", "", ""])
    return ["", f"Effect: what came of writing to them, against {number(held.assigned)} people left alone ({how}).",
            *_table(rows, right=range(1, 7))]


def _name(arm: Arm) -> str:
    return arm.name if arm.offer is None or arm.offer == arm.name else f"{arm.name} ({arm.offer})"


def _span(low: str, high: str) -> str:
    return "cannot be told" if UNKNOWN in (low, high) else f"{low} to {high}"


def _table(rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> list[str]:
    """Columns side by side, two blanks apart; those in `right` are set flush right."""
    flush = set(right)
    width = max((len(row) for row in rows), default=0)
    full = [[*row, *[""] * (width - len(row))] for row in rows]
    sizes = [max(len(row[column]) for row in full) for column in range(width)]
    return ["  ".join(cell.rjust(size) if column in flush else cell.ljust(size)
                      for column, (cell, size) in enumerate(zip(row, sizes, strict=True))).rstrip() for row in full]
