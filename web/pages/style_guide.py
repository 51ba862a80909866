"""The style guide: every pattern of the macro library on one page, with invented values.

It is the page that the accessibility tests look at, so what is shown here is what is known to work.
"""

from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from web.frame.plots import (
    Channel,
    Estimate,
    Exclusion,
    interval_plot,
    small_line,
    tint,
    tint_steps,
    waterfall,
)
from web.wording import formatting

blueprint = Blueprint("style_guide", __name__)

_COLUMNS = ("under €250", "€250 to 750", "€750 to 1,500", "€1,500 or more")
_ROWS = ("1 order", "2", "3", "4 or more")
_RATES = (  # rate, low, high, people; None: too few
    ((0.053, 0.04, 0.07, 1432), (0.073, 0.06, 0.09, 980), (0.096, 0.07, 0.13, 395), (0.153, 0.11, 0.21, 176)),
    ((0.068, 0.05, 0.09, 590), (0.083, 0.07, 0.10, 800), (0.096, 0.07, 0.12, 511), (0.163, 0.12, 0.21, 246)),
    ((0.059, 0.03, 0.12, 118), (0.085, 0.06, 0.12, 402), (0.097, 0.07, 0.13, 431), (0.162, 0.12, 0.21, 297)),
    (None, (0.070, 0.04, 0.12, 158), (0.084, 0.06, 0.12, 286), (0.089, 0.06, 0.13, 214)),
)


@blueprint.get("/style-guide")
def index() -> ResponseReturnValue:
    """Show the patterns."""
    return render_template(
        "pages/style_guide.html", response=_response(), effect=_effect(), unclear=_unclear(), fall=_fall(),
        line=small_line([42, 40, 44, 31, 24, 37, 55, 36, 27, 23, 21, 17, 33, 51, 24, 15, 10, 46]),
        columns=_COLUMNS, rows=_ROWS, cells=_cells(), fmt=formatting,
    )


def _rated(label: str, note: str, value: float, low: float, high: float) -> Estimate:
    ends = formatting.span(formatting.rate(low), formatting.rate(high))
    return Estimate(label, value, low, high, formatting.rate(value), ends, note)


def _caused(label: str, note: str, value: float, low: float, high: float) -> Estimate:
    ends = formatting.span(formatting.points(low, short=True), formatting.points(high, short=True))
    return Estimate(label, value, low, high, formatting.points(value, short=True), ends, note)


def _points_tick(value: float) -> str:
    return formatting.number(value * 100, signed=True)


def _response() -> Any:
    rows = [
        _rated("10 %", "3,780 people", 0.079, 0.071, 0.088), _rated("15 EUR", "3,779 people", 0.093, 0.084, 0.103)
    ]
    return interval_plot(rows, kind="response", title="Redeemed their code, by offer",
                         tick=lambda value: formatting.rate(value, decimals=0), low=0.04, high=0.12)


def _effect() -> Any:
    rows = [
        _caused("10 %", "10.6 % ordered", 0.032, 0.01, 0.051),
        _caused("15 EUR", "11.2 % ordered", 0.038, 0.016, 0.057),
    ]
    return interval_plot(rows, kind="effect", title="More furniture orders per 100 people", tick=_points_tick)


def _unclear() -> Any:
    rows = [_caused("Letter arm", "212 and 212 people", 0.006, -0.044, 0.056)]
    return interval_plot(rows, kind="effect", title="More orders per 100 people", tick=_points_tick)


def _fall() -> Any:
    steps = [
        Exclusion("Order not yet delivered", 512, "#"), Exclusion("Delivered in last 14 days", 96, "#"),
        Exclusion("Return open", 148, "#"), Exclusion("Complaint not resolved", 87, "#"),
        Exclusion("In dunning", 63, "#"), Exclusion("Address undeliverable", 120, "#"),
        Exclusion("Coupon in last 60 days", 204, "#"), Exclusion("No channel allowed", 11, "#"),
    ]
    channels = [Channel("Newsletter", 3912, "mail"), Channel("Letter", 3608, "mailbox"), Channel("Phone", 879, "phone")]
    return waterfall("In the segment", 9640, exclusions=steps, channels=channels, start_href="#", reachable_href="#")


def _cells() -> list[list[dict[str, Any]]]:
    steps = tint_steps([cell[1] for row in _RATES for cell in row if cell])
    grid = []
    for r, row in enumerate(_RATES):
        line: list[dict[str, Any]] = []
        for c, cell in enumerate(row):
            if cell is None:
                line.append({"few": "too few", "n": "12 people"})
                continue
            rate, low, high, people = cell
            line.append({
                "value": f"{r}:{c}", "name": f"{_ROWS[r]}, {_COLUMNS[c]}", "rate": formatting.rate(rate),
                "range": f"{low * 100:.0f} to {high * 100:.0f}", "n": formatting.count(people),
                "tint": tint(low, steps=steps), "chosen": r < 3 and c == 3,
            })
        grid.append(line)
    return grid
