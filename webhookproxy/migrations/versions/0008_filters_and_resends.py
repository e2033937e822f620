"""a webhook's filters, the condition that kept an event back, and how often one was resent"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ALTER TABLE, not a batch: SQLite would copy the whole table.
    op.add_column("webhooks", sa.Column("filters", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("deliveries", sa.Column("condition", sa.String(length=300), nullable=True))
    op.add_column(
        "deliveries",
        sa.Column("resends", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("deliveries", "resends")
    op.drop_column("deliveries", "condition")
    op.drop_column("webhooks", "filters")
