"""signs of trouble of each webhook"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_COUNTS = ("failures", "first_attempts", "first_refused")
_TIMES = (
    "failures_since", "failing_since", "working_since", "refusing_since", "refusing_last_at",
    "behind_since",
)  # fmt: skip


def upgrade() -> None:
    # The version before this one goes on writing these rows without the new columns.
    for name in _COUNTS:
        count = sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)
        op.add_column("webhook_health", count)
    for name in _TIMES:
        op.add_column("webhook_health", sa.Column(name, sa.BigInteger()))
    op.add_column("webhook_health", sa.Column("failed_delivery_id", ID))


def downgrade() -> None:
    for name in (*_COUNTS, *_TIMES, "failed_delivery_id"):
        op.drop_column("webhook_health", name)
