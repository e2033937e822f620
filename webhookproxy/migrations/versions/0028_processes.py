"""the server processes of an installation"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "processes",
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("pid", ID, nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("role_since", sa.BigInteger(), nullable=False),
        sa.Column("sockets_wished", ID, nullable=False),
        sa.Column("sockets_connected", ID, nullable=False),
        sa.Column("events_per_second", sa.Float(), nullable=False),
        sa.Column("deliveries_per_second", sa.Float(), nullable=False),
        sa.Column("core_share", sa.Float(), nullable=False),
        sa.Column("memory_bytes", ID),
    )


def downgrade() -> None:
    op.drop_table("processes")
