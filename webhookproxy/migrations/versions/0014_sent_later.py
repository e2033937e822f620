"""events sent to a webhook later"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("sent_later", sa.Boolean()))
    stored = sa.Column("stored", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("bulk_resends", stored)
    op.add_column("bulk_resends", sa.Column("event_id", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("bulk_resends", "event_id")
    op.drop_column("bulk_resends", "stored")
    op.drop_column("deliveries", "sent_later")
