"""links for guests of a company"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    company = sa.ForeignKey("companies.id", ondelete="CASCADE")
    op.create_table(
        "guest_links",
        sa.Column("id", ID, primary_key=True),
        sa.Column("company_id", ID, company, nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("used_at", sa.BigInteger()),
    )
    op.create_index("ix_guest_links_company_id", "guest_links", ["company_id"])


def downgrade() -> None:
    op.drop_table("guest_links")
