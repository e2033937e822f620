"""a second socket of a company, compared with the first one"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "companies",
        sa.Column("observe_second", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "second_sockets",
        sa.Column(
            "company_id",
            ID,
            sa.ForeignKey("companies.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("counted_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("joins", sa.Integer(), nullable=False),
        sa.Column("paired", ID, nullable=False),
        sa.Column("unpaired", ID, nullable=False),
        sa.Column("replayed", ID, nullable=False),
        sa.Column("displacement", ID, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("second_sockets")
    op.drop_column("companies", "observe_second")
