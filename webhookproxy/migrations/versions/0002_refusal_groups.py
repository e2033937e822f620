"""refusals grouped by the receiver's answer"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    webhook = sa.ForeignKey("webhooks.id", ondelete="CASCADE")
    op.create_table(
        "refusal_groups",
        sa.Column("id", ID, primary_key=True),
        sa.Column("webhook_id", ID, webhook, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.String(30), nullable=False),
        sa.Column("shape", sa.String(120), nullable=False),
        sa.Column("count", ID, nullable=False),
        sa.Column("sample_id", ID, nullable=False),
    )
    answer = ["webhook_id", "day", "status", "reason", "shape"]
    op.create_index("uq_refusal_groups_answer", "refusal_groups", answer, unique=True)
    for table in ("deliveries", "bulk_resends"):
        op.add_column(table, sa.Column("refusal_group_id", ID))


def downgrade() -> None:
    for table in ("deliveries", "bulk_resends"):
        op.drop_column(table, "refusal_group_id")
    op.drop_table("refusal_groups")
