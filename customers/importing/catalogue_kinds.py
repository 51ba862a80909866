"""How do files of articles and of shops become products and stores?

Owns the `products` and `stores` columns: one line, one row, by SKU and by store number.
"""

from collections.abc import Callable, Iterator

from core.types import Base
from customers.importing.amounts import cents, real, whole
from customers.importing.cells import boolean, long_text, parsed, text
from customers.importing.currencies import normal_currency
from customers.importing.kinds import Batch, Field, Kind, Run, in_chunks
from customers.importing.upserting import upsert_rows

CHUNK = 5000
_AMOUNTS = {"price": "price_cents", "sale_price": "sale_price_cents", "unit_cost": "unit_cost_cents",
            "store_id": "external_id"}


def _loader(table: str, key: str, defaults: dict[str, object]) -> Callable[[Run, Iterator[Batch]], None]:
    def load(run: Run, batches: Iterator[Batch]) -> None:
        for batch in in_chunks(batches, CHUNK):
            columns = {_AMOUNTS.get(name, name): values for name, values in batch.lists().items()}
            with run.transaction() as connection:
                upsert_rows(connection, run, Base.metadata.tables[table], key, columns, defaults=defaults)

    return load


PRODUCTS = Kind(
    name="products",
    fields=(
        Field("sku", text(100), required=True, filled=True), Field("name", text(300)), Field("category", text(200)),
        Field("brand", text(200)), Field("price", cents), Field("sale_price", cents), Field("unit_cost", cents),
        Field("currency", parsed(normal_currency)), Field("stock", whole(-10**12, 10**12)),
        Field("url", long_text), Field("image_url", long_text), Field("non_discountable", boolean),
    ),
    load=_loader("products", "sku", {"non_discountable": False}),
)

STORES = Kind(
    name="stores",
    fields=(
        Field("store_id", text(200), required=True, filled=True), Field("name", text(200)),
        Field("postal_code", text(20)), Field("latitude", real(-90, 90)), Field("longitude", real(-180, 180)),
    ),
    load=_loader("stores", "external_id", {}),
)
