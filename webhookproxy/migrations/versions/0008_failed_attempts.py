"""failed attempts by webhook"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from webhookproxy.database.migrating import create_index

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NOT_ACCEPTED = "reason NOT IN ('accepted', 'apps_script_ran')"


def upgrade() -> None:
    # A migration that stops at the index goes on from here.
    columns = sa.inspect(op.get_bind()).get_columns("attempts")
    if "webhook_id" not in {column["name"] for column in columns}:
        op.add_column("attempts", sa.Column("webhook_id", ID))
    create_index("ix_attempts_failed", "attempts", ["webhook_id", "started_ms"], where=NOT_ACCEPTED)


def downgrade() -> None:
    op.drop_index("ix_attempts_failed", "attempts")
    op.drop_column("attempts", "webhook_id")
