"""How are the shape, the overlap and the past sizes of a draft drawn?

Owns their labels, widths and addresses: every bar and every dot leads to the people behind it, as a draft of its own.
Pure. The promise: bars begin at zero, one scale per drawing, and what the draft holds stands beside what everybody is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from segments.figures.over_time import MonthEnd
from segments.figures.overlap import Overlap, narrowed
from segments.figures.shape import Band, Shape
from segments.language.conditions import Rule
from web.frame.plots import SmallLine, small_line
from web.wording import formatting

LONGEST_ADDRESS = 6_000
"""Characters of a rule that addresses may carry; beyond, browsers and proxies begin to refuse."""


def rule_text(rule: Rule) -> str | None:
    """A rule as an address carries it; None when it is too long for one."""
    text = json.dumps(rule.to_json(), ensure_ascii=False, separators=(",", ":"))
    return text if len(quote(text)) <= LONGEST_ADDRESS else None


@dataclass(frozen=True)
class Bar:
    """One line of a histogram: `width` and `mark` (everybody's share) are percentages of the bar's column."""

    label: str
    rule: str | None
    people: int
    share: float
    everybody: float
    width: float
    mark: float


@dataclass(frozen=True)
class Histogram:
    """`title` says of what; `note` what is left out of it."""

    title: str
    bars: tuple[Bar, ...]
    note: str = ""


def histograms(shape: Shape, rule: Rule) -> tuple[Histogram, ...]:
    """Spending and last order of the draft's people, each bar with the draft narrowed to its people."""
    currency = shape.currency or "EUR"
    note = f"Orders in other currencies than {currency} are left out." if shape.mixed else ""
    return (
        Histogram("Spent so far", _bars(shape, shape.value, rule,
                                        [_money_label(band, currency) for band in shape.value]), note),
        Histogram("Last order", _bars(shape, shape.recency, rule, [_age_label(band) for band in shape.recency])),
    )


def _bars(shape: Shape, bands: Sequence[Band], rule: Rule, labels: Sequence[str]) -> tuple[Bar, ...]:
    shares = [(_part(band.people, shape.people), _part(band.everybody, shape.everybody)) for band in bands]
    largest = max((share for pair in shares for share in pair), default=0.0) or 1.0
    return tuple(
        Bar(label, rule_text(narrowed(rule, band.rule)) if band.people else None, band.people, own, all_,
            round(96 * own / largest, 2), round(96 * all_ / largest, 2))
        for label, band, (own, all_) in zip(labels, bands, shares, strict=True)
    )


def _part(people: int, whole: int) -> float:
    return people / whole if whole else 0.0


def _money_label(band: Band, currency: str) -> str:
    if band.low is None:
        return "Nothing"
    low = _whole_money(band.low, currency)
    if band.high is None:
        return f"{low} and more"
    high = _whole_money(band.high, currency)
    return f"Under {high}" if band.low == 1 else f"{low} to {high}"


def _whole_money(cents: int, currency: str) -> str:
    """The edge of a band: without cents, which edges never have."""
    return formatting.money(cents, currency=currency).removesuffix(".00")


def _age_label(band: Band) -> str:
    if band.low is None:
        return "Never ordered"
    if band.high is None:
        return f"Over {band.low // 365} years ago"
    if not band.low:
        return f"Last {band.high} days"
    if band.low >= 365:
        return f"{band.low // 365} to {band.high // 365} years ago"
    return f"{band.low} to {band.high} days ago"


@dataclass(frozen=True)
class Other:
    """One other segment: its name, what both share, how much of the draft that is, and the draft narrowed to them."""

    letter: str
    name: str
    key: str
    both: int
    share: float
    size: int
    rule: str | None


@dataclass(frozen=True)
class Together:
    """People who are in exactly these others (one flag per letter)."""

    inside: tuple[bool, ...]
    words: str
    people: int
    share: float
    width: float
    rule: str | None


@dataclass(frozen=True)
class OverlapView:
    """The other segments by what they share, and the matrix of the largest ones."""

    others: tuple[Other, ...]
    more: int
    together: tuple[Together, ...]
    left_out: tuple[str, ...]


MOST_SHOWN = 8


def overlap_view(found: Overlap, names: Mapping[str, str]) -> OverlapView:
    """The overlap ready to be drawn; `names` are the segments' by key."""
    letters = {key: "ABCDEFGH"[place] for place, key in enumerate(found.combined)}
    shared = [common for common in found.commons if common.both]
    others = tuple(
        Other(letters.get(common.key, ""), names.get(common.key, common.key), common.key, common.both,
              _part(common.both, found.people), common.size, rule_text(common.rule))
        for common in shared[:MOST_SHOWN])
    most = max((part.people for part in found.combinations), default=0) or 1
    together = tuple(
        Together(tuple(key in part.inside for key in found.combined),
                 " and ".join(names.get(key, key) for key in part.inside) or "None of them", part.people,
                 _part(part.people, found.people), round(100 * part.people / most, 2), rule_text(part.rule))
        for part in found.combinations)
    return OverlapView(others, len(found.commons) - len(others), together,
                       tuple(names.get(key, key) for key in found.left_out))


@dataclass(frozen=True)
class Month:
    """The end of one month: its name, the moment as an address carries it, the people."""

    label: str
    at: str
    people: int | None


@dataclass(frozen=True)
class Months:
    """The sizes at each month end: a line of those known, and whether some are still being counted."""

    ends: tuple[Month, ...]
    line: SmallLine | None
    spoken: str
    waiting: bool


def months_view(ends: Sequence[MonthEnd], total: int) -> Months:
    """The past sizes with today's at the end."""
    sizes = [end.people for end in ends if end.people is not None]
    months = tuple(Month(month_ended(end.at), end.at.isoformat(), end.people) for end in ends)
    if len(sizes) < len(ends):
        return Months(months, None, "", True)
    every = [*sizes, total]
    spoken = (f"Size at each month end: {formatting.count(every[0])} a year ago, {formatting.count(total)} today, "
              f"least {formatting.count(min(every))}, most {formatting.count(max(every))}.")
    return Months(months, small_line(every, height=48), spoken, False)


def month_ended(at: datetime) -> str:
    """The month that ends at this instant, in UTC: "November 2025"."""
    return formatting.month((at.astimezone(UTC) - timedelta(microseconds=1)).date())
