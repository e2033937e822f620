"""Reads what is due from the database: the lanes' way to rows that are not in memory.

No read looks at more rows than it returns, however many wait: the indices of what has not ended
lead to them by number and by key. A walk of many reads lets others have the hub in between.
"""

from __future__ import annotations

from typing import Any

import gevent
from sqlalchemy import Engine, TextClause, bindparam, text

from webhookproxy.delivery.waiting.rows import LOAD_CHARS, Heads, Row
from webhookproxy.models.deliveries.tables import DUE_COLUMNS, DUE_TABLES, OPEN, Due, due_from_row

# How many of the newest rows, and of the keys after the last look, a search for a probe looks at.
NEWEST = 64
KEYS_AT_ONCE = 256
KEYS_MAX = 2048

_OPEN = f"d.{OPEN}"
_MINE = f"FROM deliveries d WHERE d.webhook_id = :webhook AND {_OPEN}"
_ROW = "d.id, d.order_key, d.due_ms, d.tries, d.reason, d.status"

_AFTER = text(f"SELECT {_ROW} {_MINE} AND d.id > :after ORDER BY d.id LIMIT :limit")
_OF_KEY = text(
    f"SELECT {_ROW} {_MINE} AND d.order_key = :key AND d.id > :after AND d.id <= :upto"
    " ORDER BY d.id LIMIT :limit"
)
_FIRST_OF_KEY = f"(SELECT MIN(d.id) {_MINE} AND d.order_key = {{key}} AND d.id > :after)"
# Each step is one look into the index of keys: from a key to the next one, and to its first row.
_HEADS = (
    f"WITH RECURSIVE keys (n, k) AS (SELECT 1, (SELECT MIN(d.order_key) {_MINE}"
    f" AND d.order_key {{from_key}}) UNION ALL SELECT n + 1, (SELECT MIN(d.order_key) {_MINE}"
    f" AND d.order_key > keys.k) FROM keys WHERE k IS NOT NULL AND n < :limit)"
    " SELECT h.id, keys.k, h.due_ms, h.tries, h.reason, h.status FROM keys LEFT JOIN deliveries h"
    f" ON h.id = {_FIRST_OF_KEY.format(key='keys.k')} ORDER BY keys.n"
)
_HEADS_FIRST = text(_HEADS.format(from_key=">= ''"))
_HEADS_NEXT = text(_HEADS.format(from_key="> :key"))
# Of the newest rows those that are the first of their key: a later one would overtake.
_NEWEST_HEADS = text(
    f"SELECT r.id, r.order_key, r.due_ms, r.tries, r.reason, r.status FROM (SELECT {_ROW} {_MINE}"
    f" AND d.id < :before ORDER BY d.id DESC LIMIT {NEWEST}) r"
    f" WHERE r.id = {_FIRST_OF_KEY.format(key='r.order_key')} ORDER BY r.id DESC"
)
_LOAD = text(
    f"SELECT {DUE_COLUMNS} FROM {DUE_TABLES} WHERE d.id IN :ids AND {_OPEN} ORDER BY d.id"
).bindparams(bindparam("ids", expanding=True))
_HIGHEST = text(f"SELECT COALESCE(MAX(d.id), 0) {_MINE} AND d.id > :after")


class Backlog:
    """The deliveries of one webhook that have not ended.

    Rows up to `discard_until` are to be discarded and are not among them.
    """

    def __init__(self, engine: Engine, webhook_id: int) -> None:
        self.discard_until = 0
        self._engine = engine
        self._webhook_id = webhook_id

    def after(self, delivery_id: int, limit: int) -> list[Row]:
        """Return the next rows after one."""
        found = self._rows(_AFTER, after=max(delivery_id, self.discard_until), limit=limit)
        gevent.sleep(0)
        return found

    def of_key(self, key: str, after: int, upto: int, limit: int) -> list[Row]:
        """Return the next rows of an ordering key, after one row and up to another."""
        after = max(after, self.discard_until)
        return self._rows(_OF_KEY, key=key, after=after, upto=upto, limit=limit)

    def heads(self, after: str | None, limit: int) -> Heads:
        """Return the first row of each of the next keys after one, or from the first key on."""
        values = {"after": self.discard_until, "limit": limit}
        if after is None:
            found = self._rows(_HEADS_FIRST, **values)
        else:
            found = self._rows(_HEADS_NEXT, key=after, **values)
        gevent.sleep(0)
        # The last key of all is followed by a row without a key.
        last = found[-1].order_key if len(found) == limit else None
        return Heads([row for row in found if row.id is not None], last)

    def load(self, ids: list[int]) -> list[Due]:
        """Return those of these rows that have not ended, with payloads, in order.

        At least the first if it has not ended; of the others as many as fit LOAD_CHARS.
        """
        wanted = [each for each in ids if each > self.discard_until]
        found: list[Due] = []
        chars = 0
        with self._engine.connect() as connection:
            result = connection.execute(_LOAD, {"ids": wanted})
            # One by one: SQLite reads no payload that is not asked for.
            while chars < LOAD_CHARS and (row := result.fetchone()) is not None:
                found.append(due_from_row(row))
                chars += len(found[-1].facts.payload)
            result.close()
        return found

    def one(self, delivery_id: int) -> Due | None:
        """Return one row; None if it has ended."""
        return next(iter(self.load([delivery_id])), None)

    def head_before(self, due: Due, *, strict: bool) -> Due | None:
        """Return the row of the same key that is to be sent first: an earlier one, or this one.

        None if all of them have ended. In strict order there is but one key.
        """
        rows = self.after(0, 1) if strict else self.of_key(due.order_key, 0, due.id, 1)
        return self.one(rows[0].id) if rows else None

    def newest_heads(self, before: int) -> list[Row]:
        """Return those of the newest rows before one that are the first of their key."""
        return self._rows(_NEWEST_HEADS, before=before, after=self.discard_until)

    def highest(self) -> int:
        """Return the number of the newest row; 0 without one."""
        values = {"webhook": self._webhook_id, "after": self.discard_until}
        with self._engine.connect() as connection:
            return int(connection.execute(_HIGHEST, values).scalar_one())

    def _rows(self, query: TextClause, **values: Any) -> list[Row]:
        with self._engine.connect() as connection:
            found = connection.execute(query, {"webhook": self._webhook_id, **values})
            return [Row(*row) for row in found]
