"""The steps of housekeeping: end, cancel and remove rows in small batches, behind the traffic."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection

from sqlalchemy import Connection, Engine, text

from webhookproxy.database.clock import seconds_now
from webhookproxy.database.fence import WHOLE, Fence, Share
from webhookproxy.database.store import Store
from webhookproxy.housekeeping.audit import has_entries_before, purge_entries
from webhookproxy.housekeeping.deleted import Deleted
from webhookproxy.housekeeping.disk_space import DiskSpace
from webhookproxy.housekeeping.purge import BATCH, Purge, ignore_ids
from webhookproxy.housekeeping.retention import Retention
from webhookproxy.housekeeping.waiting import LaneLimits, Waiting

logger = logging.getLogger(__name__)

CHANGES_KEPT = 10_000
PAUSE_BUSY = 0.05
# While events are passed over that stay: their deliveries wait.
PAUSE_PASSING = 0.5
PAUSE_IDLE = 5.0
_DAY_MS = 24 * 3_600_000
# A wall clock that goes ahead by more than this beside the steady one is looked at again after
# SECOND_LOOK, both in seconds: what was removed by a clock that went wrong never comes back.
JUMP = 3_600.0
SECOND_LOOK = 900.0


# What is due by its age alone has no place here.
_CONCERNED = text(
    "SELECT id FROM companies WHERE deleted_at IS NOT NULL UNION SELECT company_id FROM webhooks"
    " WHERE deleted_at IS NOT NULL OR discard_until IS NOT NULL"
)


class Housekeeping:
    """One step at a time; `pause` is the seconds until the next."""

    def __init__(
        self,
        store: Store,
        reading: Engine,
        lane: Callable[[int], LaneLimits | None],
        retention_days: int,
        unwanted_hours: int,
        clock: Callable[[], float] = seconds_now,
        audit_days: int = 365,
        max_data_bytes: int = 0,
        gone: Callable[[list[int]], None] = ignore_ids,
        fence: Callable[[], Fence | None] = lambda: None,
        share: Share = WHOLE,
    ) -> None:
        self._share = share
        self.pause = PAUSE_IDLE
        self._store = store
        self._reading = reading
        self._audit_ms = audit_days * _DAY_MS
        self._clock = clock
        self._ahead = clock() - time.monotonic()
        self._trusted_from = 0.0
        self._purge = Purge(store, gone)
        self._deleted = Deleted(
            store, reading, self._purge, lambda each: lane(each) is not None, fence, share
        )
        self._waiting = Waiting(store, reading, lane, share)
        self._space = DiskSpace(store, reading, self._purge, max_data_bytes)
        self._retention = Retention(store, reading, self._purge, retention_days, unwanted_hours)

    def step(self) -> bool:
        """Do one batch of each kind; return whether more may be waiting."""
        now_ms, removed = round(self._clock() * 1000), self._purge.removed
        did = self._deleted.step(now_ms)
        did = self._waiting.discard(now_ms) or did
        # What has no company, and events of any age, only the owner of the first share looks at.
        is_first = self._share.is_first
        did = (is_first and self._space.step()) or did
        passed = False
        if self._clock_is_steady():
            did = self._waiting.expire(now_ms) or did
            did = (is_first and self._purge_audit(now_ms)) or did
            passed = is_first and self._retention.step(now_ms)
        if did or self._purge.removed > removed:
            self.pause = PAUSE_BUSY
        else:
            self.pause = PAUSE_PASSING if passed else PAUSE_IDLE
        if is_first and not did and not passed:
            self._purge.end_pass()
            self._store.run(_forget_changes)
        return did or passed

    def concerned(self) -> Collection[int]:
        """Return the companies, of all shares, of which something is deleted or discarded."""
        with self._reading.connect() as connection:
            return set(connection.execute(_CONCERNED).scalars())

    def _clock_is_steady(self) -> bool:
        """Return whether ages can be told; a clock that jumped ahead may go back."""
        ahead = self._clock() - time.monotonic()
        if ahead - self._ahead > JUMP:
            logger.warning(
                "the clock went ahead by %.1f hours: nothing expires or is removed by its age for"
                " %d minutes",
                (ahead - self._ahead) / 3_600,
                SECOND_LOOK // 60,
            )
            self._trusted_from = time.monotonic() + SECOND_LOOK
        self._ahead = ahead
        return time.monotonic() >= self._trusted_from

    def _purge_audit(self, now_ms: int) -> bool:
        old = now_ms - self._audit_ms
        with self._reading.connect() as connection:
            if not has_entries_before(connection, old):
                return False
        return self._store.run(lambda connection: purge_entries(connection, old, BATCH)) > 0


def _forget_changes(connection: Connection) -> None:
    """Remove all but the last changes: a server reads them twice a second."""
    query = "DELETE FROM changes WHERE number <= (SELECT MAX(number) FROM revision) - :kept"
    connection.execute(text(query), {"kept": CHANGES_KEPT})
