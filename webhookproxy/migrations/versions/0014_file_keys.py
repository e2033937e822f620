"""keys of configuration files"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from webhookproxy.database.migrating import create_index

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("companies", "webhooks")


def upgrade() -> None:
    for table in TABLES:
        # The file runs again if the index of a table in use could not be built.
        found = sa.inspect(op.get_bind()).get_columns(table)
        if "file_key" not in {each["name"] for each in found}:
            op.add_column(table, sa.Column("file_key", sa.String(64)))
    live = "deleted_at IS NULL"
    create_index("uq_companies_file_key", "companies", ["file_key"], live, unique=True)
    create_index("uq_webhooks_file_key", "webhooks", ["company_id", "file_key"], live, unique=True)


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(f"uq_{table}_file_key", table_name=table)
        op.drop_column(table, "file_key")
