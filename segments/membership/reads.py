"""Which facts does a rule look at, so that only their change makes its members stale?

Owns the tables that each kind of condition reads, by the names the list of changes knows. Whatever is not known here
reads everything: rather a refresh too many than a member too few.
"""

from core.cursors import FOLLOWED
from segments.language.conditions import (
    All,
    Any_,
    ConsentIs,
    CustomerIs,
    Followed,
    InSegment,
    Listed,
    Measured,
    Near,
    Not,
    Prefers,
    Rule,
    Sampled,
    Scored,
)

ALWAYS = frozenset({"customers"})
"""Who is new and who was forgotten matters to every rule."""
EVERYTHING = frozenset(FOLLOWED)

_SOURCES = {
    "orders": {"orders", "order_lines"}, "contacts": {"contacts"}, "messages": {"messages"},
    "events": {"events"}, "relations": {"relations", "organisations"},
}


def tables_read(rule: Rule) -> frozenset[str]:
    """The followed tables whose change can change who a rule holds for; nested segments have been put in."""
    found = set(ALWAYS)
    for node in rule.walk():
        found |= _tables(node)
    return frozenset(found)


def _tables(node: Rule) -> frozenset[str] | set[str]:
    if isinstance(node, All | Any_ | Not | Sampled | InSegment):
        return ALWAYS
    if isinstance(node, CustomerIs):
        return {"customers", "addresses"}
    if isinstance(node, ConsentIs):
        return {"consents"}
    if isinstance(node, Prefers):
        return {"contacts"}
    if isinstance(node, Followed):
        return _SOURCES["orders"]
    if isinstance(node, Scored):
        return {"scores"}
    if isinstance(node, Near):
        return {"addresses"} if node.store is None else {"addresses", "stores"}
    if isinstance(node, Listed):
        return {"listed_people"}
    if isinstance(node, Measured):
        if node.source == "coupons" and node.measure == "redeemed":
            return {"redemptions"}
        return _SOURCES.get(node.source, EVERYTHING)
    return EVERYTHING
