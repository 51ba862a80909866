"""What does the shop sell? Prices in cents, VAT in. `category` is what offers ask about."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Article:
    """One thing for sale."""

    sku: str
    name: str
    category: str
    brand: str
    price_cents: int


GOODS = (
    Article("OAK-CHAIR", "Oak chair", "furniture", "Nordholm", 12_990),
    Article("OAK-TABLE", "Oak table", "furniture", "Nordholm", 48_900),
    Article("READ-LAMP", "Reading lamp", "lighting", "Lumo", 5_990),
    Article("WOOL-RUG", "Wool rug", "textiles", "Tessel", 21_900),
    Article("SHELF-3", "Shelf with three boards", "furniture", "Nordholm", 9_900),
    Article("MUG-BLUE", "Blue mug", "kitchen", "Tessel", 1_290),
)


def goods_for(category: str | None) -> dict[str, Article]:
    """The goods by number; `category` stands for furniture where offers call it otherwise."""
    found = [replace(each, category=category) if category and each.category == "furniture" else each for each in GOODS]
    return {each.sku: each for each in found}
