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
PARTIAL = {
    "ix_deliveries_open_key": ["webhook_id", "order_key", "id"],
    "ix_deliveries_open": ["webhook_id", "id"],
}
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
    # Of indices that would do as well SQLite takes the youngest: the lanes must go on reading the
    # small ones, so these are made anew after the one that holds every row.
    for name in PARTIAL:
        op.drop_index(name, "deliveries")
    op.create_index("ix_deliveries_webhook_id_id", "deliveries", ["webhook_id", "id"])
    _create_partial("ix_deliveries_ended_badly", ["webhook_id", "id"], ENDED_BADLY)
    for name, columns in PARTIAL.items():
        _create_partial(name, columns, OPEN)


def _create_partial(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "deliveries", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index("ix_deliveries_ended_badly", "deliveries")
    op.drop_index("ix_deliveries_webhook_id_id", "deliveries")
    op.drop_table("submissions")
    op.drop_table("sign_ins")
