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
    op.add_column("webhooks", sa.Column("format", sa.JSON()))
    op.add_column("webhooks", number)
    op.create_table(
        "past_formats",
        sa.Column(
            "webhook_id",
            ID,
            sa.ForeignKey("webhooks.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("format", sa.JSON()),
        sa.Column("replaced_at", sa.BigInteger(), nullable=False),
    )
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
