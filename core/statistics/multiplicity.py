"""Which findings remain when many questions were asked at once?

Owns the adjustment of a family of p values, computed by statsmodels. The promise: with Holm, the chance of even one
false finding in the family stays below the level; undefined p values stay undefined and do not enlarge the family,
because a test that could not be made cannot be a false finding.
"""

import gc
import math
from collections.abc import Sequence
from typing import Literal

from core.statistics.estimates import shown_p

Correction = Literal["holm", "benjamini-hochberg"]


def adjust(p_values: Sequence[float], *, method: Correction = "holm") -> tuple[float, ...]:
    """The adjusted p values in the order given: Holm (1979) or Benjamini-Hochberg (1995)."""
    known = [index for index, p_value in enumerate(p_values) if not math.isnan(p_value)]
    if not all(0 <= p_values[index] <= 1 for index in known):
        raise ValueError("p values lie between 0 and 1")
    adjusted = [math.nan] * len(p_values)
    if known:
        from statsmodels.stats.multitest import fdrcorrection, multipletests

        family = [p_values[index] for index in known]
        # multipletests ends with a full garbage collection, 0.15 s in a process where nothing is frozen: frozen objects
        # are not looked at. What a web process froze when it started stays frozen.
        freezes = not gc.get_freeze_count()
        if freezes:
            gc.freeze()
        try:
            corrected = multipletests(family, method="holm")[1] if method == "holm" else fdrcorrection(family)[1]
        finally:
            if freezes:
                gc.unfreeze()
        for index, p_value in zip(known, corrected, strict=True):
            adjusted[index] = shown_p(float(p_value))
    return tuple(adjusted)
