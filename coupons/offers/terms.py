"""What does an offer promise, as plain values that can be reckoned with?

Owns `Terms`, the rules of one offer as the arithmetic and the eligibility take them, and reading them off a stored
offer or any row that carries its columns under their own names. Counters and switches are no terms: they change with
every use. Nothing here touches a database.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The rules of one offer; every field means what the column of the same name in `coupons/models.py` means."""

    kind: str
    percent_bp: int | None = None
    amount_cents: int | None = None
    price_cents: int | None = None
    free_skus: Collection[str] = ()
    free_items: int | None = None
    currency: str = "EUR"
    minimum_cents: int | None = None
    minimum_items: int | None = None
    cap_cents: int | None = None
    budget_cents: int | None = None
    budget_per_day_cents: int | None = None
    budget_per_week_cents: int | None = None
    budget_per_month_cents: int | None = None
    categories: Collection[str] = ()
    excluded_categories: Collection[str] = ()
    skus: Collection[str] = ()
    excluded_skus: Collection[str] = ()
    brands: Collection[str] = ()
    excluded_brands: Collection[str] = ()
    excludes_sale: bool = False
    first_order_only: bool = False
    offer_class: str = ""
    combines: str = "any"
    combines_with: Collection[str] = ()
    weekdays: Collection[int] = ()
    from_minute: int | None = None
    until_minute: int | None = None
    zone: str = "UTC"
    return_rule: str = "keep"

    @property
    def money_matters(self) -> bool:
        """Whether an order in another currency cannot be judged: amounts, minimum, cap and budgets have a currency."""
        return any(value is not None for value in (
            self.amount_cents, self.price_cents, self.minimum_cents, self.cap_cents, self.budget_cents,
            self.budget_per_day_cents, self.budget_per_week_cents, self.budget_per_month_cents))

    @property
    def chooses_goods(self) -> bool:
        """Whether the offer covers some goods only; an order that names none then holds nothing that is known to fit.
        """
        return bool(self.categories or self.excluded_categories or self.skus or self.excluded_skus or self.brands
                    or self.excluded_brands or self.excludes_sale)


TERM_FIELDS = tuple(field.name for field in fields(Terms))
"""The columns of an offer that `terms_of` reads."""


def terms_of(row: Any) -> Terms:
    """The terms of a stored offer, or of a row with an offer's columns."""
    return Terms(**{name: getattr(row, name) for name in TERM_FIELDS})
