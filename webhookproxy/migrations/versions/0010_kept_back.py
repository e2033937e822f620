"""an index of the deliveries that were filtered or simulated, which are few among many"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEPT_BACK = sa.text("state IN ('filtered', 'simulated')")


def upgrade() -> None:
    op.create_index(
        "ix_deliveries_kept_back",
        "deliveries",
        ["webhook_id", "id"],
        sqlite_where=KEPT_BACK,
        postgresql_where=KEPT_BACK,
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_kept_back", "deliveries")
