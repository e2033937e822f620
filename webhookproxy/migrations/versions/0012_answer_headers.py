"""the headers of answers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("answer_headers", sa.Text()))


def downgrade() -> None:
    op.drop_column("attempts", "answer_headers")
