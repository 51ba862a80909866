"""The published Hillstrom e-mail experiment as counts, means and standard deviations (MineThatData 2008).

Only figures, no rows: counts per arm are exact; means and standard deviations of spend are rounded as printed.
"""

from core.statistics.means import Moments
from core.statistics.proportions import Count

PEOPLE = {"control": 21_306, "mens": 21_307, "womens": 21_387}
VISITS = {arm: Count(hits, PEOPLE[arm]) for arm, hits in {"control": 2_262, "mens": 3_894, "womens": 3_238}.items()}
CONVERSIONS = {arm: Count(hits, PEOPLE[arm]) for arm, hits in {"control": 122, "mens": 267, "womens": 189}.items()}
SPEND = {
    "control": Moments(PEOPLE["control"], 0.652789, 11.5882**2),
    "mens": Moments(PEOPLE["mens"], 1.422617, 17.7542**2),
    "womens": Moments(PEOPLE["womens"], 1.077202, 15.1161**2),
}
