"""links to the recordings of calls"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "recording_links",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("history_id", sa.String(64), nullable=False),
        sa.Column("made_ms", ID, nullable=False),
        sa.Column("expires_ms", ID, nullable=False),
    )
    op.create_index(
        "ix_recording_links_company_id_expires_ms", "recording_links", ["company_id", "expires_ms"]
    )
    op.create_index("ix_recording_links_event_id", "recording_links", ["event_id"])
    op.add_column("events", sa.Column("recording_base", sa.Text()))
    no = sa.false()
    op.add_column(
        "companies", sa.Column("recording_links", sa.Boolean(), nullable=False, server_default=no)
    )
    op.add_column(
        "companies",
        sa.Column("recording_days", sa.SmallInteger(), nullable=False, server_default="30"),
    )
    op.add_column("companies", sa.Column("recording_key", sa.Text()))
    op.add_column("companies", sa.Column("recordings_revoked_ms", ID))


def downgrade() -> None:
    op.drop_column("companies", "recordings_revoked_ms")
    op.drop_column("companies", "recording_key")
    op.drop_column("companies", "recording_days")
    op.drop_column("companies", "recording_links")
    op.drop_column("events", "recording_base")
    op.drop_table("recording_links")
