"""Which tables do questions about audiences need in the column mirror, and how are they sorted?

Owns the list. Order lines lie by category, customer and time, so that "bought furniture in the past year" reads a
slice; everything else lies by customer. Whole order histories are summed up in advance, with each generation. What
reads a table that is not among them is answered by the row store.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Select, Table
from sqlalchemy.sql.visitors import iterate

from core.database import Database
from core.mirror import Mirror, MirrorTable, Summary
from segments.compiling.facts import ADDRESSES, CONSENTS, CUSTOMERS, LISTED
from segments.compiling.near import STORES
from segments.compiling.scored import SCORES
from segments.compiling.sources import (
    CODES,
    CONTACTS,
    EVENTS,
    LINES,
    MESSAGES,
    OFFERS,
    ORDERS,
    ORGANISATIONS,
    REDEMPTIONS,
    RELATIONS,
)
from segments.compiling.summed import SUMS, SUMS_SQL


def _table(
    table: Table, columns: str, order_by: str, *, present: str | None = None, whole: bool = False
) -> MirrorTable:
    return MirrorTable(table, tuple(columns.split()), tuple(order_by.split()), present, whole)


TABLES = (
    _table(CUSTOMERS, "id external_id salutation first_name last_name company birthday_on language timezone"
           " preferred_channel household dunning_level attributes created_at forgotten_at", "id"),
    _table(ADDRESSES, "customer_id channel value postal_code city country latitude longitude undeliverable_at",
           "channel customer_id"),
    _table(CONSENTS, "id customer_id channel state at", "channel customer_id at"),
    _table(ORDERS, "id shop customer_id ordered_at status cancelled currency coupon_code ordered_via total_cents",
           "customer_id ordered_at"),
    _table(LINES, "order_id customer_id ordered_at cancelled currency sku product category brand quantity_milli"
           " unit_price_cents total_cents discount_cents tax_rate unit_cost_cents delivered_at returned_quantity_milli"
           " returned_at", "category customer_id ordered_at"),
    _table(CONTACTS, "customer_id at kind direction channel status", "customer_id at"),
    _table(MESSAGES, "id customer_id campaign channel arm step state sent_at opened_at clicked_at bounced_at",
           "customer_id"),
    _table(REDEMPTIONS, "id customer_id campaign offer_id offer_name state redeemed_at rolled_back_at", "customer_id"),
    _table(LISTED, "segment_id customer_id", "segment_id customer_id"),
    # Codes that nobody holds yet are no answer to any question, and are not followed.
    _table(CODES, "id customer_id offer_id campaign issued_at", "customer_id", present="customer_id"),
    # An offer's counters change with every redemption; its key never does.
    _table(OFFERS, "id key", "id", whole=True),
    _table(EVENTS, "id customer_id name at properties", "name customer_id at"),
    _table(RELATIONS, "id customer_id organisation_id kind role since_at until_at", "customer_id"),
    _table(ORGANISATIONS, "id external_id name", "id"),
    _table(SCORES, "customer_id name value", "name customer_id"),
    _table(STORES, "id external_id latitude longitude", "id"),
)
SUMMARIES = (
    Summary(SUMS.name, of=ORDERS.name, owner="customer_id", sql=SUMS_SQL,
            order_by=("any_currency", "currency", "customer_id")),
)
_NAMES = {table.name for table in (*TABLES, *SUMMARIES)}


def open_mirror(home: Path, database: Database, **options: Any) -> Mirror:
    """The mirror of this installation, under `mirror/` in its home; opens nothing yet."""
    return Mirror(home / "mirror", database, TABLES, summaries=SUMMARIES, **options)


@lru_cache(maxsize=256)
def answerable(statement: Select[Any]) -> bool:
    """Whether the mirror holds every table that the statement reads."""
    read = {element.name for element in iterate(statement) if isinstance(element, Table)}
    return read <= _NAMES
