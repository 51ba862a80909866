"""What would a furniture shop's books look like if we knew the truth behind them?

Owns a generator of any size, drawn from one seed: customers, three years of orders, contacts, three past campaigns and
their redemptions, ending on the day before the simulated campaign starts. The truth that is planted (and that a report
should find again) stands in `winback/demo/truth.py`; nothing here is real data.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from winback.demo.invented import invent_people
from winback.demo.journeydata import Files
from winback.demo.truth import DELIVERY_WEEKS, GENERATED, RETURNED_SHARE, respond_more

FURNITURE = ["furniture"]
SEED = 20_260_101

#            name, share of lines, median price, spread of its logarithm, cost share
CATEGORIES = [
    ("furniture", 0.34, 420.0, 0.70, 0.58), ("lighting", 0.16, 65.0, 0.50, 0.50), ("textiles", 0.22, 38.0, 0.50, 0.45),
    ("kitchen", 0.18, 45.0, 0.60, 0.55), ("garden", 0.10, 110.0, 0.80, 0.60),
]
ITEMS = {
    "furniture": ["sideboard", "armchair", "dining table", "bookcase", "wardrobe", "corner sofa", "desk", "bed frame"],
    "lighting": ["floor lamp", "pendant", "desk lamp"], "textiles": ["rug", "curtain", "cushion", "throw"],
    "kitchen": ["pan", "cutlery", "chopping board"], "garden": ["bench", "parasol", "planter"],
}
BRANDS = ["Lund", "Skagen", "Møre", "Alster", "Nordholm"]
TAX_RATE = 0.19


def write_files(folder: Path, *, customers: int, as_of: datetime, progress: Callable[[str], None]) -> Files:
    """Write the import files for `customers` people, all before `as_of`; returns (kind, path) in import order."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(SEED)
    ids = pd.Series(np.arange(1, customers + 1).astype(str), name="customer_id")
    progress("Inventing people")
    tables = invent_people(pd.DataFrame({"customer_id": ids}), before=as_of)
    progress("Inventing orders")
    tables["products"] = _products()
    tables["orders"] = orders = _orders(random, customers, as_of)
    progress("Inventing past campaigns")
    tables["campaigns"], tables["redemptions"] = _past_campaigns(random, orders, customers, as_of)
    made: Files = []
    for kind in ("products", "customers", "consents", "orders", "contacts", "campaigns", "redemptions"):
        path = folder / f"{kind}.parquet"
        unfinished = path.with_suffix(".unfinished")
        tables[kind].to_parquet(unfinished, index=False)
        unfinished.replace(path)
        made.append((kind, path))
    return made


def _products() -> pd.DataFrame:
    rows = [
        {"sku": f"{name[:3]}-{item}-{brand}".replace(" ", "-").lower(), "name": f"{item.capitalize()} {brand}",
         "category": name, "brand": brand, "price": price, "unit_cost": round(price * cost / (1 + TAX_RATE), 2),
         "currency": "EUR"}
        for name, _share, price, _spread, cost in CATEGORIES for item in ITEMS[name] for brand in BRANDS
    ]
    return pd.DataFrame(rows)


def _orders(random: np.random.Generator, customers: int, as_of: datetime) -> pd.DataFrame:
    """One row per line. Orders per customer are geometric, so that most people bought once to three times."""
    orders_each = np.minimum(random.geometric(0.38, customers) - (random.random(customers) < 0.12), 14)
    owner = np.repeat(np.arange(1, customers + 1), orders_each)
    # Buyers fade: the more recent a day, the fewer of these orders fall on it, which is what makes people lapse.
    days_ago = 1 + np.floor(1095 * np.sqrt(random.random(len(owner)))).astype(np.int64)
    seconds = random.integers(6 * 3600, 23 * 3600, len(owner))
    via = random.choice(["web", "phone", "letter"], len(owner), p=[0.62, 0.22, 0.16])
    # Some people buy the better things, always: it is what makes revenue and orders two different axes.
    purse = np.exp(random.normal(0, 0.6, customers + 1))
    lines_each = random.choice([1, 2, 3], len(owner), p=[0.55, 0.3, 0.15])
    order = np.repeat(np.arange(len(owner)), lines_each)
    count = len(order)
    category = random.choice(len(CATEGORIES), count, p=[row[1] for row in CATEGORIES])
    median, spread = (np.array([row[i] for row in CATEGORIES])[category] for i in (2, 3))
    price = np.round(median * purse[owner[order]] * np.exp(random.normal(0, 1, count) * spread), 2)
    names = np.array([row[0] for row in CATEGORIES])[category]
    item = np.array([ITEMS[name][number % len(ITEMS[name])]
                     for name, number in zip(names, random.integers(0, 1 << 30, count), strict=True)])
    brand = np.array(BRANDS)[random.integers(0, len(BRANDS), count)]
    ordered = pd.to_datetime(as_of) - pd.to_timedelta(days_ago, "D") + pd.to_timedelta(seconds, "s")
    low, high = DELIVERY_WEEKS
    delivered = ordered + pd.to_timedelta(random.integers(low * 7, high * 7 + 1, len(owner)), "D")
    delivered = delivered.where(delivered < as_of, other=pd.NaT)
    returned = (random.random(count) < RETURNED_SHARE) & ~delivered[order].isna()
    returned_at = delivered[order] + pd.to_timedelta(random.integers(3, 15, count), "D")
    returned &= returned_at < as_of
    cost = np.array([row[4] for row in CATEGORIES])[category]
    return pd.DataFrame(
        {"order_id": np.char.add("H", order.astype(str)), "customer_id": owner[order].astype(str),
         "ordered_at": ordered[order].tz_localize(None), "status": "completed", "currency": "EUR",
         "sku": _skus(names, item, brand), "product": _titles(item, brand), "category": names, "brand": brand,
         "quantity": 1, "unit_price": price, "ordered_via": via[order],
         "discount": 0.0, "tax_rate": TAX_RATE, "unit_cost": np.round(price * cost / (1 + TAX_RATE), 2),
         "delivered_at": delivered[order].tz_localize(None), "returned_quantity": returned.astype(int),
         "returned_at": returned_at.where(returned, other=pd.NaT).tz_localize(None)}
    )


def _skus(names: np.ndarray, item: np.ndarray, brand: np.ndarray) -> list[str]:
    return [f"{name[:3]}-{thing}-{maker}".replace(" ", "-").lower()
            for name, thing, maker in zip(names, item, brand, strict=True)]


def _titles(item: np.ndarray, brand: np.ndarray) -> list[str]:
    return [f"{thing.capitalize()} {maker}" for thing, maker in zip(item, brand, strict=True)]


def _past_campaigns(
    random: np.random.Generator, orders: pd.DataFrame, customers: int, as_of: datetime
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three campaigns of the past year; who redeemed follows the planted truth, by the facts at each one's start."""
    people, used = [], []
    for number, (name, days_ago) in enumerate((("Spring letter", 330), ("Summer sale", 210), ("Autumn 15", 120)), 1):
        start = as_of - timedelta(days=days_ago)
        past = orders[orders["ordered_at"] < start.replace(tzinfo=None)]
        facts = past.groupby("customer_id").agg(orders=("order_id", "nunique"), revenue=("unit_price", "sum"))
        chosen = facts[random.random(len(facts)) < 0.3]
        channel = random.choice(["email", "letter"], len(chosen))
        people.append(pd.DataFrame(
            {"campaign_id": f"past-{number}", "name": name, "kind": "coupon", "starts_on": start.date().isoformat(),
             "ends_on": (start + timedelta(days=30)).date().isoformat(), "customer_id": chosen.index,
             "channel": channel}))
        rate = GENERATED.history_rate * np.where(respond_more(chosen["orders"], chosen["revenue"] * 100), 2.0, 1.0)
        redeemers = chosen[random.random(len(chosen)) < rate]
        days = random.integers(1, 28, len(redeemers))
        used.append(pd.DataFrame(
            {"redemption_id": [f"past-{number}-{customer}" for customer in redeemers.index],
             "code": [f"PAST{number}{customer}" for customer in redeemers.index], "offer": name,
             "campaign_id": f"past-{number}", "customer_id": redeemers.index,
             "redeemed_at": [(start + timedelta(days=int(day))).isoformat() for day in days],
             "discount": 15.0, "currency": "EUR"}))
    return pd.concat(people, ignore_index=True), pd.concat(used, ignore_index=True)
