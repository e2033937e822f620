"""what a server with connection state recovery is asked for, and whether it had a gap's events"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("connections", sa.Column("session", sa.Text()))
    op.add_column("connections", sa.Column("session_offset", sa.String(128)))
    op.add_column("connections", sa.Column("session_replayed", ID))
    op.add_column(
        "gaps", sa.Column("recovered", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    op.drop_column("gaps", "recovered")
    op.drop_column("connections", "session_replayed")
    op.drop_column("connections", "session_offset")
    op.drop_column("connections", "session")
