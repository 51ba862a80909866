"""How do redemptions of the past come in?

Owns the `redemptions` columns. An imported redemption is history: it belongs to no code of ours and touches no limit,
counter or budget. Its campaign label is the campaign's number as imported.
"""

import hashlib
from collections.abc import Iterator

from sqlalchemy import Connection, select

from core.arrays import in_texts
from core.types import Base
from coupons.models import Offer
from customers.importing.amounts import cents
from customers.importing.cells import parsed, text
from customers.importing.currencies import DEFAULT_CURRENCY, normal_currency
from customers.importing.customer_numbers import ids_for
from customers.importing.kinds import Batch, Field, Kind, Run, in_chunks
from customers.importing.moments import instant
from customers.importing.upserting import upsert_rows

CHUNK = 5000
TABLE = Base.metadata.tables["redemptions"]
_NAMES = {"redemption_id": "external_id", "code": "code_text", "offer": "offer_name", "campaign_id": "campaign",
          "order_id": "order_ref", "discount": "discount_cents"}
_DEFAULTS = {"code_text": "", "discount_cents": 0, "currency": DEFAULT_CURRENCY, "shop": "", "rolled_back_cents": 0,
             "state": "redeemed", "history": True}


def _load(run: Run, batches: Iterator[Batch]) -> None:
    for batch in in_chunks(batches, CHUNK):
        with run.transaction() as connection:
            _store(connection, run, batch)


def _store(connection: Connection, run: Run, batch: Batch) -> None:
    cells = {_NAMES.get(name, name): values for name, values in batch.lists().items()}
    owners = ids_for(connection, run, [number for number in cells.get("customer_id", []) if number is not None])
    if "customer_id" in cells:
        cells["customer_id"] = [owners.get(number) for number in cells["customer_id"]]
    if "offer_name" in cells:
        names = sorted({name for name in cells["offer_name"] if name is not None})
        offers = dict(connection.execute(
            select(Offer.key, Offer.id).where(in_texts(Offer.key, names))).all())
        cells["offer_id"] = [offers.get(name) for name in cells["offer_name"]]
    cells["public_id"] = [_public_id(number) for number in cells["external_id"]]
    upsert_rows(connection, run, TABLE, "external_id", cells, defaults=_DEFAULTS)


def _public_id(external_id: str) -> str:
    """A name for the API that stays the same when the file is imported again. History is never decided by it."""
    return f"h{hashlib.sha256(external_id.encode()).hexdigest()[:32]}"


KIND = Kind(
    name="redemptions",
    fields=(
        Field("redemption_id", text(200), required=True, filled=True), Field("code", text(64)),
        Field("offer", text(200)), Field("campaign_id", text(100)), Field("customer_id", text(200)),
        Field("order_id", text(200)), Field("redeemed_at", instant, required=True, filled=True),
        Field("discount", cents), Field("currency", parsed(normal_currency)),
    ),
    load=_load,
)
