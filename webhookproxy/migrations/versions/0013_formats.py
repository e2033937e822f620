"""formats"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    number = sa.Column("format_number", sa.Integer(), nullable=False, server_default="0")
    op.add_column("webhooks", sa.Column("body_format", sa.JSON()))
    op.add_column("webhooks", number)
    op.create_table(
        "past_formats",
        sa.Column("id", ID, primary_key=True),
        sa.Column(
            "webhook_id", ID, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body_format", sa.JSON()),
        sa.Column("replaced_at", sa.BigInteger(), nullable=False),
    )
    of_webhook = ["webhook_id", "number"]
    op.create_index("ix_past_formats_number", "past_formats", of_webhook, unique=True)
    op.add_column("deliveries", sa.Column("format_number", sa.Integer()))
    op.add_column("attempts", sa.Column("format_number", sa.Integer()))
    # Without the deliveries in the default format, which are many, it costs these nothing.
    numbered = sa.text("format_number IS NOT NULL")
    op.create_index(
        "ix_deliveries_format",
        "deliveries",
        ["webhook_id", "format_number"],
        sqlite_where=numbered,
        postgresql_where=numbered,
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_format", table_name="deliveries")
    op.drop_column("attempts", "format_number")
    op.drop_column("deliveries", "format_number")
    op.drop_table("past_formats")
    op.drop_column("webhooks", "format_number")
    op.drop_column("webhooks", "body_format")
