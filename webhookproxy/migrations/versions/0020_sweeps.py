"""sweeps

Companies ask for the calls of the last hours again and again, whether there was a gap or not.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    no = sa.false()
    op.add_column(
        "companies", sa.Column("sweep_calls", sa.Boolean(), nullable=False, server_default=no)
    )
    op.add_column("recoveries", sa.Column("sweep", sa.Boolean(), nullable=False, server_default=no))
    op.create_index(
        "ix_recoveries_sweep",
        "recoveries",
        ["company_id", "id"],
        sqlite_where=sa.text("sweep"),
        postgresql_where=sa.text("sweep"),
    )


def downgrade() -> None:
    op.drop_index("ix_recoveries_sweep", "recoveries")
    op.drop_column("recoveries", "sweep")
    op.drop_column("companies", "sweep_calls")
