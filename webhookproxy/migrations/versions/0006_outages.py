"""outages of webhooks"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    webhook = sa.ForeignKey("webhooks.id", ondelete="CASCADE")
    op.create_table(
        "outages",
        sa.Column("id", ID, primary_key=True),
        sa.Column("webhook_id", ID, webhook, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(30), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("first_id", ID, nullable=False),
        sa.Column("waited", sa.Integer(), nullable=False),
        sa.Column("delivered", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("is_cut", sa.Boolean(), nullable=False),
        sa.Column("settled_at", sa.BigInteger()),
    )
    ended = ["webhook_id", "ended_at"]
    op.create_index("ix_outages_webhook_id_ended_at", "outages", ended)
    began = ["webhook_id", "kind", "began_at"]
    op.create_index("uq_outages_webhook_id_kind_began_at", "outages", began, unique=True)
    unsettled = sa.text("settled_at IS NULL")
    op.create_index(
        "ix_outages_unsettled",
        "outages",
        ["webhook_id"],
        sqlite_where=unsettled,
        postgresql_where=unsettled,
    )


def downgrade() -> None:
    op.drop_table("outages")
