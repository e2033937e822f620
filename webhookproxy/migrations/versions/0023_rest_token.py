"""a second token, for REST only

The token of an agent opens a socket, and may not list calls.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("companies", sa.Column("rest_token", sa.Text()))


def downgrade() -> None:
    op.drop_column("companies", "rest_token")
