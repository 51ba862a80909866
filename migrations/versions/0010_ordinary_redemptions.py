"""what an ordinary redemption asks under its locks, in one statement

Revision ID: 0010
Revises: 0007
"""

from alembic import op

revision = "0010"
down_revision = "0007"
branch_labels = None
depends_on = None

# A volatile function sees what was committed when it asks, not when the statement around it began: the locks come first.
_STANDS_ALONE = """CREATE FUNCTION order_stands_alone(order_lock bigint, of_offers integer, of_offer bigint,
    offer_version bigint, of_shop text, of_order text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN
    PERFORM pg_advisory_xact_lock(order_lock), pg_advisory_xact_lock_shared(of_offers, of_offer::integer);
    RETURN EXISTS (SELECT 1 FROM offers WHERE id = of_offer AND updated_at = offer_version)
        AND NOT EXISTS (SELECT 1 FROM redemptions WHERE shop = of_shop AND order_ref = of_order AND state = 'redeemed')
        AND NOT EXISTS (SELECT 1 FROM reservations WHERE shop = of_shop AND order_ref = of_order AND state = 'held')
        AND NOT EXISTS (SELECT 1 FROM cancelled_orders WHERE shop = of_shop AND order_ref = of_order); END $$"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_STANDS_ALONE)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION order_stands_alone")
