"""what the pages need: logins, forms used once, lists of deliveries"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = "state IN ('queued', 'retrying')"
ENDED_BADLY = "state IN ('refused', 'expired', 'cancelled')"


def upgrade() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sign_ins_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_sign_ins")),
    )
    op.create_index(op.f("ix_sign_ins_user_id"), "sign_ins", ["user_id"])
    op.create_table(
        "submissions",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("made", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_submissions")),
    )
    op.create_index("ix_deliveries_webhook_id_id", "deliveries", ["webhook_id", "id"])
    # Of two indices that serve alike SQLite takes the younger one: without this, lanes would look
    # for what has not ended among all that ever was.
    op.drop_index("ix_deliveries_open", "deliveries")
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["webhook_id", "id"],
        sqlite_where=sa.text(OPEN),
        postgresql_where=sa.text(OPEN),
    )
    op.create_index(
        "ix_deliveries_ended_badly",
        "deliveries",
        ["webhook_id", "id"],
        sqlite_where=sa.text(ENDED_BADLY),
        postgresql_where=sa.text(ENDED_BADLY),
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_ended_badly", "deliveries")
    op.drop_index("ix_deliveries_webhook_id_id", "deliveries")
    op.drop_table("submissions")
    op.drop_table("sign_ins")
