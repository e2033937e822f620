"""since when each token is refused"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connections", sa.Column("refused_since", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("connections", "refused_since")
