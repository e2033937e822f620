"""Who owns a share of the shards: one process at a time, and how the next one takes over."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from functools import partial
from uuid import uuid4

from sqlalchemy import Connection, text

from webhookproxy.database.bulk import numbers
from webhookproxy.database.clock import database_clock
from webhookproxy.database.fence import WHOLE, Fence, Share, take
from webhookproxy.database.ownership.locks import Lock
from webhookproxy.database.schema import is_current
from webhookproxy.database.store import Store, StoreUnavailable

# An owner whose heartbeat is older than this counts as dead; no connection is shown as connected.
HEARTBEAT_MS = 10_000


def name_of_this_process() -> str:
    """Return a new name for this process, which no other process has."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex[:12]}"


class SchemaBehind(StoreUnavailable):
    """The schema is older than this program: it waits until `flask db upgrade` was run."""


class Ownership:
    """The leases of a share, and the fence that keeps a former owner from writing."""

    def __init__(
        self, store: Store, lock: Lock, share: Share = WHOLE, holder: str | None = None
    ) -> None:
        self._store = store
        self._lock = lock
        self._share = share
        # The name of this process among those of the installation.
        self.holder = holder or name_of_this_process()
        self.fence: Fence | None = None
        # The shards that no other process has owned since this one last did.
        self.continued: frozenset[int] = frozenset()

    def take(self) -> bool:
        """Become the owner if no process is; return whether this process owns the share now."""
        if not self._lock.take():
            return False
        if self.fence is None:
            try:
                if not self._store.run(is_current):
                    raise SchemaBehind
                taking = partial(take, share=self._share, holder=self.holder)
                self.fence, self.continued = self._store.run(taking)
            except Exception:
                self._lock.free()
                raise
        return True

    def held(self) -> bool:
        """Return whether this process is still the owner; never waits for a writer."""
        if self.fence is None or not self._lock.held():
            self.fence = None
            return False
        return True

    def is_cut(self) -> bool:
        """Return whether the lock seems to be lost, which `held` then finds out."""
        return self.fence is not None and self._lock.is_cut()

    def write(self, failing_since: float | None = None) -> None:
        """Write that the owner lives.

        `failing_since`: the wall second since which it cannot store events; None if it can.

        Raises StoreUnavailable: a database that takes no writes does not end ownership, as the
        lock still keeps others out. Raises Fenced if another process is the owner.
        """
        since_ms = None if failing_since is None else round(failing_since * 1000)
        if (fence := self.fence) is None:
            return
        beat = partial(_beat, shards=fence.numbers, failing_since_ms=since_ms)
        self._store.run(beat, fence=fence)

    def beat(self, failing_since: float | None = None) -> bool:
        """Write that the owner lives; return False if this process is not the owner."""
        if not self.held():
            return False
        self.write(failing_since)
        return True

    def release(self) -> None:
        """Let another process become the owner at once."""
        self.fence = None
        self._lock.free()


def _beat(connection: Connection, *, shards: Iterable[int], failing_since_ms: int | None) -> None:
    clock = database_clock(connection.dialect.name)
    statement = f"UPDATE leases SET heartbeat_at = {clock}, failing_since = :since"
    owned = numbers(sorted(shards))
    connection.execute(text(f"{statement} WHERE shard IN ({owned})"), {"since": failing_since_ms})
