"""Reads what is due from the database: the lanes' way to rows that are not in memory."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, TextClause, text

from webhookproxy.models.deliveries import DUE_COLUMNS, DUE_TABLES, OPEN, Due, due_from_row

_OPEN = f"d.{OPEN}"
_MINE = f"SELECT {DUE_COLUMNS} FROM {DUE_TABLES} WHERE d.webhook_id = :webhook AND {_OPEN}"

_AFTER = text(f"{_MINE} AND d.id > :after ORDER BY d.id LIMIT :limit")
_OF_KEY = text(
    f"{_MINE} AND d.order_key = :key AND d.id > :after AND d.id <= :upto ORDER BY d.id LIMIT :limit"
)
_ONE = text(f"{_MINE} AND d.id = :id")
# A probe must be the first of its key that has not ended: a later one would overtake it.
_HEAD_AFTER = text(
    f"{_MINE} AND d.id > :after AND NOT EXISTS (SELECT 1 FROM deliveries p"
    f" WHERE p.webhook_id = d.webhook_id AND p.order_key = d.order_key AND p.id < d.id"
    f" AND p.{OPEN}) ORDER BY d.id LIMIT 1"
)
_HIGHEST = text("SELECT COALESCE(MAX(id), 0) FROM deliveries")


class Backlog:
    """The deliveries of one webhook that have not ended, oldest first."""

    def __init__(self, engine: Engine, webhook_id: int) -> None:
        self._engine = engine
        self._webhook_id = webhook_id

    def after(self, delivery_id: int, limit: int) -> list[Due]:
        """The next rows after one."""
        return self._read(_AFTER, after=delivery_id, limit=limit)

    def of_key(self, key: str, after: int, upto: int, limit: int) -> list[Due]:
        """The next rows of an ordering key, after one row and no later than another."""
        return self._read(_OF_KEY, key=key, after=after, upto=upto, limit=limit)

    def one(self, delivery_id: int) -> Due | None:
        """One row; None if it has ended."""
        found = self._read(_ONE, id=delivery_id)
        return found[0] if found else None

    def head_after(self, delivery_id: int, *, strict: bool) -> Due | None:
        """The first row after one that is the first of its key, or else the first such of all.

        In strict order there is but one key, so a row that overtakes is what was asked for.
        """
        for after in (delivery_id, 0):
            rows = self.after(after, 1) if strict else self._read(_HEAD_AFTER, after=after)
            if rows:
                return rows[0]
        return None

    def highest(self) -> int:
        """The number of the newest delivery of all webhooks."""
        with self._engine.connect() as connection:
            return int(connection.execute(_HIGHEST).scalar_one())

    def _read(self, query: TextClause, **values: Any) -> list[Due]:
        with self._engine.connect() as connection:
            rows = connection.execute(query, {"webhook": self._webhook_id, **values})
            return [due_from_row(row) for row in rows]
