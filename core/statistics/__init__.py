"""What do counts and sums tell us, and how sure can we be?

Pure formulas over sufficient statistics (hits and people, or n, mean and variance), so that SQL does the adding.
Every answer is a frozen result with its estimate, interval, method and n. The promise: what is undefined is `nan`
with a stated meaning, never a silent 0, never a warning; `finite_or_none` and `as_json` turn it into null at the
door.
"""

from core.statistics.estimates import Comparison, Interval, as_json, finite_or_none

__all__ = ["Comparison", "Interval", "as_json", "finite_or_none"]
