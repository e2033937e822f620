"""A database of open rows in memory, for the tests of the window."""

from __future__ import annotations

from dataclasses import replace

from webhookproxy.delivery.outcomes.retry import classify
from webhookproxy.delivery.waiting.backlog import NEWEST
from webhookproxy.delivery.waiting.rows import Heads, Row
from webhookproxy.delivery.waiting.stock import STOCK_CHARS, Budget
from webhookproxy.delivery.waiting.window import Window
from webhookproxy.models.deliveries.tables import Due, Facts

NOW_MS = 1_700_000_000_000
FACTS = Facts("evt_1", 1, "call-was-created", "{}", "sid", "abcd…wxyz", NOW_MS)


class Table:
    """Open rows by their number; every read is counted."""

    def __init__(self) -> None:
        self.open: dict[int, Due] = {}
        # The last answer's status, where there was one.
        self.statuses: dict[int, int] = {}
        self.newest = 0
        self.reads = 0

    def add(self, key: str, due_ms: int | None = None) -> Due:
        """A row that was just committed."""
        self.newest += 1
        due = Due(self.newest, 1, key, 0, 0, NOW_MS, None, due_ms, FACTS)
        self.open[due.id] = due
        return due

    def resend(self, due: Due) -> None:
        """Commit that a row which had ended is to be sent again."""
        self.open[due.id] = replace(due, tries=0, due_ms=None)
        self.open = dict(sorted(self.open.items()))

    def end(self, delivery_id: int) -> None:
        """Commit that a row ended."""
        self.open.pop(delivery_id, None)

    def retry_at(self, delivery_id: int, due_ms: int | None) -> None:
        """Commit that a row failed, or (None) is to be tried at once."""
        self.open[delivery_id] = replace(self.open[delivery_id], due_ms=due_ms)

    def after(self, delivery_id: int, limit: int) -> list[Row]:
        self.reads += 1
        return [self.row(due) for due in self.open.values() if due.id > delivery_id][:limit]

    def of_key(self, key: str, after: int, upto: int, limit: int) -> list[Row]:
        self.reads += 1
        rows = self.open.values()
        found = [row for row in rows if row.order_key == key and after < row.id <= upto]
        return [self.row(due) for due in found[:limit]]

    def heads(self, after: str | None, limit: int) -> Heads:
        self.reads += 1
        heads = {due.order_key: due for due in reversed(self.open.values())}
        keys = sorted(key for key in heads if after is None or key > after)
        last = keys[limit - 1] if len(keys) >= limit else None
        return Heads([self.row(heads[key]) for key in keys[:limit]], last)

    def highest(self) -> int:
        self.reads += 1
        return max(self.open, default=0)

    def newest_heads(self, before: int) -> list[Row]:
        self.reads += 1
        newest = [row for row in self.heads(None, 10_000).rows if row.id < before]
        return sorted(newest, reverse=True)[:NEWEST]

    def load(self, ids: list[int]) -> list[Due]:
        self.reads += 1
        return [self.open[each] for each in sorted(ids) if each in self.open]

    def one(self, delivery_id: int) -> Due | None:
        self.reads += 1
        return self.open.get(delivery_id)

    def row(self, due: Due) -> Row:
        """A row as the database would give it."""
        status = self.statuses.get(due.id)
        reason = "" if status is None else classify(status)[1].value
        return Row(due.id, due.order_key, due.due_ms, due.tries, reason, status)


class Bench:
    """A window over a table, with a clock that is moved by hand."""

    def __init__(self, *, strict: bool = False, chars: int = STOCK_CHARS) -> None:
        self.table = Table()
        self.budget = Budget(chars)
        self.window = Window(self.table, self.budget, strict=strict)
        self.now = 100.0
        # A lane begins with a look into the database.
        self.next()
        self.table.reads = 0

    @property
    def now_ms(self) -> int:
        return NOW_MS + round(self.now * 1000)

    def arrive(self, keys: str) -> list[Due]:
        """One row for each letter, committed and offered."""
        dues = [self.table.add(key) for key in keys]
        for due in dues:
            self.window.offer(due)
        return dues

    def store(self, keys: str) -> None:
        """One row for each letter, only in the database: what a window begins with."""
        dues = [self.table.add(key) for key in keys]
        self.window.offer(dues[-1])
        self.window.ask_reset(forgive=False)

    def next(self) -> Due | None:
        return self.window.next(self.now, self.now_ms)

    def take(self) -> list[Due]:
        """All that may be sent now."""
        taken = []
        while (due := self.next()) is not None:
            taken.append(due)
        return taken

    def end(self, due: Due, *, settle: bool = True) -> None:
        """A row ended; with `settle` its result is committed at once."""
        self.window.release(due, self.now, self.now_ms)
        if settle:
            self.commit_end(due)

    def commit_end(self, due: Due) -> None:
        self.table.end(due.id)
        self.window.settle(due.id)

    def fail(self, due: Due, seconds: float, *, settle: bool = True, kept: bool = False) -> None:
        """Let a row fail, to be tried again after `seconds`."""
        at = self.now + seconds
        self.window.hold(due, at, kept=kept)
        if settle:
            self.table.retry_at(due.id, NOW_MS + round(at * 1000))
            self.window.settle(due.id)

    def drain(self, most: int = 100_000) -> list[Due]:
        """Send everything that is ready, one after the other; what was sent, in order."""
        sent: list[Due] = []
        while (due := self.next()) is not None:
            sent.append(due)
            self.end(due)
            assert len(sent) <= most
        return sent


def ids(dues: list[Due]) -> list[int]:
    """The numbers of rows."""
    return [due.id for due in dues]
