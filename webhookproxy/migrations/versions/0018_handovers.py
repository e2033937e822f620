"""what an owner of the sockets and its successor tell each other"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("connections", sa.Column("one_socket_at", sa.BigInteger()))
    op.create_table(
        "handovers",
        sa.Column("shard", ID, primary_key=True, autoincrement=False),
        sa.Column("fence", ID, nullable=False),
        sa.Column("waiting_at", sa.BigInteger()),
        sa.Column("asked_at", sa.BigInteger()),
        sa.Column("offered_at", sa.BigInteger()),
        sa.Column("successor", sa.String(80)),
        sa.Column("seen_at", sa.BigInteger()),
        sa.Column("standing", sa.Text()),
        sa.Column("handed", sa.Text()),
    )


def downgrade() -> None:
    op.drop_table("handovers")
    op.drop_column("connections", "one_socket_at")
