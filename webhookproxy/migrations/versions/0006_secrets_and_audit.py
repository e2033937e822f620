"""a row that checks the data keys, the secret before the last, and who did what"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from flask import current_app

from webhookproxy.config.keys import Keyring, KeyringError

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Whoever may write to the database through this program may not rewrite what was done. The purge
# may take what is older than thirty days: AUDIT_DAYS is always more.
SQLITE = (
    (
        "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN"
        " SELECT RAISE(ABORT, 'audit entries are never changed'); END"
    ),
    (
        "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
        " WHEN OLD.at > (CAST(strftime('%s', 'now') AS INTEGER) - 2592000) * 1000 BEGIN"
        " SELECT RAISE(ABORT, 'audit entries are kept'); END"
    ),
)
POSTGRESQL = (
    (
        "CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF TG_OP = 'DELETE' AND OLD.at <= (extract(epoch FROM now()) - 2592000) * 1000"
        " THEN RETURN OLD; END IF;"
        " RAISE EXCEPTION 'audit entries are kept as they are'"
        " USING ERRCODE = 'integrity_constraint_violation'; END $$"
    ),
    (
        "CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE ON audit"
        " FOR EACH ROW EXECUTE FUNCTION audit_is_kept()"
    ),
)


def upgrade() -> None:
    _add_key_check()
    # Not in a batch: SQLite would copy the whole table, and the copy would give numbers twice.
    op.add_column("webhooks", sa.Column("previous_secret", sa.Text(), nullable=True))
    op.add_column("webhooks", sa.Column("previous_secret_until", sa.BigInteger(), nullable=True))
    op.create_table(
        "audit",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("who", sa.String(length=254), nullable=False),
        sa.Column("action", sa.String(length=30), nullable=False),
        sa.Column("company_id", ID, nullable=True),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    for columns in (["at"], ["who", "id"], ["action", "id"], ["company_id", "id"]):
        op.create_index(f"ix_audit_{'_'.join(columns)}", "audit", columns, unique=False)
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_is_kept()")
    op.drop_column("webhooks", "previous_secret_until")
    op.drop_column("webhooks", "previous_secret")
    op.drop_table("key_check")


def _add_key_check() -> None:
    ring = Keyring(current_app.config["DATA_KEYS"])
    token = op.get_bind().execute(sa.text("SELECT token FROM companies LIMIT 1")).scalar()
    try:
        if token is not None:
            ring.decrypt(token)
    except KeyringError as error:
        # Flask-Migrate prints a RuntimeError as one line.
        raise RuntimeError(str(error)) from None
    op.create_table(
        "key_check",
        sa.Column("id", ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_check")),
    )
    row = sa.text("INSERT INTO key_check (id, text) VALUES (1, :text)")
    op.get_bind().execute(row, {"text": ring.encrypt("These are the right keys.")})
