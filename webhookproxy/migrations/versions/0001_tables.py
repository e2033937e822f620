"""all tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from flask import current_app

from webhookproxy.config.keys import Keyring

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# As webhookproxy.models.types.Id was when this was written: a migration outlives its models.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

OPEN = "state IN ('queued', 'retrying')"
ENDED_BADLY = "state IN ('refused', 'expired', 'cancelled')"
KEPT_BACK = "state IN ('filtered', 'simulated')"

# This program cannot rewrite what was done. Housekeeping can remove entries that are older than
# thirty days: AUDIT_DAYS is always more.
AUDIT_IS_KEPT = {
    "sqlite": (
        (
            "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN"
            " SELECT RAISE(ABORT, 'audit entries are never changed'); END"
        ),
        (
            "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
            " WHEN OLD.at > (CAST(strftime('%s', 'now') AS INTEGER) - 2592000) * 1000 BEGIN"
            " SELECT RAISE(ABORT, 'audit entries are kept'); END"
        ),
    ),
    "postgresql": (
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
    ),
}


def upgrade() -> None:
    _create_companies()
    _create_accounts()
    _create_webhooks()
    _create_events()
    _create_deliveries()
    _create_audit()
    _create_installation()


def _create_index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(
        name,
        table,
        columns,
        unique=name.startswith("uq_"),
        sqlite_where=condition,
        postgresql_where=condition,
    )


def _owned_by(table: str) -> sa.ForeignKey:
    return sa.ForeignKey(f"{table}.id", ondelete="CASCADE")


def _create_companies() -> None:
    op.create_table(
        "companies",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("threec_id", sa.String(64), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("token_fingerprint", sa.String(64), nullable=False),
        sa.Column("socket_url", sa.String(2048), nullable=False),
        sa.Column("agent_id", sa.String(64), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("hide_credentials", sa.Boolean(), nullable=False),
        sa.Column("should_connect", sa.Boolean(), nullable=False),
        sa.Column("retention_days", sa.SmallInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger()),
        sa.Column("version", sa.Integer(), nullable=False),
        sqlite_autoincrement=True,
    )
    fingerprint = ["token_fingerprint"]
    _create_index("uq_companies_live_fingerprint", "companies", fingerprint, "deleted_at IS NULL")
    op.create_table(
        "connections",
        sa.Column("company_id", ID, _owned_by("companies"), primary_key=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(30), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger()),
        sa.Column("socket_id", sa.String(64)),
        sa.Column("answer", sa.String(64)),
        sa.Column("fence", ID, nullable=False),
        sa.Column("events", ID, nullable=False),
        sa.Column("last_event_at", sa.BigInteger()),
        sa.Column("malformed", ID, nullable=False),
    )
    op.create_table(
        "gaps",
        sa.Column("id", ID, primary_key=True),
        sa.Column("company_id", ID, _owned_by("companies"), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("reason", sa.String(30), nullable=False),
        sa.Column("note", sa.Text()),
    )
    _create_index("ix_gaps_company_id_started_at", "gaps", ["company_id", "started_at"])


def _create_accounts() -> None:
    op.create_table(
        "users",
        sa.Column("id", ID, primary_key=True),
        sa.Column("email", sa.String(254), nullable=False, unique=True),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "grants",
        sa.Column("user_id", ID, _owned_by("users"), primary_key=True),
        sa.Column("company_id", ID, _owned_by("companies"), primary_key=True),
    )
    op.create_table(
        "second_factors",
        sa.Column("id", ID, primary_key=True),
        sa.Column("user_id", ID, _owned_by("users"), nullable=False, unique=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("begun_in", sa.String(64), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger()),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
    )
    hashed = {
        "sign_ins": ("key_hash", "created_at", "seen_at"),
        "pending_sign_ins": ("key_hash", "created_at"),
        "recovery_codes": ("code_hash",),
    }
    for table, (key, *times) in hashed.items():
        op.create_table(
            table,
            sa.Column(key, sa.String(64), primary_key=True),
            sa.Column("user_id", ID, _owned_by("users"), nullable=False),
            *(sa.Column(time, sa.BigInteger(), nullable=False) for time in times),
        )
        _create_index(f"ix_{table}_user_id", table, ["user_id"])


def _create_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", ID, primary_key=True),
        sa.Column("company_id", ID, _owned_by("companies"), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("url", sa.String(2048), nullable=False),
        sa.Column("events", sa.JSON(none_as_null=True)),
        sa.Column("filters", sa.JSON(none_as_null=True)),
        sa.Column("authorization", sa.Text()),
        sa.Column("secret", sa.Text()),
        sa.Column("previous_secret", sa.Text()),
        sa.Column("previous_secret_until", sa.BigInteger()),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("parallelism", sa.Integer(), nullable=False),
        sa.Column("timeout", sa.Double(), nullable=False),
        sa.Column("rate_limit", sa.Double()),
        sa.Column("max_age", sa.Double(), nullable=False),
        sa.Column("paused_at", sa.BigInteger()),
        sa.Column("paused_ms", ID, nullable=False),
        sa.Column("paused_reason", sa.String(30)),
        sa.Column("discard_until", ID),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger()),
        sa.Column("version", sa.Integer(), nullable=False),
        sqlite_autoincrement=True,
    )
    _create_index("ix_webhooks_company_id", "webhooks", ["company_id"])
    op.create_table(
        "webhook_health",
        sa.Column("webhook_id", ID, _owned_by("webhooks"), primary_key=True),
        sa.Column("created", ID, nullable=False),
        sa.Column("delivered", ID, nullable=False),
        sa.Column("refused", ID, nullable=False),
        sa.Column("expired", ID, nullable=False),
        sa.Column("cancelled", ID, nullable=False),
        sa.Column("simulated", ID, nullable=False),
        sa.Column("circuit_opened_at", sa.BigInteger()),
        sa.Column("next_probe_at", sa.BigInteger()),
        sa.Column("failed_probes", sa.Integer(), nullable=False),
        sa.Column("last_success_at", sa.BigInteger()),
        sa.Column("last_error", sa.String(30)),
        sa.Column("last_error_status", sa.Integer()),
        sa.Column("last_error_at", sa.BigInteger()),
    )
    op.create_table(
        "bulk_resends",
        sa.Column("id", ID, primary_key=True),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("webhook_id", ID, _owned_by("webhooks"), nullable=False),
        sa.Column("asked_by", sa.String(254), nullable=False),
        sa.Column("asked_ms", ID, nullable=False),
        sa.Column("states", sa.JSON(), nullable=False),
        sa.Column("event", sa.String(200), nullable=False),
        sa.Column("since_ms", ID),
        sa.Column("begins", ID, nullable=False),
        sa.Column("upto", ID, nullable=False),
        sa.Column("cursor", ID, nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("total_is_cut", sa.Boolean(), nullable=False),
        sa.Column("queued", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("delivered", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("ended_ms", ID),
        sqlite_autoincrement=True,
    )
    _create_index("ix_bulk_resends_webhook_id_id", "bulk_resends", ["webhook_id", "id"])
    _create_index("uq_bulk_resends_running", "bulk_resends", ["webhook_id"], "state = 'running'")


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", ID, primary_key=True, autoincrement=False),
        sa.Column("public_id", sa.String(40), nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("order_key", sa.String(120), nullable=False),
        sa.Column("socket_id", sa.String(64), nullable=False),
        sa.Column("token_mask", sa.String(12), nullable=False),
        sa.Column("received_ms", ID, nullable=False),
        sa.Column("hidden", sa.SmallInteger(), nullable=False),
        sa.Column("note", sa.String(12)),
    )
    _create_index("ix_events_company_id_id", "events", ["company_id", "id"])
    _create_index("ix_events_unwanted", "events", ["id"], "note = 'unwanted'")
    _create_index("uq_events_public_id", "events", ["public_id"])
    op.create_table(
        "hourly_events",
        sa.Column("company_id", ID, primary_key=True, autoincrement=False),
        sa.Column("hour", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("count", ID, nullable=False),
    )


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", ID, primary_key=True, autoincrement=False),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("webhook_id", ID, nullable=False),
        sa.Column("order_key", sa.String(120), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(30), nullable=False),
        sa.Column("condition", sa.String(300)),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("resends", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("born_ms", ID, nullable=False),
        sa.Column("first_attempt_ms", ID),
        sa.Column("due_ms", ID),
        sa.Column("ended_ms", ID),
        sa.Column("status", sa.SmallInteger()),
    )
    # Of several indices that would do, SQLite takes the youngest. The lanes must read the small
    # ones, so these are made after the one that holds every row.
    for name, columns, condition in (
        ("ix_deliveries_event_id", ["event_id"], None),
        ("ix_deliveries_webhook_id_id", ["webhook_id", "id"], None),
        ("ix_deliveries_ended_badly", ["webhook_id", "id"], ENDED_BADLY),
        ("ix_deliveries_open_key", ["webhook_id", "order_key", "id"], OPEN),
        ("ix_deliveries_open", ["webhook_id", "id"], OPEN),
        ("ix_deliveries_ended_badly_id", ["id"], ENDED_BADLY),
        ("ix_deliveries_kept_back", ["webhook_id", "id"], KEPT_BACK),
        ("ix_deliveries_kept_back_id", ["id"], KEPT_BACK),
    ):
        _create_index(name, "deliveries", columns, condition)
    op.create_table(
        "attempts",
        sa.Column("delivery_id", ID, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("started_ms", ID, nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("reason", sa.String(30), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.Column("answer", sa.Text()),
        sa.Column("probe", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "hourly_deliveries",
        sa.Column("webhook_id", ID, primary_key=True, autoincrement=False),
        sa.Column("hour", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("outcome", sa.String(10), primary_key=True),
        sa.Column("bucket", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("count", ID, nullable=False),
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", ID, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("user_id", ID),
        sa.Column("who", sa.String(254), nullable=False),
        sa.Column("action", sa.String(30), nullable=False),
        sa.Column("company_id", ID),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(500), nullable=False),
        sqlite_autoincrement=True,
    )
    for columns in (["at"], ["who", "id"], ["action", "id"], ["company_id", "id"]):
        _create_index(f"ix_audit_{'_'.join(columns)}", "audit", columns)
    for statement in AUDIT_IS_KEPT[op.get_bind().dialect.name]:
        op.execute(statement)


def _create_installation() -> None:
    op.create_table(
        "leases",
        sa.Column("shard", ID, primary_key=True, autoincrement=False),
        sa.Column("fence", ID, nullable=False),
        sa.Column("holder", sa.String(80), nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger()),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("last_event_id", ID, nullable=False),
        sa.Column("last_delivery_id", ID, nullable=False),
    )
    op.create_table(
        "changes",
        sa.Column("number", ID, primary_key=True, autoincrement=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("webhook_id", ID),
        sa.Column("delivery_id", ID),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    newest_change = op.create_table(
        "revision",
        sa.Column("id", ID, primary_key=True),
        sa.Column("number", ID, nullable=False),
    )
    op.bulk_insert(newest_change, [{"id": 1, "number": 0}])
    key_check = op.create_table(
        "key_check",
        sa.Column("id", ID, primary_key=True),
        sa.Column("text", sa.Text(), nullable=False),
    )
    ring = Keyring(current_app.config["DATA_KEYS"])
    op.bulk_insert(key_check, [{"id": 1, "text": ring.encrypt("These are the right keys.")}])
    op.create_table(
        "submissions",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("made", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    metadata = sa.MetaData()
    metadata.reflect(op.get_bind())
    for table in reversed(metadata.sorted_tables):
        if table.name != "alembic_version":
            op.drop_table(table.name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_is_kept()")
