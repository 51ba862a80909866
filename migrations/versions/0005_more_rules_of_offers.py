"""Offers know free goods and shipping, fixed prices, products and brands, times of day, periods and combinations.

Offers that exist keep what they said: they combine with any other, count a customer by their number, check the holder
as before and give no goods free.

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-22 10:20:00.000000+00:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")

LISTS = ("free_skus", "skus", "excluded_skus", "brands", "excluded_brands", "combines_with", "weekdays")
COUNTS = ("free_items", "minimum_items", "from_minute", "until_minute", "low_stock")
AMOUNTS = ("price_cents", "limit_per_day", "limit_per_week", "limit_per_month", "budget_per_day_cents",
           "budget_per_week_cents", "budget_per_month_cents")
SWITCHES = ("excludes_sale", "first_order_only")
WORDS = (("offer_class", 40, ""), ("combines", 8, "any"), ("customer_is", 8, "id"), ("zone", 64, "UTC"),
         ("return_rule", 12, "keep"), ("code_source", 12, "generated"), ("pattern", 64, ""))


def upgrade() -> None:
    added = [
        *(sa.Column(name, JSON, nullable=False, server_default=sa.text("'[]'")) for name in LISTS),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in COUNTS),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in AMOUNTS),
        *(sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()) for name in SWITCHES),
        *(sa.Column(name, sa.String(size), nullable=False, server_default=before) for name, size, before in WORDS),
        sa.Column("customer_period", sa.String(8), nullable=True),
    ]
    for column in added:
        op.add_column("offers", column)


def downgrade() -> None:
    raise RuntimeError("Revisions are not taken back; restore the backup instead.")
