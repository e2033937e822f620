"""first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# As webhookproxy.models.types.Id was when this was written: a migration outlives its models.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_ms", ID, nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("probe", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_attempts")),
    )
    op.create_table(
        "changes",
        sa.Column("number", ID, autoincrement=False, nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_changes")),
    )
    op.create_table(
        "companies",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("threec_id", sa.String(length=64), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("token_fingerprint", sa.String(length=64), nullable=False),
        sa.Column("socket_url", sa.String(length=2048), nullable=False),
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("hide_credentials", sa.Boolean(), nullable=False),
        sa.Column("should_connect", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_companies")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("companies", schema=None) as batch_op:
        batch_op.create_index(
            "uq_companies_live_fingerprint",
            ["token_fingerprint"],
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "deliveries",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("webhook_id", ID, nullable=False),
        sa.Column("order_key", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("born_ms", ID, nullable=False),
        sa.Column("first_attempt_ms", ID, nullable=True),
        sa.Column("due_ms", ID, nullable=True),
        sa.Column("ended_ms", ID, nullable=True),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index("ix_deliveries_event_id", ["event_id"], unique=False)
        batch_op.create_index(
            "ix_deliveries_open",
            ["webhook_id", "id"],
            unique=False,
            sqlite_where=sa.text("state IN ('queued', 'retrying')"),
            postgresql_where=sa.text("state IN ('queued', 'retrying')"),
        )
        batch_op.create_index(
            "ix_deliveries_open_key",
            ["webhook_id", "order_key", "id"],
            unique=False,
            sqlite_where=sa.text("state IN ('queued', 'retrying')"),
            postgresql_where=sa.text("state IN ('queued', 'retrying')"),
        )

    op.create_table(
        "events",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("order_key", sa.String(length=120), nullable=False),
        sa.Column("socket_id", sa.String(length=64), nullable=False),
        sa.Column("token_mask", sa.String(length=12), nullable=False),
        sa.Column("received_ms", ID, nullable=False),
        sa.Column("hidden", sa.SmallInteger(), nullable=False),
        sa.Column("note", sa.String(length=12), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_company_id_id", ["company_id", "id"], unique=False)
        batch_op.create_index(
            "ix_events_unwanted",
            ["id"],
            unique=False,
            sqlite_where=sa.text("note = 'unwanted'"),
            postgresql_where=sa.text("note = 'unwanted'"),
        )
        batch_op.create_index("uq_events_public_id", ["public_id"], unique=True)

    op.create_table(
        "hourly_deliveries",
        sa.Column("webhook_id", ID, autoincrement=False, nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("count", ID, nullable=False),
        sa.PrimaryKeyConstraint(
            "webhook_id", "hour", "outcome", "bucket", name=op.f("pk_hourly_deliveries")
        ),
    )
    op.create_table(
        "hourly_events",
        sa.Column("company_id", ID, autoincrement=False, nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("count", ID, nullable=False),
        sa.PrimaryKeyConstraint("company_id", "hour", "name", name=op.f("pk_hourly_events")),
    )
    op.create_table(
        "leases",
        sa.Column("shard", ID, autoincrement=False, nullable=False),
        sa.Column("fence", ID, nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger(), nullable=True),
        sa.Column("last_event_id", ID, nullable=False),
        sa.Column("last_delivery_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("shard", name=op.f("pk_leases")),
    )
    op.create_table(
        "revision",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
    )
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "connections",
        sa.Column("company_id", ID, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("socket_id", sa.String(length=64), nullable=True),
        sa.Column("fence", ID, nullable=False),
        sa.Column("events", ID, nullable=False),
        sa.Column("last_event_at", sa.BigInteger(), nullable=True),
        sa.Column("malformed", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id"],
            ["companies.id"],
            name=op.f("fk_connections_company_id_companies"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("company_id", name=op.f("pk_connections")),
    )
    op.create_table(
        "gaps",
        sa.Column("id", ID, nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["company_id"],
            ["companies.id"],
            name=op.f("fk_gaps_company_id_companies"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gaps")),
    )
    with op.batch_alter_table("gaps", schema=None) as batch_op:
        batch_op.create_index(
            "ix_gaps_company_id_started_at", ["company_id", "started_at"], unique=False
        )

    op.create_table(
        "grants",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id"],
            ["companies.id"],
            name=op.f("fk_grants_company_id_companies"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_grants_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "company_id", name=op.f("pk_grants")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", ID, nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("events", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("authorization", sa.Text(), nullable=True),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("parallelism", sa.Integer(), nullable=False),
        sa.Column("timeout", sa.Double(), nullable=False),
        sa.Column("rate_limit", sa.Double(), nullable=True),
        sa.Column("max_age", sa.Double(), nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_ms", ID, nullable=False),
        sa.Column("paused_reason", sa.String(length=30), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id"],
            ["companies.id"],
            name=op.f("fk_webhooks_company_id_companies"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("webhooks", schema=None) as batch_op:
        batch_op.create_index("ix_webhooks_company_id", ["company_id"], unique=False)

    op.create_table(
        "webhook_health",
        sa.Column("webhook_id", ID, nullable=False),
        sa.Column("created", ID, nullable=False),
        sa.Column("delivered", ID, nullable=False),
        sa.Column("refused", ID, nullable=False),
        sa.Column("expired", ID, nullable=False),
        sa.Column("cancelled", ID, nullable=False),
        sa.Column("simulated", ID, nullable=False),
        sa.Column("circuit_opened_at", sa.BigInteger(), nullable=True),
        sa.Column("next_probe_at", sa.BigInteger(), nullable=True),
        sa.Column("failed_probes", sa.Integer(), nullable=False),
        sa.Column("last_success_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.String(length=30), nullable=True),
        sa.Column("last_error_status", sa.Integer(), nullable=True),
        sa.Column("last_error_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_webhook_health_webhook_id_webhooks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("webhook_id", name=op.f("pk_webhook_health")),
    )
    op.execute("INSERT INTO revision (id, number) VALUES (1, 0)")


def downgrade() -> None:
    for table in (
        "webhook_health",
        "webhooks",
        "grants",
        "gaps",
        "connections",
        "users",
        "revision",
        "leases",
        "hourly_events",
        "hourly_deliveries",
        "events",
        "deliveries",
        "companies",
        "changes",
        "attempts",
    ):
        op.drop_table(table)
