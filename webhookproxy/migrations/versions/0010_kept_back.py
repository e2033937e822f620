"""indices of the deliveries that did not arrive or were kept back, which are few among many"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ENDED_BADLY = sa.text("state IN ('refused', 'expired', 'cancelled')")
KEPT_BACK = sa.text("state IN ('filtered', 'simulated')")
# Name, columns and condition: of each webhook, and of all together.
INDICES = (
    ("ix_deliveries_ended_badly_id", ["id"], ENDED_BADLY),
    ("ix_deliveries_kept_back", ["webhook_id", "id"], KEPT_BACK),
    ("ix_deliveries_kept_back_id", ["id"], KEPT_BACK),
)


def upgrade() -> None:
    for name, columns, where in INDICES:
        op.create_index(name, "deliveries", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name, _, _ in reversed(INDICES):
        op.drop_index(name, "deliveries")
