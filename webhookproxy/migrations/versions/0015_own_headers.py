"""own headers, and what counts as success"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhooks", sa.Column("headers", sa.Text()))
    op.add_column("webhooks", sa.Column("success_rule", sa.JSON()))


def downgrade() -> None:
    op.drop_column("webhooks", "success_rule")
    op.drop_column("webhooks", "headers")
