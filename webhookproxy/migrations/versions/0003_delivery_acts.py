"""What people do with deliveries: the change log names them, and a resumed webhook may discard.

Revision ID: 0003
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Not in a batch: SQLite would copy the whole table, and the copy would give numbers twice.
COLUMNS = (("webhooks", "discard_until"), ("changes", "webhook_id"), ("changes", "delivery_id"))


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, sa.Column(column, ID, nullable=True))


def downgrade() -> None:
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column)
