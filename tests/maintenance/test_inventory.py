"""Every table and column is known to every part that goes through the whole database.

Backup and restore copy every table, rotation finds every Secret by its type, and the canaries look
into every cell. The lists here say for each how long its rows stay, and whether it may hold a
person's number. A new table or column fails until it has a line.
"""

from __future__ import annotations

from sqlalchemy import JSON, String, Table

from webhookproxy.maintenance.personal_rows import SEALED, SETTINGS
from webhookproxy.models import schema
from webhookproxy.models.types import Secret

# When the rows of a table go.
RETENTION = {
    "alert_addresses": "with their user",
    "alert_message_parts": "with their message or alert",
    "alert_messages": "after 90 days, or with their user",
    "alert_preferences": "with their user",
    "alert_watches": "with their user or company",
    "alerts": "90 days after their end, or with their company or webhook",
    "api_tokens": "a month after their end, when another is made; or with their user",
    "attempts": "with their event",
    "audit": "after AUDIT_DAYS",
    "bulk_resends": "with their webhook, or after RETENTION_DAYS when they are over",
    "call_histories": "after 31 days, or with their company",
    "changes": "after 10,000 newer ones",
    "companies": "when deleted",
    "connections": "with their company",
    "day_comparisons": "31 days after their end, or the company's fewer days; or with it",
    "deliveries": "with their event",
    "events": "after RETENTION_DAYS or UNWANTED_HOURS",
    "gaps": "after 400 days, or with their company",
    "grants": "with their user or company",
    "minute_counts": "after two hours",
    "outages": "after 400 days, or with their webhook",
    "past_formats": "when no delivery was sent in them, or with their webhook",
    "password_links": "after an hour, when another is made; or when used",
    "pending_sign_ins": "after minutes",
    "processes": "five minutes after their last sign of life",
    "guest_links": "a month after their end, when another is made; or with their company",
    "handovers": "never: one row for each shard",
    "hourly_deliveries": "after 400 days",
    "hourly_events": "after 400 days, or with their company",
    "key_check": "never: one row",
    "leases": "never: one row for each shard",
    "recording_links": "with their event or company, or when their days are over",
    "next_tokens": "when the company's token or server changes, or with their company",
    "recoveries": "400 days after their end, or with their company",
    "recovery_codes": "with their user, or when used",
    "refusal_groups": "after RETENTION_DAYS, or with their webhook",
    "revision": "never: one row",
    "second_factors": "with their user",
    "second_sockets": "with their company, or when it asks again",
    "sign_ins": "when the login ends",
    "submissions": "after a day",
    "users": "when deleted",
    "webhook_health": "with their webhook",
    "webhooks": "when deleted",
}
# What may hold a person's number, and `flask privacy expunge` masks.
MASKED = {
    "attempts.answer",
    "attempts.answer_headers",
    "attempts.detail",
    "bulk_resends.event",
    "day_comparisons.result",
    "deliveries.condition",
    "deliveries.order_key",
    "events.name",
    "events.order_key",
    "events.payload",
    "hourly_events.name",
}
# What people typed or chose: `flask privacy find` names it, and they decide. What is encrypted is
# looked into too.
REPORTED = {
    f"{table}.{column}"
    for table, _, columns in SETTINGS
    for column in columns
    if column not in SEALED
}
# Codes and hashes; answers without their digits; what 3C Plus said of a token; and who did what,
# which the law wants kept.
NO_NUMBER = {
    "alert_addresses.confirm_hash",
    "alert_addresses.kind",
    "alert_addresses.last_error",
    "alert_message_parts.part",
    "alert_messages.error",
    "alert_messages.kind",
    "alert_messages.message_id",
    "alert_messages.subject",
    "alert_watches.condition",
    "alerts.condition",
    "alerts.ending",
    "alerts.reason",
    "api_tokens.company_ids",
    "api_tokens.scopes",
    "api_tokens.token_hash",
    "audit.action",
    "audit.address",
    "audit.detail",
    "audit.subject",
    "audit.who",
    "bulk_resends.asked_by",
    "bulk_resends.state",
    "bulk_resends.states",
    "bulk_resends.waiting",
    "call_histories.history_id",
    "companies.timezone",
    "companies.token_fingerprint",
    "connections.answer",
    "connections.reason",
    "connections.session_offset",
    "connections.socket_id",
    "connections.state",
    "day_comparisons.asked_by",
    "day_comparisons.state",
    "day_comparisons.trouble",
    "deliveries.reason",
    "deliveries.state",
    "attempts.reason",
    "events.note",
    "events.public_id",
    "events.socket_id",
    "events.token_mask",
    "gaps.note",
    "gaps.reason",
    "next_tokens.answer",
    "next_tokens.organisation",
    "next_tokens.role",
    "outages.kind",
    "outages.reason",
    "guest_links.token_hash",
    "password_links.token_hash",
    "pending_sign_ins.key_hash",
    "processes.host",
    "processes.name",
    "processes.role",
    "processes.version",
    "handovers.handed",
    "handovers.standing",
    "handovers.successor",
    "handovers.wanted",
    "hourly_deliveries.outcome",
    "minute_counts.series",
    "leases.holder",
    "events.recording_base",
    "recording_links.history_id",
    "recording_links.token_hash",
    "recoveries.asked_by",
    "recoveries.state",
    "recoveries.trouble",
    "second_sockets.state",
    "recovery_codes.code_hash",
    "refusal_groups.reason",
    "refusal_groups.shape",
    "second_factors.begun_in",
    "sign_ins.key_hash",
    "submissions.key",
    "users.password_hash",
    "webhook_health.last_error",
    "webhooks.paused_reason",
    "webhooks.state",
}


def texts(table: Table) -> set[str]:
    """Return the columns of a table that hold texts which are not encrypted."""
    return {
        f"{table.name}.{column.name}"
        for column in table.columns
        if isinstance(column.type, String | JSON) and not isinstance(column.type, Secret)
    }


def test_it_is_decided_when_the_rows_of_each_table_go() -> None:
    assert set(RETENTION) == set(schema().tables)


def test_it_is_decided_what_becomes_of_a_persons_number_in_each_text() -> None:
    found = set[str]().union(*map(texts, schema().tables.values()))
    decided = [MASKED, REPORTED, NO_NUMBER]
    assert found == set[str]().union(*decided)
    assert sum(map(len, decided)) == len(found)
