"""comparisons of a day with 3C Plus, and the event of each history"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "day_comparisons",
        sa.Column("id", ID, primary_key=True),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.String(254), nullable=False),
        sa.Column("asked_ms", ID, nullable=False),
        sa.Column("since_ms", ID, nullable=False),
        sa.Column("until_ms", ID, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("next_ms", ID, nullable=False),
        sa.Column("failures", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("trouble", sa.String(20)),
        sa.Column("listed", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("ended_ms", ID),
        sa.Column("result", sa.Text()),
        sqlite_autoincrement=True,
    )
    columns = ["company_id", "day", "id"]
    op.create_index("ix_day_comparisons_company_id_day_id", "day_comparisons", columns)
    running = sa.text("state = 'running'")
    op.create_index(
        "ix_day_comparisons_running",
        "day_comparisons",
        ["next_ms"],
        sqlite_where=running,
        postgresql_where=running,
    )
    op.add_column("call_histories", sa.Column("event_id", ID))


def downgrade() -> None:
    op.drop_column("call_histories", "event_id")
    op.drop_table("day_comparisons")
