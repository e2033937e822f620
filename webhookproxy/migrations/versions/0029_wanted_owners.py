"""the process that an administrator wants to own a shard"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("handovers") as batch:
        batch.add_column(sa.Column("wanted", sa.String(80)))
        batch.add_column(sa.Column("wanted_at", sa.BigInteger()))


def downgrade() -> None:
    with op.batch_alter_table("handovers") as batch:
        batch.drop_column("wanted_at")
        batch.drop_column("wanted")
