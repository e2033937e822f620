"""Statements that remove events with their deliveries and attempts."""

from __future__ import annotations

from sqlalchemy import Connection, text

from webhookproxy.models.deliveries import OPEN


def remember_numbers(connection: Connection) -> None:
    """Keep the highest numbers given so far, before the rows that have them may go."""
    for column, table in (("last_event_id", "events"), ("last_delivery_id", "deliveries")):
        highest = f"(SELECT COALESCE(MAX(id), 0) FROM {table})"
        connection.execute(
            text(f"UPDATE leases SET {column} = {highest} WHERE {column} < {highest}")
        )


def purge_events(connection: Connection, event_ids: list[int]) -> int:
    """Remove those of these events of which nothing is due; how many were removed.

    It is looked at here once more, because a delivery may have been resent since they were chosen.
    """
    query = text(
        f"SELECT DISTINCT event_id FROM deliveries WHERE event_id IN ({_numbers(event_ids)})"
        f" AND {OPEN}"
    )
    due = {row[0] for row in connection.execute(query)}
    gone = [each for each in event_ids if each not in due]
    purge_deliveries(connection, gone)
    _delete(connection, "events", "id", gone)
    return len(gone)


def purge_deliveries(connection: Connection, event_ids: list[int]) -> None:
    """Remove the deliveries of these events, with their attempts, whatever their state."""
    if not event_ids:
        return
    query = text(f"SELECT id FROM deliveries WHERE event_id IN ({_numbers(event_ids)})")
    ids = [row[0] for row in connection.execute(query)]
    _delete(connection, "attempts", "delivery_id", ids)
    _delete(connection, "deliveries", "id", ids)


def _delete(connection: Connection, table: str, column: str, ids: list[int]) -> None:
    if ids:
        connection.execute(text(f"DELETE FROM {table} WHERE {column} IN ({_numbers(ids)})"))


def _numbers(ids: list[int]) -> str:
    # Numbers from our own tables: thousands of parameters would pass SQLite's limit.
    return ", ".join(str(int(each)) for each in ids)
