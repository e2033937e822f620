"""Reads what is due from the database: the lanes' way to rows that are not in memory."""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import Engine, TextClause, text

from webhookproxy.models.deliveries.tables import DUE_COLUMNS, DUE_TABLES, OPEN, Due, due_from_row

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
    f" AND p.id > :discarded AND p.{OPEN}) ORDER BY d.id LIMIT 1"
)
_HIGHEST = text("SELECT COALESCE(MAX(id), 0) FROM deliveries")


class Rows(Protocol):
    """Where the window reads rows that are not in memory."""

    def after(self, delivery_id: int, limit: int) -> list[Due]: ...
    def of_key(self, key: str, after: int, upto: int, limit: int) -> list[Due]: ...
    def one(self, delivery_id: int) -> Due | None: ...


class Backlog:
    """The deliveries of one webhook that have not ended, oldest first.

    Rows up to `discard_until` are to be discarded and are not among them.
    """

    def __init__(self, engine: Engine, webhook_id: int) -> None:
        self.discard_until = 0
        self._engine = engine
        self._webhook_id = webhook_id

    def after(self, delivery_id: int, limit: int) -> list[Due]:
        """The next rows after one."""
        return self._read(_AFTER, after=max(delivery_id, self.discard_until), limit=limit)

    def of_key(self, key: str, after: int, upto: int, limit: int) -> list[Due]:
        """The next rows of an ordering key, after one row and no later than another."""
        after = max(after, self.discard_until)
        return self._read(_OF_KEY, key=key, after=after, upto=upto, limit=limit)

    def one(self, delivery_id: int) -> Due | None:
        """One row; None if it has ended."""
        if delivery_id <= self.discard_until:
            return None
        found = self._read(_ONE, id=delivery_id)
        return found[0] if found else None

    def head_after(self, delivery_id: int, *, strict: bool) -> Due | None:
        """The first row after one that is the first of its key, or else the first such of all.

        In strict order there is but one key, so a row that overtakes is what was asked for.
        """
        for after in (max(delivery_id, self.discard_until), self.discard_until):
            rows = self.after(after, 1) if strict else self._heads(after)
            if rows:
                return rows[0]
        return None

    def head_before(self, due: Due, *, strict: bool) -> Due | None:
        """The row of the same key that is to be sent first: an earlier one, or else this one.

        None if all of them have ended. In strict order there is but one key.
        """
        rows = self.after(0, 1) if strict else self.of_key(due.order_key, 0, due.id, 1)
        return rows[0] if rows else None

    def highest(self) -> int:
        """The number of the newest delivery of all webhooks."""
        with self._engine.connect() as connection:
            return int(connection.execute(_HIGHEST).scalar_one())

    def _heads(self, after: int) -> list[Due]:
        return self._read(_HEAD_AFTER, after=after, discarded=self.discard_until)

    def _read(self, query: TextClause, **values: Any) -> list[Due]:
        with self._engine.connect() as connection:
            rows = connection.execute(query, {"webhook": self._webhook_id, **values})
            return [due_from_row(row) for row in rows]
