"""events sent to a webhook later"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("sent_later", sa.Boolean()))
    no = sa.false()
    op.add_column(
        "bulk_resends", sa.Column("stored", sa.Boolean(), nullable=False, server_default=no)
    )
    op.add_column("bulk_resends", sa.Column("event_id", ID))


def downgrade() -> None:
    op.drop_column("bulk_resends", "event_id")
    op.drop_column("bulk_resends", "stored")
    op.drop_column("deliveries", "sent_later")
