"""Files of facts: customers, consents, products, stores, orders, contacts, events, relations and scores.

Higher rooms make their own `Kind` objects (campaigns, redemptions); a door merges them with `KINDS`.
"""

from customers.importing.attributes import ATTRIBUTE_KINDS
from customers.importing.catalogue_kinds import PRODUCTS, STORES
from customers.importing.consents_kind import CONSENTS
from customers.importing.contacts_kind import CONTACTS
from customers.importing.customers_kind import CUSTOMERS
from customers.importing.events_kind import EVENTS
from customers.importing.kinds import Kind
from customers.importing.orders_kind import ORDERS
from customers.importing.relations_kind import RELATIONS
from customers.importing.running import ImportResult, import_file
from customers.importing.scores_kind import SCORES

KINDS: dict[str, Kind] = {kind.name: kind for kind in (
    CUSTOMERS, CONSENTS, PRODUCTS, STORES, ORDERS, CONTACTS, EVENTS, RELATIONS, SCORES)}

__all__ = ["ATTRIBUTE_KINDS", "KINDS", "ImportResult", "Kind", "import_file"]
