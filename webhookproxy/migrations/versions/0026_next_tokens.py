"""next tokens

The token that follows a company's present one, laid ready and tried before it is used.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "next_tokens",
        sa.Column("id", ID, primary_key=True),
        sa.Column(
            "company_id",
            ID,
            sa.ForeignKey(
                "companies.id", name="fk_next_tokens_company_id_companies", ondelete="CASCADE"
            ),
            nullable=False,
        ),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("laid_at", sa.BigInteger(), nullable=False),
        sa.Column("tried_at", sa.BigInteger()),
        sa.Column("answer", sa.String(30)),
        sa.Column("role", sa.String(120)),
        sa.Column("organisation", sa.String(64)),
    )
    op.create_index("uq_next_tokens_company_id", "next_tokens", ["company_id"], unique=True)


def downgrade() -> None:
    op.drop_table("next_tokens")
