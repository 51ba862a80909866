"""How does an order that a shop's webhook tells of become one of our facts?

Owns the upsert of an order's full state and the memory of how new it is. The promise: whatever arrives in whatever
order and however often, the newest state the shop told is the one that stands; an order that was removed before it
came stays away. The lines go through the very columns and checks of the order import; category, brand and cost that a
shop does not send are taken from our products.
"""

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import Connection, and_, exists, not_, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from core.arrays import in_texts
from core.database import Database
from core.errors import Invalid
from customers.identity import email_lookup
from customers.importing import KINDS
from customers.importing.records import store_records
from customers.models import Address, Customer, Order, OrderLine, Product, ToldOrder

Cells = dict[str, str | None]


@dataclass(frozen=True)
class ReportedPerson:
    """Who ordered, as far as the shop says; a guest has no number."""

    number: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None


@dataclass(frozen=True)
class ReportedLine:
    """One line; amounts in cents, VAT in. `total_cents` is before coupons; quantity and price are never negative."""

    sku: str | None
    product: str | None
    quantity: Decimal
    unit_price_cents: int
    total_cents: int
    category: str | None = None
    brand: str | None = None
    discount_cents: int | None = None
    tax_rate: Decimal | None = None
    returned_quantity: Decimal | None = None

    @property
    def returned_cents(self) -> int:
        """What came back of the line's total, half a cent rounded up."""
        if not self.returned_quantity or self.quantity <= 0:
            return 0
        share = min(self.returned_quantity, self.quantity) / self.quantity
        return int(self.total_cents * share + Decimal("0.5"))


@dataclass(frozen=True)
class ReportedOrder:
    """One order as it stands in the shop at `modified_at`."""

    shop: str
    number: str
    modified_at: datetime
    ordered_at: datetime
    currency: str
    person: ReportedPerson
    lines: tuple[ReportedLine, ...]
    status: str | None = None
    cancelled: bool = False
    coupon_code: str | None = None
    ordered_via: str = "web"
    payment: str | None = None
    delivered_at: datetime | None = None
    returned_at: datetime | None = None

    @property
    def goods_cents(self) -> int:
        """Sum of the lines before coupons."""
        return sum(line.total_cents for line in self.lines)

    @property
    def returned_cents(self) -> int:
        """What came back of the goods."""
        return sum(line.returned_cents for line in self.lines)


def upsert_order(database: Database, order: ReportedOrder, *, now: datetime, secret_key: str) -> bool:
    """Store the order unless a newer state of it is known; False: it was older and changed nothing.

    Opens its own transactions and may be repeated. Raises Invalid when the lines cannot be stored.
    """
    if not database.small(lambda connection: _note(connection, order.shop, order.number, order.modified_at,
                                                   gone=False, cancelled=order.cancelled)):
        return False
    if not order.lines:
        raise Invalid("The order has no line that could be stored.", place="lines")
    person = _known_person(database, order, now=now, secret_key=secret_key)
    with database.reading() as session:
        lines = _with_catalogue(session.connection(), order.lines)
    head: Cells = {
        "order_id": order.number, "shop": order.shop or None, "customer_id": person,
        "ordered_at": _instant(order.ordered_at), "status": "cancelled" if order.cancelled else order.status,
        "currency": order.currency, "coupon_code": order.coupon_code, "ordered_via": order.ordered_via,
        "payment": order.payment,
    }
    store_records(database, KINDS["orders"], [{**head, **_cells(order, line)} for line in lines], now=now,
                  secret_key=secret_key)
    return True


def remove_order(database: Database, shop: str, number: str, *, modified_at: datetime) -> bool:
    """Note that the shop removed an order; one that is stored counts as cancelled. False: a newer state is known."""

    def remove(connection: Connection) -> bool:
        if not _note(connection, shop, number, modified_at, gone=True):
            return False
        ours = (Order.shop == shop, Order.external_id == number)
        ids = select(Order.id).where(*ours).scalar_subquery()
        connection.execute(update(Order).where(*ours).values(status="removed in the shop", cancelled=True))
        connection.execute(update(OrderLine).where(OrderLine.order_id == ids).values(cancelled=True))
        return True

    return database.small(remove)


def _note(connection: Connection, shop: str, number: str, modified_at: datetime, *, gone: bool,
          cancelled: bool = False) -> bool:
    """Remember this state as the newest; an equal one counts again, so that a repetition after a crash works.

    Shops tell time by the second: of two states of one instant the one that ends the order stands.
    """
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(ToldOrder).values(shop=shop, external_id=number, modified_at=modified_at, gone=gone)
    ended = exists().where(Order.shop == shop, Order.external_id == number, Order.cancelled)
    return connection.execute(
        statement.on_conflict_do_update(
            index_elements=["shop", "external_id"],
            set_={"modified_at": statement.excluded.modified_at, "gone": statement.excluded.gone},
            where=or_(ToldOrder.modified_at < statement.excluded.modified_at, and_(
                ToldOrder.modified_at == statement.excluded.modified_at,
                true() if gone or cancelled else not_(or_(ToldOrder.gone, ended)))),
        ).execution_options(preserve_rowcount=True)).rowcount == 1


def _known_person(database: Database, order: ReportedOrder, *, now: datetime, secret_key: str) -> str:
    """The customer number the order belongs to; who is new is made with what the shop told of them."""
    person = order.person
    with database.reading() as session:
        number = person.number or _number_of_guest(session.connection(), order, secret_key)
        known = session.execute(select(Customer.id).where(Customer.external_id == number)).first() is not None
    told: Cells = {"customer_id": number, "email": person.email, "first_name": person.first_name,
                   "last_name": person.last_name}
    if known or not any(value for name, value in told.items() if name != "customer_id"):
        return number
    for cells in (told, {name: value for name, value in told.items() if name != "email"}):
        try:  # a bad e-mail address is no reason to lose the name; whoever asked to be forgotten stays without one
            store_records(database, KINDS["customers"], [cells], now=now, secret_key=secret_key)
            break
        except Invalid:
            continue
    return number


def _number_of_guest(connection: Connection, order: ReportedOrder, secret_key: str) -> str:
    """A guest with a known e-mail address is that customer, else one recognised by the address without showing it."""
    if not order.person.email:
        return f"guest:{order.shop}:{order.number}"[:200]
    lookup = email_lookup(order.person.email)
    found = connection.execute(
        select(Customer.external_id).join(Address, Address.customer_id == Customer.id)
        .where(Address.channel == "email", Address.lookup == lookup).order_by(Customer.id).limit(1)).scalar()
    mark = hmac.new(secret_key.encode(), f"guest {lookup}".encode(), hashlib.sha256).hexdigest()
    return found or f"guest:{mark[:20]}"


def _with_catalogue(connection: Connection, lines: tuple[ReportedLine, ...]) -> list[tuple[ReportedLine, int | None]]:
    """Each line with what our products know of it, and its unit cost."""
    skus = sorted({line.sku for line in lines if line.sku})
    rows = connection.execute(select(Product.sku, Product.name, Product.category, Product.brand,
                                     Product.unit_cost_cents).where(in_texts(Product.sku, skus)))
    products = {row.sku: row for row in rows}
    found: list[tuple[ReportedLine, int | None]] = []
    for line in lines:
        known = products.get(line.sku or "")
        if known is None:
            found.append((line, None))
        else:
            found.append((replace(line, product=line.product or known.name, category=line.category or known.category,
                                  brand=line.brand or known.brand), known.unit_cost_cents))
    return found


def _cells(order: ReportedOrder, with_cost: tuple[ReportedLine, int | None]) -> Cells:
    line, unit_cost_cents = with_cost
    returned = line.returned_quantity or None
    return {
        "sku": line.sku, "product": line.product, "category": line.category, "brand": line.brand,
        "quantity": format(line.quantity, "f"), "unit_price": _major(line.unit_price_cents),
        "line_total": _major(line.total_cents), "discount": _major(line.discount_cents),
        "unit_cost": _major(unit_cost_cents), "tax_rate": None if line.tax_rate is None else format(line.tax_rate, "f"),
        "delivered_at": _instant(order.delivered_at),
        "returned_quantity": None if returned is None else format(min(returned, line.quantity), "f"),
        "returned_at": None if returned is None else _instant(order.returned_at or order.modified_at),
    }


def _major(cents: int | None) -> str | None:
    return None if cents is None else format(Decimal(cents).scaleb(-2), "f")


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()
