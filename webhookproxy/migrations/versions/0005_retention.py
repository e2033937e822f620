"""a company's own retention, and since when the owner stores nothing"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ALTER TABLE, not a batch: copying `companies` would drop its partial index.
    op.add_column("companies", sa.Column("retention_days", sa.SmallInteger(), nullable=True))
    op.add_column("leases", sa.Column("failing_since", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("leases", "failing_since")
    op.drop_column("companies", "retention_days")
