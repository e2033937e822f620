"""The steps of housekeeping: end, cancel and remove rows in small batches, behind the traffic."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from webhookproxy.database.store import Store
from webhookproxy.housekeeping.disk_space import DiskSpace
from webhookproxy.housekeeping.purge import BATCH, Purge, ignore_ids, remove_rows
from webhookproxy.housekeeping.retention import Retention
from webhookproxy.models.audit import has_entries_before, purge_entries
from webhookproxy.models.deliveries.tables import OPEN, end_deliveries
from webhookproxy.models.installation.changes import note_change
from webhookproxy.reasons import DeliveryReason, DeliveryState

CHANGES_KEPT = 10_000
PAUSE_BUSY = 0.05
PAUSE_IDLE = 5.0
_HOUR_MS = 3_600_000
# Later than any `born_ms`.
_ANY_AGE = 1 << 62

_DELETED_WEBHOOKS = text(
    "SELECT w.id, c.deleted_at IS NOT NULL FROM webhooks w JOIN companies c ON c.id = w.company_id"
    " WHERE w.deleted_at IS NOT NULL OR c.deleted_at IS NOT NULL ORDER BY w.id LIMIT 100"
)
_DELETED_COMPANIES = text(
    "SELECT id FROM companies c WHERE deleted_at IS NOT NULL AND NOT EXISTS"
    " (SELECT 1 FROM webhooks w WHERE w.company_id = c.id) ORDER BY id LIMIT 100"
)
_OPEN_WEBHOOKS = text(
    "SELECT h.webhook_id FROM webhook_health h JOIN webhooks w ON w.id = h.webhook_id"
    " WHERE w.deleted_at IS NULL AND w.discard_until IS NULL AND"
    " h.created > h.delivered + h.refused + h.expired + h.cancelled + h.simulated"
)
_DISCARDING = text(
    "SELECT w.id, w.discard_until FROM webhooks w JOIN companies c ON c.id = w.company_id"
    " WHERE w.discard_until IS NOT NULL AND w.deleted_at IS NULL AND c.deleted_at IS NULL"
)
# Without a new version: the webhook's settings and its circuit do not change.
_DISCARDED_ALL = text(
    "UPDATE webhooks SET discard_until = NULL WHERE id = :id AND discard_until = :until"
    " RETURNING company_id"
)
_COMPANYS_EVENTS = text(
    "SELECT id FROM events WHERE company_id = :company ORDER BY id LIMIT :batch"
)


class LaneLimits(Protocol):
    """The questions of housekeeping to a lane."""

    def age_limit(self) -> int: ...
    def busy(self, delivery_id: int) -> bool: ...


class Housekeeping:
    """One step at a time; `pause` is the seconds until the next."""

    def __init__(
        self,
        store: Store,
        reading: Engine,
        lane: Callable[[int], LaneLimits | None],
        retention_days: int,
        unwanted_hours: int,
        clock: Callable[[], float] = time.time,
        audit_days: int = 365,
        max_data_bytes: int = 0,
        gone: Callable[[list[int]], None] = ignore_ids,
    ) -> None:
        self.pause = PAUSE_IDLE
        self._store = store
        self._reading = reading
        self._lane = lane
        self._audit_ms = audit_days * 24 * _HOUR_MS
        self._clock = clock
        self._purge = Purge(store, gone)
        self._disk_space = DiskSpace(store, reading, self._purge, max_data_bytes)
        self._retention = Retention(store, reading, self._purge, retention_days, unwanted_hours)

    def step(self) -> bool:
        """Do one batch of each kind. Return whether any did something, so there may be more."""
        did = self._end_deleted()
        did = self._discard() or did
        did = self._expire() or did
        did = self._retention.step(self._now_ms()) or did
        did = self._disk_space.step() or did
        did = self._purge_audit() or did
        if not did:
            self._purge.end_pass()
            self._store.run(_forget_changes)
        self.pause = PAUSE_BUSY if did else PAUSE_IDLE
        return did

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)

    def _end_deleted(self) -> bool:
        """Cancel waiting deliveries of deleted webhooks, then remove these and their companies."""
        with self._reading.connect() as connection:
            webhooks = [(row[0], bool(row[1])) for row in connection.execute(_DELETED_WEBHOOKS)]
            companies = [row[0] for row in connection.execute(_DELETED_COMPANIES)]
        did = False
        for webhook_id, with_company in webhooks:
            if self._lane(webhook_id) is None:
                did = self._end_webhook(webhook_id, with_company=with_company) or did
        for company_id in companies:
            did = self._end_company(company_id) or did
        return did

    def _end_webhook(self, webhook_id: int, *, with_company: bool) -> bool:
        reason = DeliveryReason.COMPANY_DELETED if with_company else DeliveryReason.WEBHOOK_DELETED
        now_ms = self._now_ms()

        def job(connection: Connection) -> bool:
            # Deliveries of any age end with their webhook.
            ids = _overdue(connection, webhook_id, _ANY_AGE)
            state = DeliveryState.CANCELLED
            if not end_deliveries(connection, webhook_id, ids, state, reason, now_ms):
                _run(connection, "DELETE FROM webhook_health WHERE webhook_id = :id", webhook_id)
                _run(connection, "DELETE FROM webhooks WHERE id = :id", webhook_id)
            return True

        return self._store.run(job)

    def _end_company(self, company_id: int) -> bool:
        with self._reading.connect() as connection:
            given = {"company": company_id, "batch": BATCH}
            ids = [row[0] for row in connection.execute(_COMPANYS_EVENTS, given)]
        if ids:
            return self._purge.remove(ids, due_too=True) > 0

        def job(connection: Connection) -> bool:
            where = f"company_id = {int(company_id)}"
            for table in ("hourly_events", "gaps"):
                if remove_rows(connection, table=table, where=where) == BATCH:
                    return True
            for table in ("connections", "grants"):
                _run(connection, f"DELETE FROM {table} WHERE company_id = :id", company_id)
            _run(connection, "DELETE FROM companies WHERE id = :id", company_id)
            return True

        return self._store.run(job)

    def _discard(self) -> bool:
        """Cancel the deliveries that waited for webhooks which were resumed without them."""
        with self._reading.connect() as connection:
            webhooks = [(row[0], row[1]) for row in connection.execute(_DISCARDING)]
        did = False
        for webhook_id, until in webhooks:
            lane = self._lane(webhook_id)
            if lane is not None:
                did = self._discard_batch(webhook_id, until, lane) or did
        return did

    def _discard_batch(self, webhook_id: int, until: int, lane: LaneLimits) -> bool:
        with self._reading.connect() as connection:
            waiting = _waiting(connection, webhook_id, until)
        # A delivery that is being sent ends by itself.
        ids, now_ms = [each for each in waiting if not lane.busy(each)], self._now_ms()
        if waiting and not ids:
            return False

        def job(session: Session) -> None:
            state, reason = DeliveryState.CANCELLED, DeliveryReason.DISCARDED
            end_deliveries(session.connection(), webhook_id, ids, state, reason, now_ms)
            if not waiting:
                values = {"id": webhook_id, "until": until}
                if company_id := session.execute(_DISCARDED_ALL, values).scalar():
                    note_change(session, company_id)

        self._store.session(job)
        return True

    def _expire(self) -> bool:
        """End deliveries that waited longer than their webhook allows."""
        with self._reading.connect() as connection:
            webhooks = [row[0] for row in connection.execute(_OPEN_WEBHOOKS)]
        did = False
        for webhook_id in webhooks:
            lane = self._lane(webhook_id)
            if lane is not None:
                did = self._expire_webhook(webhook_id, lane) or did
        return did

    def _expire_webhook(self, webhook_id: int, lane: LaneLimits) -> bool:
        limit_ms, now_ms = lane.age_limit(), self._now_ms()
        state, reason = DeliveryState.EXPIRED, DeliveryReason.MAX_AGE
        with self._reading.connect() as connection:
            due = _overdue(connection, webhook_id, limit_ms)
        # A delivery that is being sent ends by itself.
        ids = [each for each in due if not lane.busy(each)]
        if not ids:
            return False

        def job(connection: Connection) -> bool:
            ended = end_deliveries(connection, webhook_id, ids, state, reason, now_ms)
            return ended > 0

        return self._store.run(job)

    def _purge_audit(self) -> bool:
        old = self._now_ms() - self._audit_ms
        with self._reading.connect() as connection:
            if not has_entries_before(connection, old):
                return False
        return self._store.run(lambda connection: purge_entries(connection, old, BATCH)) > 0


def _forget_changes(connection: Connection) -> None:
    """Remove all but the last changes: a server reads them twice a second."""
    query = "DELETE FROM changes WHERE number <= (SELECT MAX(number) FROM revision) - :kept"
    connection.execute(text(query), {"kept": CHANGES_KEPT})


def _run(connection: Connection, statement: str, row_id: int) -> None:
    connection.execute(text(statement), {"id": row_id})


def _overdue(connection: Connection, webhook_id: int, limit_ms: int) -> list[int]:
    query = text(
        f"SELECT id FROM deliveries WHERE webhook_id = :webhook AND {OPEN}"
        " AND born_ms < :limit ORDER BY id LIMIT :batch"
    )
    values = {"webhook": webhook_id, "limit": limit_ms, "batch": BATCH}
    return [row[0] for row in connection.execute(query, values)]


def _waiting(connection: Connection, webhook_id: int, upto: int) -> list[int]:
    query = text(
        f"SELECT id FROM deliveries WHERE webhook_id = :webhook AND {OPEN}"
        " AND id <= :upto ORDER BY id LIMIT :batch"
    )
    values = {"webhook": webhook_id, "upto": upto, "batch": BATCH}
    return [row[0] for row in connection.execute(query, values)]
