"""twins

A recovered call that the socket brings later too: each of both events names the other.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("events", sa.Column("twin", ID))


def downgrade() -> None:
    op.drop_column("events", "twin")
