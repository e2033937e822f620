"""counts of the last hours by the minute"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "minute_counts",
        sa.Column("owner_id", ID, primary_key=True, autoincrement=False),
        sa.Column("series", sa.String(10), primary_key=True),
        sa.Column("minute", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("bucket", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("count", ID, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("minute_counts")
