"""How many people does a comparison need, and what could this many show?

Owns sample sizes and smallest detectable lifts for a two-sided test of two groups, solved by statsmodels
(normal quantiles; rates by the arcsine effect size). The promise: the number is per group, rounded up, and respects
unequal groups such as a 10 % hold-out. Revenue needs an order of magnitude more people than a rate; that is
arithmetic, not a fault.
"""

import math
from dataclasses import dataclass

from core.errors import Invalid


@dataclass(frozen=True, slots=True)
class PeopleNeeded:
    """People for each group, rounded up, and their sum; nan when no number is enough (no lift, no base, no spread)."""

    control: float
    treated: float
    total: float
    method: str
    alpha: float
    power: float


def people_needed_for_rate(
    base_rate: float, *, lift: float, alpha: float = 0.05, power: float = 0.8, treated_per_control: float = 1.0
) -> PeopleNeeded:
    """People needed to see a relative `lift` (0.1: a tenth more) over `base_rate`.

    `treated_per_control` is the ratio of group sizes (9 for a 10 % hold-out). nan when the base rate or the lift is 0.
    Invalid when the lifted rate would leave 0..1.
    """
    _check_rate(base_rate)
    lifted = base_rate * (1 + lift)
    # (1 + lift) may round a rate of exactly 1 a hair above it.
    if not 0 <= lifted <= 1 + 1e-12:
        raise Invalid(f"a lift of {lift} over a rate of {base_rate} leaves the range from 0 to 1", place="lift")
    from statsmodels.stats.proportion import proportion_effectsize

    size = float(proportion_effectsize(min(lifted, 1.0), base_rate))
    return _people(size, "normal, arcsine", alpha=alpha, power=power, ratio=treated_per_control)


def people_needed_for_mean(
    base_mean: float, standard_deviation: float, *, lift: float, alpha: float = 0.05, power: float = 0.8,
    treated_per_control: float = 1.0,
) -> PeopleNeeded:  # fmt: skip
    """People needed to see a relative `lift` over `base_mean` when single values scatter by `standard_deviation`.

    nan when the mean, the lift or the spread is 0 (without spread no size is called for).
    """
    _check_spread(standard_deviation)
    size = base_mean * lift / standard_deviation if standard_deviation else math.nan
    return _people(size, "normal", alpha=alpha, power=power, ratio=treated_per_control)


def smallest_lift_of_rate(
    base_rate: float, *, control: int, treated: int, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The smallest relative rise over `base_rate` that these groups would show with this power.

    nan when a group is empty, the base rate is 0, or even a rise to 1 would go unseen.
    """
    _check_rate(base_rate)
    size = _detectable(control, treated, alpha=alpha, power=power)
    angle = math.asin(math.sqrt(base_rate)) + size / 2
    if not base_rate or not angle <= math.pi / 2:
        return math.nan
    return math.sin(angle) ** 2 / base_rate - 1


def smallest_lift_of_mean(
    base_mean: float, standard_deviation: float, *, control: int, treated: int, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The smallest relative rise over `base_mean` they would show; nan for an empty group or a mean not above 0."""
    _check_spread(standard_deviation)
    if not base_mean > 0:
        return math.nan
    return _detectable(control, treated, alpha=alpha, power=power) * standard_deviation / base_mean


def _people(size: float, method: str, *, alpha: float, power: float, ratio: float) -> PeopleNeeded:
    _check_levels(alpha, power)
    if not 0 < ratio < math.inf:
        raise Invalid(f"the ratio of group sizes is above 0, not {ratio}", place="treated_per_control")
    if math.isnan(size) or abs(size) < 1e-9:
        return PeopleNeeded(math.nan, math.nan, math.nan, method, alpha, power)
    control = _size_for_one(alpha, power, ratio) / size**2
    # Rounding up must not add a person for a rounding error.
    groups = [float(max(2, math.ceil(people * (1 - 1e-12)))) for people in (control, control * ratio)]
    return PeopleNeeded(groups[0], groups[1], groups[0] + groups[1], method, alpha, power)


def _detectable(control: int, treated: int, *, alpha: float, power: float) -> float:
    """The smallest standardised effect; nan for an empty group."""
    _check_levels(alpha, power)
    if control < 1 or treated < 1:
        return math.nan
    return math.sqrt(_size_for_one(alpha, power, treated / control) / control)


def _size_for_one(alpha: float, power: float, ratio: float) -> float:
    """Control people needed to see a difference of one standard deviation, the far tail left out."""
    from statsmodels.stats.power import normal_sample_size_one_tail

    return float(normal_sample_size_one_tail(1.0, power, alpha / 2, std_null=math.sqrt(1 + 1 / ratio)))


def _check_rate(base_rate: float) -> None:
    if not 0 <= base_rate <= 1:
        raise Invalid(f"a rate lies between 0 and 1, not {base_rate}", place="base_rate")


def _check_spread(standard_deviation: float) -> None:
    if not 0 <= standard_deviation < math.inf:
        raise Invalid(f"a standard deviation is 0 or more, not {standard_deviation}", place="standard_deviation")


def _check_levels(alpha: float, power: float) -> None:
    if not 0 < alpha < 1:
        raise Invalid(f"the level lies between 0 and 1, not {alpha}", place="alpha")
    if not alpha < power < 1:
        raise Invalid(f"the power lies between the level {alpha} and 1, not {power}", place="power")
