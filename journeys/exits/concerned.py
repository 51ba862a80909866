"""Whom do the rows concern that were recorded since we last looked?

Owns the way from changed rows to people, and from a rule to the tables a change of which may decide it anew.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from core.arrays import in_ids
from core.bulk import chunks
from core.cursors import Changes
from coupons.models import Code, Redemption
from customers.models import Event, Order
from delivery.models import Message
from segments.language.conditions import ConsentIs, CustomerIs, Followed, Measured, Near, Prefers, Rule, Scored

AT_ONCE = 50_000
ORDERED = ("orders", "order_lines")
_OF_CUSTOMERS = ("customers", "addresses", "consents", "contacts", "scores")
"""Tables whose changes carry the customer's own key."""
_OF_ROWS: Mapping[str, Any] = {"events": Event, "redemptions": Redemption, "codes": Code, "messages": Message}
_SOURCES: Mapping[str, tuple[str, ...]] = {
    "orders": ORDERED, "contacts": ("contacts",), "messages": ("messages",),
    "coupons": ("codes", "redemptions"), "events": ("events",),
}


def tables_of(rule: Rule) -> Iterable[str]:
    """The tables a change of which may let the rule hold for somebody else; time alone may, too."""
    for node in rule.walk():
        if isinstance(node, Measured):
            yield from _SOURCES.get(node.source, ())
        elif isinstance(node, Followed):
            yield from ORDERED
        elif isinstance(node, CustomerIs | Near | Prefers):
            yield from ("customers", "addresses", "contacts")
        elif isinstance(node, ConsentIs):
            yield "consents"
        elif isinstance(node, Scored):
            yield "scores"


def customers_of(connection: Connection, changes: Changes, tables: Collection[str]) -> list[int]:
    """The ids of the people whom changes of these tables concern, rising."""
    found: set[int] = set()
    for name in _OF_CUSTOMERS:
        found |= set(changes.keys.get(name, ())) if name in tables else set()
    if "orders" in tables:
        orders = sorted({*changes.keys.get("orders", ()), *changes.keys.get("order_lines", ())})
        for part in chunks(orders, AT_ONCE):
            found |= set(connection.scalars(select(Order.customer_id).where(in_ids(Order.id, part)).distinct()))
    for name, table in _OF_ROWS.items():
        for part in chunks(changes.keys.get(name, []) if name in tables else [], AT_ONCE):
            found |= set(connection.scalars(select(table.customer_id).where(
                in_ids(table.id, part), table.customer_id.is_not(None)).distinct()))
    return sorted(found)
