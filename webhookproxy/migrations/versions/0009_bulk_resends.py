"""bulk resends: what is wanted of a webhook, and how far it is"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "bulk_resends",
        sa.Column("id", ID, nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("webhook_id", ID, nullable=False),
        sa.Column("asked_by", sa.String(length=254), nullable=False),
        sa.Column("asked_ms", ID, nullable=False),
        sa.Column("states", sa.JSON(), nullable=False),
        sa.Column("event", sa.String(length=200), nullable=False),
        sa.Column("since_ms", ID, nullable=True),
        sa.Column("begins", ID, nullable=False),
        sa.Column("upto", ID, nullable=False),
        sa.Column("cursor", ID, nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("total_is_cut", sa.Boolean(), nullable=False),
        sa.Column("queued", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("delivered", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("ended_ms", ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_bulk_resends_webhook_id_webhooks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_resends")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_bulk_resends_webhook_id_id", "bulk_resends", ["webhook_id", "id"])
    op.create_index(
        "uq_bulk_resends_running",
        "bulk_resends",
        ["webhook_id"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )


def downgrade() -> None:
    op.drop_table("bulk_resends")
