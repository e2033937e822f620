"""the second factor of a login, its recovery codes, and logins that wait for it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "second_factors",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("begun_in", sa.String(length=64), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        _of_user("second_factors"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_factors")),
        sa.UniqueConstraint("user_id", name=op.f("uq_second_factors_user_id")),
    )
    _create_hashes("recovery_codes", "code_hash")
    _create_hashes(
        "half_sign_ins", "key_hash", sa.Column("created_at", sa.BigInteger(), nullable=False)
    )


def _create_hashes(table: str, hashed: str, *more: sa.Column[int]) -> None:
    op.create_table(
        table,
        sa.Column(hashed, sa.String(length=64), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        *more,
        _of_user(table),
        sa.PrimaryKeyConstraint(hashed, name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_user_id"), table, ["user_id"])


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_user_id_users")
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=name, ondelete="CASCADE")


def downgrade() -> None:
    op.drop_table("half_sign_ins")
    op.drop_table("recovery_codes")
    op.drop_table("second_factors")
