"""What shape does a statistical answer have, and how does it become JSON?

Owns the two result types that every formula returns and the two ways out into JSON. The promise: a reader of a result
always finds the estimate, the interval, the method by name and the number of people behind it, and no NaN or Infinity
ever reaches JSON.
"""

import math
import sys
from dataclasses import dataclass, fields
from statistics import NormalDist
from typing import Any

SMALLEST_P = sys.float_info.min
"""No p value is 0: below the smallest normal double (2.2e-308) this one is reported instead."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One number with its uncertainty.

    `estimate`: the number; nan when there is nothing to estimate it from. `low`, `high`: the limits of the interval,
    nan when the data show no spread to build one from. `n`: people (or clusters) behind it. `confidence`: 0.95 for 95
    %.
    """

    estimate: float
    low: float
    high: float
    n: int
    method: str
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference of two groups, this one minus the one it is held against, on the absolute scale.

    `p_value` is two-sided and never 0; nan, like the limits, when the groups show no spread to judge by. `statistic` is
    the z, t or e-value named by `method`; `n` and `n_against` count the people (or clusters) of the two groups.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    statistic: float
    n: int
    n_against: int
    method: str
    confidence: float = 0.95


def finite_or_none(value: float | None) -> float | None:
    """The number as a plain float, or None where it is undefined (nan, an infinity, or None already)."""
    return None if value is None or not math.isfinite(value) else float(value)


def as_json(result: Any) -> dict[str, Any]:
    """The fields of a result dataclass as a JSON object, undefined numbers as None; tuples become lists."""
    return {field.name: _json_value(getattr(result, field.name)) for field in fields(result)}


def _json_value(value: Any) -> Any:
    if isinstance(value, float):
        return finite_or_none(value)
    if isinstance(value, tuple):
        return [_json_value(item) for item in value]
    return value


def critical_value(confidence: float) -> float:
    """The two-sided standard normal quantile of a confidence (0.95 gives 1.96); ValueError outside 0..1."""
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
    return -NormalDist().inv_cdf((1 - confidence) / 2)


def shown_p(p_value: float) -> float:
    """A p value kept off 0 (see `SMALLEST_P`) and at most 1; nan stays nan."""
    return p_value if math.isnan(p_value) else min(1.0, max(float(p_value), SMALLEST_P))
