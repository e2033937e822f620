"""alerts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _parent(table: str, ondelete: str = "CASCADE") -> sa.ForeignKey:
    return sa.ForeignKey(f"{table}.id", ondelete=ondelete)


def upgrade() -> None:
    op.add_column("companies", sa.Column("token_expires_at", sa.BigInteger()))
    _people()
    _alerts()
    _messages()


def _people() -> None:
    op.create_table(
        "alert_addresses",
        sa.Column("id", ID, primary_key=True),
        sa.Column("user_id", ID, _parent("users"), nullable=False, index=True),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text()),
        sa.Column("label", sa.String(160), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger()),
        sa.Column("confirm_hash", sa.String(64), unique=True),
        sa.Column("confirm_until", sa.BigInteger()),
        sa.Column("messages_unconfirmed", sa.SmallInteger(), nullable=False),
        sa.Column("unconfirmed_day", sa.Integer()),
        sa.Column("last_sent_at", sa.BigInteger()),
        sa.Column("last_error", sa.String(30)),
    )
    op.create_table(
        "alert_preferences",
        sa.Column("user_id", ID, _parent("users"), primary_key=True, autoincrement=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("quiet_from", sa.SmallInteger()),
        sa.Column("quiet_until", sa.SmallInteger()),
        sa.Column("morning_line", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("morning_day", sa.Integer()),
        sa.Column("changed_at", sa.BigInteger()),
    )
    op.create_table(
        "alert_watches",
        sa.Column("id", ID, primary_key=True),
        sa.Column("user_id", ID, _parent("users"), nullable=False),
        sa.Column("company_id", ID, _parent("companies")),
        sa.Column("condition", sa.String(20), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("minutes", sa.Integer()),
    )
    of_company = ["user_id", "company_id", "condition"]
    name = "uq_alert_watches_user_id_company_id_condition"
    op.create_index(name, "alert_watches", of_company, unique=True)
    of_all = sa.text("company_id IS NULL")
    op.create_index(
        "uq_alert_watches_user_id_condition",
        "alert_watches",
        ["user_id", "condition"],
        unique=True,
        sqlite_where=of_all,
        postgresql_where=of_all,
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", ID, primary_key=True),
        sa.Column("condition", sa.String(20), nullable=False),
        sa.Column("company_id", ID, _parent("companies")),
        sa.Column("webhook_id", ID, _parent("webhooks"), index=True),
        sa.Column("outage_id", ID, _parent("outages", "SET NULL"), index=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger()),
        sa.Column("ending", sa.String(20)),
        sa.Column("reason", sa.String(30)),
        sa.Column("status", sa.Integer()),
    )
    still_open = sa.text("closed_at IS NULL")
    op.create_index(
        "ix_alerts_open",
        "alerts",
        ["condition"],
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.create_index("ix_alerts_closed_at", "alerts", ["closed_at"])
    op.create_index("ix_alerts_company_id_since", "alerts", ["company_id", "since"])


def _messages() -> None:
    op.create_table(
        "alert_messages",
        sa.Column("id", ID, primary_key=True),
        sa.Column("message_id", sa.String(64), nullable=False, unique=True),
        sa.Column("user_id", ID, _parent("users"), nullable=False),
        sa.Column("address_id", ID, _parent("alert_addresses"), index=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(200)),
        sa.Column("body", sa.Text()),
        sa.Column("link", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("sent_by", ID, _parent("alert_addresses", "SET NULL"), index=True),
        sa.Column("given_up_at", sa.BigInteger()),
        sa.Column("error", sa.String(30)),
    )
    waiting = sa.text("sent_at IS NULL AND given_up_at IS NULL")
    op.create_index(
        "ix_alert_messages_waiting",
        "alert_messages",
        ["due_at"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    of_user = ["user_id", "created_at"]
    op.create_index("ix_alert_messages_user_id_created_at", "alert_messages", of_user)
    op.create_index("ix_alert_messages_created_at", "alert_messages", ["created_at"])
    message = sa.Column(
        "message_id", ID, _parent("alert_messages"), primary_key=True, autoincrement=False
    )
    alert = sa.Column(
        "alert_id", ID, _parent("alerts"), primary_key=True, autoincrement=False, index=True
    )
    op.create_table(
        "alert_message_parts",
        message,
        alert,
        sa.Column("part", sa.String(10), primary_key=True),
        sa.Column("changes", sa.SmallInteger(), nullable=False),
    )


def downgrade() -> None:
    for table in (
        "alert_message_parts",
        "alert_messages",
        "alerts",
        "alert_watches",
        "alert_preferences",
        "alert_addresses",
    ):
        op.drop_table(table)
    op.drop_column("companies", "token_expires_at")
