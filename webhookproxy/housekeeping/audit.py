"""Removes the oldest entries of the audit."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from webhookproxy.models import AuditEntry
from webhookproxy.models.types import from_ms


def has_entries_before(connection: Connection, before_ms: int) -> bool:
    """Return whether any entry is old enough to purge."""
    old = select(AuditEntry.id).where(AuditEntry.at < from_ms(before_ms)).limit(1)
    return connection.execute(old).first() is not None


def purge_entries(connection: Connection, before_ms: int, batch: int) -> int:
    """Remove up to `batch` of the entries older than that moment; return how many.

    The database refuses to remove entries younger than thirty days.
    """
    old = select(AuditEntry.id).where(AuditEntry.at < from_ms(before_ms))
    chosen = old.order_by(AuditEntry.at).limit(batch)
    return connection.execute(delete(AuditEntry).where(AuditEntry.id.in_(chosen))).rowcount
