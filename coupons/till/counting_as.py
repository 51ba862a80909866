"""As whom does a use of an offer count, where each customer may use it so often only?

Owns the names under which customers are counted: by their number here, by their e-mail address, or by the address
letters go to, as the offer says. Addresses are kept as a hash. Who has no such address is counted by number; whom
nobody names is not counted. Also owns the marks by which a guest is recognised whom a shop names and nobody here knows.
"""

import hashlib
from collections.abc import Collection

from sqlalchemy import Connection, bindparam, select

from core.arrays import in_ids
from coupons.till.requests import RedemptionRequest
from customers.identity import email_lookup, letter_lookup
from customers.models import Address, Customer

_ADDRESS = select(Address.lookup, Address.value, Address.postal_code, Address.city, Address.country).where(
    Address.customer_id == bindparam("customer"), Address.channel == bindparam("channel"))


def who_counts(connection: Connection, customer_id: int | None, request: RedemptionRequest, customer_is: str
               ) -> str | None:
    """The name under which this use counts; None: nobody is known."""
    if customer_is == "email":
        # The address on the order comes first: a second account with the same address is the same customer.
        lookup = email_lookup(request.customer_email) if request.customer_email else None
        if lookup is None and customer_id is not None:
            lookup = connection.scalar(_ADDRESS, {"customer": customer_id, "channel": "email"})
        if lookup:
            return _email_mark(lookup)
    elif customer_is == "address" and customer_id is not None:
        row = connection.execute(_ADDRESS, {"customer": customer_id, "channel": "letter"}).one_or_none()
        if row is not None and row.value:
            return f"address:{_hashed(letter_lookup(row.value, row.postal_code, row.country))}"
    return None if customer_id is None else f"id:{customer_id}"


def guest_mark(request: RedemptionRequest) -> str | None:
    """By what somebody whom the shop names is recognised who may not be known here; None: nobody is named."""
    if request.customer_external_id is not None:
        return _number_mark(request.customer_external_id)
    return None if request.customer_email is None else _email_mark(email_lookup(request.customer_email))


def marks_of_people(connection: Connection, customer_ids: Collection[int]) -> set[str]:
    """The marks under which these customers may have ordered before anybody knew them."""
    if not customer_ids:
        return set()
    numbers = connection.scalars(select(Customer.external_id).where(in_ids(Customer.id, customer_ids)))
    lookups = connection.scalars(select(Address.lookup).where(
        in_ids(Address.customer_id, customer_ids), Address.channel == "email"))
    return {*map(_number_mark, numbers), *map(_email_mark, lookups)}


def _number_mark(number: str) -> str:
    return f"number:{_hashed(number)}"


def _email_mark(lookup: str) -> str:
    return f"email:{_hashed(lookup)}"


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]
