"""What was drawn, how many of it, and what does that cost in certainty?

Owns the sentence of a report on its units: people, households or organisations, their size, and the design effect, by
which people who answer alike say less than as many drawn one by one.
"""

from dataclasses import dataclass
from typing import Any

from core.statistics.clusters import ClusterSums, design_effect_of_rate
from core.statistics.estimates import finite_or_none
from reporting.clusters import ClusteredGroups
from reporting.groups import Heads
from reporting.wording import number


@dataclass(frozen=True)
class Drawn:
    """What was drawn: `unit` is customer, household or organisation, `units` how many in all. `design_effect` is that
    of the share that ordered, among everybody to be written to; None where units are single people or nobody came."""

    unit: str = "customer"
    units: int = 0
    average_size: float = 1.0
    design_effect: float | None = None
    sentence: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON; numbers that are not known are null."""
        effect = self.design_effect
        return {"unit": self.unit, "units": self.units, "average_size": finite_or_none(self.average_size),
                "design_effect": None if effect is None else finite_or_none(effect), "sentence": self.sentence}


def drawn_of(unit: str, groups: ClusteredGroups | None, treated: Heads, kept: Heads) -> Drawn:
    """The units of a report, and the sentence about them."""
    everybody = treated.people + kept.people
    if unit == "household" and everybody:
        return Drawn(unit, everybody, sentence=(
            f"Households were drawn: {number(everybody)} of them, each counted once with what anybody of it orders. "
            "The ranges are those of households."))
    if groups is None or not everybody:
        return Drawn(unit, everybody)
    size = groups.people / groups.units
    sums = treated.clusters.ordered if treated.clusters is not None else None
    effect = None if sums is None else design_effect_of_rate(sums)
    sentence = (f"Organisations were drawn, everybody of one together: {number(groups.units)} units of {size:.1f} "
                "people on average (who belongs to none is a unit alone). Ranges and p values are those of the units.")
    if effect is not None and sums is not None:
        sentence += f" {_effect_words(sums, effect)}"
    return Drawn(unit, groups.units, size, effect, sentence)


def _effect_words(sums: ClusterSums, effect: float) -> str:
    people = round(sums.size)
    if effect < 1.05:
        return f"Colleagues hardly answer alike here: the design effect on orders is {effect:.1f}."
    if not 0 < sums.total < sums.size:
        return (f"Nothing shows yet how alike colleagues answer, so they are taken to answer as one: design effect "
                f"{effect:.1f}.")
    return (f"Colleagues answer alike: the design effect on orders is {effect:.1f}, so {number(people)} people say as "
            f"much as {number(people / effect)} drawn one by one.")
