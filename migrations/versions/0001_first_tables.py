"""first tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB
revision = '0001'
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table('api_keys',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('lookup', sa.String(length=16), nullable=False),
    sa.Column('secret_hash', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('scopes', JSON, nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('revoked_at', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('lookup')
    )
    op.create_table('attribute_types',
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('cancelled_orders',
    sa.Column('shop', sa.String(length=100), nullable=False),
    sa.Column('order_ref', sa.String(length=200), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('shop', 'order_ref')
    )
    op.create_table('changes',
    sa.Column('seq', BIG_ID, autoincrement=True, nullable=False),
    sa.Column('xid', sa.BigInteger(), nullable=True),
    sa.Column('tbl', sa.String(length=24), nullable=False),
    sa.Column('key', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('seq'),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('changes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_changes_xid'), ['xid'], unique=False)

    op.create_table('contents',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('key', sa.String(length=100), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('message_class', sa.String(length=16), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.Column('archived_at', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('key')
    )
    op.create_table('cursors',
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('position', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('customers',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('external_id', sa.String(length=200), nullable=False),
    sa.Column('salutation', sa.String(length=100), nullable=True),
    sa.Column('first_name', sa.String(length=200), nullable=True),
    sa.Column('last_name', sa.String(length=200), nullable=True),
    sa.Column('company', sa.String(length=200), nullable=True),
    sa.Column('birthday_on', sa.Date(), nullable=True),
    sa.Column('language', sa.String(length=16), nullable=True),
    sa.Column('timezone', sa.String(length=64), nullable=True),
    sa.Column('preferred_channel', sa.String(length=16), nullable=True),
    sa.Column('household', sa.String(length=200), nullable=True),
    sa.Column('dunning_level', sa.Integer(), nullable=True),
    sa.Column('attributes', JSON, nullable=False),
    sa.Column('search', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=True),
    sa.Column('imported_at', sa.BigInteger(), nullable=False),
    sa.Column('forgotten_at', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('external_id')
    )
    with op.batch_alter_table('customers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_customers_household'), ['household'], unique=False)

    op.create_table('installation',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('identity', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('clock_offset_us', sa.BigInteger(), nullable=False),
    sa.Column('clock_stands_at', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_table('kept_answers',
    sa.Column('client', sa.String(length=64), nullable=False),
    sa.Column('key', sa.String(length=255), nullable=False),
    sa.Column('body_hash', sa.String(length=64), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('answer', JSON, nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('client', 'key')
    )
    with op.batch_alter_table('kept_answers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_kept_answers_at'), ['at'], unique=False)

    op.create_table('offers',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('key', sa.String(length=100), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('percent_bp', sa.Integer(), nullable=True),
    sa.Column('amount_cents', sa.BigInteger(), nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('minimum_cents', sa.BigInteger(), nullable=True),
    sa.Column('cap_cents', sa.BigInteger(), nullable=True),
    sa.Column('categories', JSON, nullable=False),
    sa.Column('excluded_categories', JSON, nullable=False),
    sa.Column('limit_per_code', sa.Integer(), nullable=False),
    sa.Column('limit_per_customer', sa.Integer(), nullable=True),
    sa.Column('limit_total', sa.BigInteger(), nullable=True),
    sa.Column('budget_cents', sa.BigInteger(), nullable=True),
    sa.Column('valid_days', sa.Integer(), nullable=True),
    sa.Column('valid_from', sa.BigInteger(), nullable=True),
    sa.Column('valid_until', sa.BigInteger(), nullable=True),
    sa.Column('holder', sa.String(length=8), nullable=False),
    sa.Column('prefix', sa.String(length=12), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('used', sa.BigInteger(), nullable=False),
    sa.Column('spent_cents', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('key')
    )
    op.create_table('products',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('sku', sa.String(length=100), nullable=False),
    sa.Column('name', sa.String(length=300), nullable=True),
    sa.Column('category', sa.String(length=200), nullable=True),
    sa.Column('brand', sa.String(length=200), nullable=True),
    sa.Column('price_cents', sa.BigInteger(), nullable=True),
    sa.Column('sale_price_cents', sa.BigInteger(), nullable=True),
    sa.Column('unit_cost_cents', sa.BigInteger(), nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=True),
    sa.Column('stock', sa.BigInteger(), nullable=True),
    sa.Column('url', sa.Text(), nullable=True),
    sa.Column('image_url', sa.Text(), nullable=True),
    sa.Column('non_discountable', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('sku')
    )
    with op.batch_alter_table('products', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_products_category'), ['category'], unique=False)

    op.create_table('refusals',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.String(length=40), nullable=False),
    sa.Column('code_text', sa.String(length=64), nullable=False),
    sa.Column('code_id', sa.BigInteger(), nullable=True),
    sa.Column('campaign', sa.String(length=100), nullable=True),
    sa.Column('customer_id', sa.BigInteger(), nullable=True),
    sa.Column('shop', sa.String(length=100), nullable=False),
    sa.Column('order_ref', sa.String(length=200), nullable=True),
    sa.Column('order_total_cents', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('refusals', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_refusals_at'), ['at'], unique=False)

    op.create_table('segments',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('key', sa.String(length=100), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.Column('archived_at', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('key')
    )
    op.create_table('sender_profile',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('shop_name', sa.String(length=200), nullable=False),
    sa.Column('shop_url', sa.String(length=300), nullable=False),
    sa.Column('address_lines', JSON, nullable=False),
    sa.Column('country', sa.String(length=2), nullable=False),
    sa.Column('sender_name', sa.String(length=200), nullable=False),
    sa.Column('sender_address', sa.String(length=320), nullable=False),
    sa.Column('reply_to', sa.String(length=320), nullable=False),
    sa.Column('unsubscribe_mailto', sa.String(length=320), nullable=False),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_table('stores',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('external_id', sa.String(length=200), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=True),
    sa.Column('postal_code', sa.String(length=20), nullable=True),
    sa.Column('latitude', sa.Double(), nullable=True),
    sa.Column('longitude', sa.Double(), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('external_id')
    )
    op.create_table('suppressions',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('channel', sa.String(length=16), nullable=False),
    sa.Column('address_hash', sa.String(length=64), nullable=False),
    sa.Column('reason', sa.String(length=40), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('channel', 'address_hash')
    )
    op.create_table('users',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('email', sa.String(length=320), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('password_hash', sa.String(length=200), nullable=False),
    sa.Column('session_version', sa.Integer(), nullable=False),
    sa.Column('failed_logins', sa.Integer(), nullable=False),
    sa.Column('locked_until', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('disabled_at', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('email')
    )
    op.create_table('addresses',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('customer_id', BIG_ID, nullable=False),
    sa.Column('channel', sa.String(length=16), nullable=False),
    sa.Column('value', sa.String(length=320), nullable=False),
    sa.Column('lookup', sa.String(length=320), nullable=False),
    sa.Column('postal_code', sa.String(length=20), nullable=True),
    sa.Column('city', sa.String(length=200), nullable=True),
    sa.Column('country', sa.String(length=2), nullable=True),
    sa.Column('latitude', sa.Double(), nullable=True),
    sa.Column('longitude', sa.Double(), nullable=True),
    sa.Column('undeliverable_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('customer_id', 'channel')
    )
    with op.batch_alter_table('addresses', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_addresses_lookup'), ['lookup'], unique=False)

    op.create_table('audit_entries',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('user_id', BIG_ID, nullable=True),
    sa.Column('key_id', BIG_ID, nullable=True),
    sa.Column('verb', sa.String(length=60), nullable=False),
    sa.Column('thing', sa.String(length=200), nullable=False),
    sa.Column('detail', JSON, nullable=False),
    sa.ForeignKeyConstraint(['key_id'], ['api_keys.id'], ),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('audit_entries', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_audit_entries_at'), ['at'], unique=False)

    op.create_table('campaigns',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('key', sa.String(length=100), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('objective', sa.Text(), nullable=True),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('starts_at', sa.BigInteger(), nullable=True),
    sa.Column('ends_at', sa.BigInteger(), nullable=True),
    sa.Column('starts_on', sa.Date(), nullable=True),
    sa.Column('ends_on', sa.Date(), nullable=True),
    sa.Column('timezone', sa.String(length=64), nullable=False),
    sa.Column('goal_categories', JSON, nullable=False),
    sa.Column('segment_id', BIG_ID, nullable=True),
    sa.Column('segment_version', sa.BigInteger(), nullable=True),
    sa.Column('holdout_percent', sa.Double(), nullable=False),
    sa.Column('budget_cents', sa.BigInteger(), nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('planned_people', sa.BigInteger(), nullable=True),
    sa.Column('owner', sa.String(length=200), nullable=True),
    sa.Column('settings', JSON, nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['segment_id'], ['segments.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('key')
    )
    op.create_table('codes',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('code', sa.String(length=64), nullable=False),
    sa.Column('offer_id', BIG_ID, nullable=False),
    sa.Column('customer_id', BIG_ID, nullable=True),
    sa.Column('origin', sa.String(length=100), nullable=False),
    sa.Column('campaign', sa.String(length=100), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('use_limit', sa.Integer(), nullable=False),
    sa.Column('used', sa.Integer(), nullable=False),
    sa.Column('issued_at', sa.BigInteger(), nullable=False),
    sa.Column('valid_from', sa.BigInteger(), nullable=False),
    sa.Column('valid_until', sa.BigInteger(), nullable=True),
    sa.Column('redeemed_at', sa.BigInteger(), nullable=True),
    sa.Column('revoked_at', sa.BigInteger(), nullable=True),
    sa.Column('revoked_reason', sa.String(length=100), nullable=True),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ),
    sa.ForeignKeyConstraint(['offer_id'], ['offers.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('code'),
    sa.UniqueConstraint('origin', 'offer_id', 'customer_id')
    )
    with op.batch_alter_table('codes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_codes_campaign'), ['campaign'], unique=False)
        batch_op.create_index('ix_codes_customer_id', ['customer_id'], unique=False)

    op.create_table('consents',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('customer_id', BIG_ID, nullable=False),
    sa.Column('channel', sa.String(length=16), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('basis', sa.String(length=40), nullable=True),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('source', sa.String(length=200), nullable=True),
    sa.Column('proof', sa.Text(), nullable=True),
    sa.Column('recorded_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('customer_id', 'channel', 'at', 'state')
    )
    op.create_table('contacts',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('external_id', sa.String(length=200), nullable=False),
    sa.Column('customer_id', BIG_ID, nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('direction', sa.String(length=3), nullable=False),
    sa.Column('channel', sa.String(length=16), nullable=True),
    sa.Column('subject', sa.Text(), nullable=True),
    sa.Column('text', sa.Text(), nullable=True),
    sa.Column('status', sa.String(length=40), nullable=True),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('external_id')
    )
    with op.batch_alter_table('contacts', schema=None) as batch_op:
        batch_op.create_index('ix_contacts_customer_id_at', ['customer_id', 'at'], unique=False)

    op.create_table('content_revisions',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('content_id', BIG_ID, nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=True),
    sa.Column('mjml', sa.Text(), nullable=True),
    sa.Column('letter', sa.Text(), nullable=True),
    sa.Column('call_script', sa.Text(), nullable=True),
    sa.Column('compiled', JSON, nullable=False),
    sa.Column('author', sa.String(length=200), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['content_id'], ['contents.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('content_id', 'number')
    )
    op.create_table('customer_uses',
    sa.Column('offer_id', BIG_ID, nullable=False),
    sa.Column('customer_id', sa.BigInteger(), nullable=False),
    sa.Column('used', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['offer_id'], ['offers.id'], ),
    sa.PrimaryKeyConstraint('offer_id', 'customer_id')
    )
    op.create_table('orders',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('shop', sa.String(length=100), nullable=False),
    sa.Column('external_id', sa.String(length=200), nullable=False),
    sa.Column('customer_id', BIG_ID, nullable=False),
    sa.Column('ordered_at', sa.BigInteger(), nullable=False),
    sa.Column('status', sa.String(length=40), nullable=True),
    sa.Column('cancelled', sa.Boolean(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('coupon_code', sa.String(length=64), nullable=True),
    sa.Column('ordered_via', sa.String(length=16), nullable=True),
    sa.Column('payment', sa.String(length=40), nullable=True),
    sa.Column('total_cents', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('shop', 'external_id')
    )
    with op.batch_alter_table('orders', schema=None) as batch_op:
        batch_op.create_index('ix_orders_customer_id_ordered_at', ['customer_id', 'ordered_at'], unique=False)

    op.create_table('segment_versions',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('segment_id', BIG_ID, nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('rule', JSON, nullable=False),
    sa.Column('author', sa.String(length=200), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['segment_id'], ['segments.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('segment_id', 'number')
    )
    op.create_table('journeys',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('key', sa.String(length=100), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('campaign_id', BIG_ID, nullable=False),
    sa.Column('draft', JSON, nullable=False),
    sa.Column('draft_version', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('paused_at', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('campaign_id'),
    sa.UniqueConstraint('key')
    )
    op.create_table('messages',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('public_id', sa.String(length=40), nullable=False),
    sa.Column('occasion', sa.String(length=160), nullable=False),
    sa.Column('customer_id', BIG_ID, nullable=False),
    sa.Column('origin', sa.String(length=100), nullable=False),
    sa.Column('enrolment_ref', sa.BigInteger(), nullable=True),
    sa.Column('campaign', sa.String(length=100), nullable=True),
    sa.Column('arm', sa.String(length=60), nullable=True),
    sa.Column('step', sa.String(length=60), nullable=True),
    sa.Column('message_class', sa.String(length=16), nullable=False),
    sa.Column('channel', sa.String(length=16), nullable=True),
    sa.Column('revision_id', BIG_ID, nullable=True),
    sa.Column('code', sa.String(length=64), nullable=True),
    sa.Column('values', JSON, nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=True),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('cost_cents', sa.BigInteger(), nullable=False),
    sa.Column('worker', sa.BigInteger(), nullable=True),
    sa.Column('queued_at', sa.BigInteger(), nullable=False),
    sa.Column('due_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=True),
    sa.Column('claimed_at', sa.BigInteger(), nullable=True),
    sa.Column('handed_over_at', sa.BigInteger(), nullable=True),
    sa.Column('released_at', sa.BigInteger(), nullable=True),
    sa.Column('sent_at', sa.BigInteger(), nullable=True),
    sa.Column('expected_at', sa.BigInteger(), nullable=True),
    sa.Column('settled_at', sa.BigInteger(), nullable=True),
    sa.Column('opened_at', sa.BigInteger(), nullable=True),
    sa.Column('clicked_at', sa.BigInteger(), nullable=True),
    sa.Column('bounced_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ),
    sa.ForeignKeyConstraint(['revision_id'], ['content_revisions.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('occasion', 'customer_id'),
    sa.UniqueConstraint('public_id')
    )
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.create_index('ix_messages_campaign_state', ['campaign', 'state'], unique=False)
        batch_op.create_index('ix_messages_customer_id', ['customer_id', 'queued_at'], unique=False)
        batch_op.create_index('ix_messages_enrolment_ref', ['enrolment_ref'], unique=False)
        batch_op.create_index('ix_messages_state_due_at', ['state', 'due_at'], unique=False)

    op.create_table('order_lines',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('order_id', BIG_ID, nullable=False),
    sa.Column('customer_id', sa.BigInteger(), nullable=False),
    sa.Column('ordered_at', sa.BigInteger(), nullable=False),
    sa.Column('cancelled', sa.Boolean(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('sku', sa.String(length=100), nullable=True),
    sa.Column('product', sa.String(length=300), nullable=True),
    sa.Column('category', sa.String(length=200), nullable=True),
    sa.Column('brand', sa.String(length=200), nullable=True),
    sa.Column('quantity_milli', sa.BigInteger(), nullable=False),
    sa.Column('unit_price_cents', sa.BigInteger(), nullable=False),
    sa.Column('total_cents', sa.BigInteger(), nullable=False),
    sa.Column('discount_cents', sa.BigInteger(), nullable=True),
    sa.Column('tax_rate', sa.Double(), nullable=True),
    sa.Column('unit_cost_cents', sa.BigInteger(), nullable=True),
    sa.Column('delivered_at', sa.BigInteger(), nullable=True),
    sa.Column('returned_quantity_milli', sa.BigInteger(), nullable=True),
    sa.Column('returned_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('order_lines', schema=None) as batch_op:
        batch_op.create_index('ix_order_lines_category_customer', ['category', 'customer_id', 'ordered_at'], unique=False)
        batch_op.create_index('ix_order_lines_customer_id', ['customer_id', 'ordered_at'], unique=False)
        batch_op.create_index('ix_order_lines_order_id', ['order_id'], unique=False)

    op.create_table('past_people',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('campaign_id', BIG_ID, nullable=False),
    sa.Column('customer_id', BIG_ID, nullable=False),
    sa.Column('arm', sa.String(length=60), nullable=True),
    sa.Column('channel', sa.String(length=16), nullable=True),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('campaign_id', 'customer_id')
    )
    with op.batch_alter_table('past_people', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_past_people_customer_id'), ['customer_id'], unique=False)

    op.create_table('redemptions',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('public_id', sa.String(length=40), nullable=False),
    sa.Column('external_id', sa.String(length=200), nullable=True),
    sa.Column('code_id', BIG_ID, nullable=True),
    sa.Column('code_text', sa.String(length=64), nullable=False),
    sa.Column('offer_id', BIG_ID, nullable=True),
    sa.Column('offer_name', sa.String(length=200), nullable=True),
    sa.Column('origin', sa.String(length=100), nullable=True),
    sa.Column('campaign', sa.String(length=100), nullable=True),
    sa.Column('customer_id', BIG_ID, nullable=True),
    sa.Column('redeemer_id', sa.BigInteger(), nullable=True),
    sa.Column('shop', sa.String(length=100), nullable=False),
    sa.Column('order_ref', sa.String(length=200), nullable=True),
    sa.Column('order_total_cents', sa.BigInteger(), nullable=True),
    sa.Column('discount_cents', sa.BigInteger(), nullable=False),
    sa.Column('rolled_back_cents', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('history', sa.Boolean(), nullable=False),
    sa.Column('redeemed_at', sa.BigInteger(), nullable=False),
    sa.Column('rolled_back_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['code_id'], ['codes.id'], ),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ),
    sa.ForeignKeyConstraint(['offer_id'], ['offers.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('external_id'),
    sa.UniqueConstraint('public_id'),
    sa.UniqueConstraint('shop', 'order_ref', 'code_id')
    )
    with op.batch_alter_table('redemptions', schema=None) as batch_op:
        batch_op.create_index('ix_redemptions_campaign', ['campaign', 'redeemed_at'], unique=False)
        batch_op.create_index('ix_redemptions_code_id', ['code_id'], unique=False)
        batch_op.create_index('ix_redemptions_customer_id', ['customer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_redemptions_redeemed_at'), ['redeemed_at'], unique=False)

    op.create_table('call_tasks',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('message_id', BIG_ID, nullable=False),
    sa.Column('customer_id', BIG_ID, nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('due_at', sa.BigInteger(), nullable=False),
    sa.Column('agent', sa.String(length=200), nullable=True),
    sa.Column('taken_at', sa.BigInteger(), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('outcome', sa.String(length=20), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('done_at', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ),
    sa.ForeignKeyConstraint(['message_id'], ['messages.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('message_id')
    )
    with op.batch_alter_table('call_tasks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_call_tasks_state'), ['state'], unique=False)

    op.create_table('journey_versions',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('journey_id', BIG_ID, nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('graph', JSON, nullable=False),
    sa.Column('pins', JSON, nullable=False),
    sa.Column('author', sa.String(length=200), nullable=True),
    sa.Column('published_at', sa.BigInteger(), nullable=False),
    sa.Column('drawing_as_of', sa.BigInteger(), nullable=True),
    sa.Column('entered_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['journey_id'], ['journeys.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('journey_id', 'number')
    )
    op.create_table('message_events',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('message_id', BIG_ID, nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('source', sa.String(length=40), nullable=False),
    sa.Column('source_key', sa.String(length=200), nullable=False),
    sa.Column('detail', JSON, nullable=False),
    sa.ForeignKeyConstraint(['message_id'], ['messages.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('source', 'source_key')
    )
    with op.batch_alter_table('message_events', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_message_events_message_id'), ['message_id'], unique=False)

    op.create_table('enrolments',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('journey_id', BIG_ID, nullable=False),
    sa.Column('version_id', BIG_ID, nullable=False),
    sa.Column('customer_id', BIG_ID, nullable=False),
    sa.Column('entry', sa.Integer(), nullable=False),
    sa.Column('held_out', sa.Boolean(), nullable=False),
    sa.Column('arm', sa.String(length=60), nullable=True),
    sa.Column('channel', sa.String(length=16), nullable=True),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('step', sa.String(length=60), nullable=True),
    sa.Column('visit', sa.Integer(), nullable=False),
    sa.Column('due_at', sa.BigInteger(), nullable=True),
    sa.Column('step_entered_at', sa.BigInteger(), nullable=True),
    sa.Column('entered_at', sa.BigInteger(), nullable=False),
    sa.Column('left_at', sa.BigInteger(), nullable=True),
    sa.Column('left_reason', sa.String(length=60), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ),
    sa.ForeignKeyConstraint(['journey_id'], ['journeys.id'], ),
    sa.ForeignKeyConstraint(['version_id'], ['journey_versions.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('journey_id', 'customer_id', 'entry')
    )
    with op.batch_alter_table('enrolments', schema=None) as batch_op:
        batch_op.create_index('ix_enrolments_customer_id', ['customer_id'], unique=False)
        batch_op.create_index('ix_enrolments_state_due_at', ['state', 'due_at'], unique=False)
        batch_op.create_index('ix_enrolments_version_step', ['version_id', 'step'], unique=False)

    op.create_table('visits',
    sa.Column('id', BIG_ID, nullable=False),
    sa.Column('enrolment_id', BIG_ID, nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('step', sa.String(length=60), nullable=False),
    sa.Column('entered_at', sa.BigInteger(), nullable=False),
    sa.Column('left_at', sa.BigInteger(), nullable=True),
    sa.Column('outcome', sa.String(length=60), nullable=True),
    sa.Column('detail', sa.String(length=300), nullable=True),
    sa.ForeignKeyConstraint(['enrolment_id'], ['enrolments.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('enrolment_id', 'number')
    )
    for statement in _triggers(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("There is nothing before the first revision; drop the database instead.")


# The triggers as they were when this revision was written; later revisions change them by their own statements.
FOLLOWED = {
    "customers": "id", "addresses": "customer_id", "consents": "customer_id", "suppressions": "id",
    "orders": "id", "order_lines": "order_id", "contacts": "customer_id", "redemptions": "id", "messages": "id",
}


def _triggers(dialect: str) -> list[str]:
    build = _sqlite_triggers if dialect == "sqlite" else _postgresql_triggers
    return [statement for table, key in FOLLOWED.items() for statement in build(table, key)]


def _sqlite_triggers(table: str, key: str) -> list[str]:
    return [
        f"CREATE TRIGGER changes_{table}_{action.lower()} AFTER {action} ON {table} BEGIN"
        f" INSERT INTO changes (tbl, key) VALUES ('{table}', {row}.{key}); END"
        for action, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old"))
    ]


def _postgresql_triggers(table: str, key: str) -> list[str]:
    statements = [
        f"CREATE FUNCTION changes_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" INSERT INTO changes (xid, tbl, key) SELECT DISTINCT pg_current_xact_id()::text::bigint, '{table}', {key}"
        f" FROM touched; RETURN NULL; END $$"
    ]
    for action, which in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
        statements.append(
            f"CREATE TRIGGER changes_{table}_{action.lower()} AFTER {action} ON {table}"
            f" REFERENCING {which} TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION changes_{table}()"
        )
    return statements
