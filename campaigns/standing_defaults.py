"""Which people does no house want to write to, before anybody has said anything?

Owns the nine standing exclusions that a new installation begins with: each a name and an ordinary rule. They hold until
the house changes them; what a shop does not report (a return, a dunning level) excludes nobody.
"""

from collections.abc import Mapping
from typing import Any

_OPEN_WORDS = ["open", "new", "pending", "in_progress"]
"""What shops call a return or a complaint that is not settled."""


def _unsettled(kind: str, days: int) -> dict[str, Any]:
    return {"contacts": "count", "where": {"kind": [kind], "status": _OPEN_WORDS}, "window": {"last_days": days},
            "at_least": 1}


DEFAULTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    # An order that nobody ever reports as delivered must not silence its customer for good.
    "open_order": ("open order", {"orders": "open", "window": {"last_days": 30}, "at_least": 1}),
    "delivered_lately": ("delivered a few days ago", {"orders": "days_since_delivery", "at_most": 5}),
    "open_return": ("open return", _unsettled("return", 60)),
    "complaint": ("unresolved complaint", {"any": [
        _unsettled("complaint", 180),
        {"contacts": "count", "where": {"kind": ["complaint"]}, "window": {"last_days": 14}, "at_least": 1}]}),
    "dunning": ("dunning", {"customer": "dunning_level", "at_least": 1}),
    "deceased": ("deceased", {"customer": "attributes.deceased", "is": True}),
    "employee": ("employee", {"relations": "count", "where": {"kind": ["employee"]}, "at_least": 1}),
    "undeliverable": ("undeliverable", {"messages": "bounced", "window": {"last_days": 365}, "at_least": 2}),
    "coupon_lately": ("had a coupon lately", {"coupons": "issued", "window": {"last_days": 30}, "at_least": 1}),
}
"""Key -> name and rule, in the order in which people are counted out."""
