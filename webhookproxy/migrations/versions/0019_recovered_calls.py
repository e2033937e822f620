"""recovered calls"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "call_histories",
        sa.Column("company_id", ID, primary_key=True, autoincrement=False),
        sa.Column("history_id", sa.String(64), primary_key=True),
        sa.Column("seen_ms", ID, nullable=False),
        sa.Column("recovered", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_index(
        "ix_call_histories_company_id_seen_ms", "call_histories", ["company_id", "seen_ms"]
    )
    op.create_table(
        "recoveries",
        sa.Column("id", ID, primary_key=True),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("gap_id", ID),
        sa.Column("asked_by", sa.String(254), nullable=False, server_default=""),
        sa.Column("asked_ms", ID, nullable=False),
        sa.Column("since_ms", ID, nullable=False),
        sa.Column("until_ms", ID, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("look", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("period", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("page", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("next_ms", ID, nullable=False),
        sa.Column("failures", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("trouble", sa.String(20)),
        sa.Column("listed", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("missing", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("recovered", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("ended_ms", ID),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_recoveries_company_id_id", "recoveries", ["company_id", "id"])
    op.create_index("ix_recoveries_gap_id", "recoveries", ["gap_id"])
    under_way = sa.text("state IN ('counting', 'running')")
    op.create_index(
        "ix_recoveries_under_way",
        "recoveries",
        ["next_ms"],
        sqlite_where=under_way,
        postgresql_where=under_way,
    )
    no = sa.false()
    op.add_column("events", sa.Column("recovered", sa.Boolean(), nullable=False, server_default=no))
    op.add_column(
        "companies", sa.Column("recover_calls", sa.Boolean(), nullable=False, server_default=no)
    )
    op.add_column(
        "companies", sa.Column("rest_url", sa.String(2048), nullable=False, server_default="")
    )
    op.add_column(
        "webhooks", sa.Column("takes_recovered", sa.Boolean(), nullable=False, server_default=no)
    )
    # The histories of the events after this number are noted in the background.
    op.add_column("leases", sa.Column("histories_after", ID, server_default="0"))


def downgrade() -> None:
    op.drop_column("leases", "histories_after")
    op.drop_column("webhooks", "takes_recovered")
    op.drop_column("companies", "rest_url")
    op.drop_column("companies", "recover_calls")
    op.drop_column("events", "recovered")
    op.drop_table("recoveries")
    op.drop_table("call_histories")
