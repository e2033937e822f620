"""Removes deleted webhooks and companies, with all that belongs to them."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Engine, text

from webhookproxy.database.fence import WHOLE, Fence, Share, part_of
from webhookproxy.database.store import Store
from webhookproxy.housekeeping import purge
from webhookproxy.housekeeping.purge import Purge, remove_rows
from webhookproxy.models.deliveries.tables import OPEN, end_deliveries
from webhookproxy.reasons import DeliveryReason, DeliveryState

# Webhooks with open deliveries that one step looks up.
LOOKED_UP = 20

_DELETED_WEBHOOKS = (
    "SELECT w.id, c.id, c.deleted_at IS NOT NULL FROM webhooks w"
    " JOIN companies c ON c.id = w.company_id"
    " WHERE (w.deleted_at IS NOT NULL OR c.deleted_at IS NOT NULL){share} ORDER BY w.id LIMIT 100"
)
_DELETED_COMPANIES = (
    "SELECT id FROM companies c WHERE deleted_at IS NOT NULL AND NOT EXISTS"
    " (SELECT 1 FROM webhooks w WHERE w.company_id = c.id){share} ORDER BY id LIMIT 100"
)
_COMPANYS_EVENTS = text(
    "SELECT id FROM events WHERE company_id = :company ORDER BY id LIMIT :batch"
)
_OPEN_IDS = text(
    f"SELECT id FROM deliveries WHERE webhook_id = :webhook AND {OPEN} ORDER BY id LIMIT :batch"
)
_NEXT_OPEN = text(f"SELECT MIN(webhook_id) FROM deliveries WHERE {OPEN} AND webhook_id > :after")
_EXISTS = text("SELECT 1 FROM webhooks WHERE id = :id")
# Tables that may have many rows of a company: they are removed a batch at a time.
_MANY_OF_COMPANY = (
    "hourly_events",
    "gaps",
    "call_histories",
    "recoveries",
    "day_comparisons",
    "recording_links",
)


class Deleted:
    """One step at a time: first cancels what waits, then removes the rows."""

    def __init__(
        self,
        store: Store,
        reading: Engine,
        remover: Purge,
        has_lane: Callable[[int], bool],
        fence: Callable[[], Fence | None],
        share: Share = WHOLE,
    ) -> None:
        self._store = store
        self._reading = reading
        self._purge = remover
        self._has_lane = has_lane
        # No lane here means no lane anywhere only for the owner: each write is checked.
        self._fence = fence
        self._share = share
        where = share.where("c.id")
        self._webhooks = text(_DELETED_WEBHOOKS.format(share=where))
        self._companies = text(_DELETED_COMPANIES.format(share=where))
        self._looked_up = 0

    def step(self, now_ms: int) -> bool:
        """Remove a batch of each deleted webhook and company; return whether there was any."""
        with self._reading.connect() as connection:
            webhooks = connection.execute(self._webhooks).all()
            companies = [row[0] for row in connection.execute(self._companies)]
            orphan = self._next_orphan(connection) if self._share.is_first else None
        did = False
        for webhook_id, company_id, with_company in webhooks:
            if not self._has_lane(webhook_id):
                gone = DeliveryReason["COMPANY_DELETED" if with_company else "WEBHOOK_DELETED"]
                fence = part_of(self._fence(), (company_id,))
                did = self._end_webhook(webhook_id, gone, now_ms, fence) or did
        if orphan is not None:
            # Whose it was is not known. No process has a lane for it any more.
            gone = DeliveryReason.WEBHOOK_DELETED
            did = self._end_webhook(orphan, gone, now_ms, self._fence()) or did
        for company_id in companies:
            did = self._end_company(company_id) or did
        return did

    def _next_orphan(self, connection: Connection) -> int | None:
        """Return a webhook without a row that has open deliveries.

        Events that waited in memory while the database took none may be stored after it went.
        """
        for _ in range(LOOKED_UP):
            found: int | None = connection.scalar(_NEXT_OPEN, {"after": self._looked_up})
            if found is None:
                self._looked_up = 0
                return None
            if connection.scalar(_EXISTS, {"id": found}) is None:
                return found
            self._looked_up = found
        return None

    def _end_webhook(
        self, webhook_id: int, reason: DeliveryReason, now_ms: int, fence: Fence | None
    ) -> bool:
        def job(connection: Connection) -> bool:
            given = {"webhook": webhook_id, "batch": purge.BATCH}
            ids = [row[0] for row in connection.execute(_OPEN_IDS, given)]
            state = DeliveryState.CANCELLED
            if not end_deliveries(connection, webhook_id, ids, state, reason, now_ms):
                for table, column in (("webhook_health", "webhook_id"), ("webhooks", "id")):
                    _delete(connection, table, column, webhook_id)
            return True

        return self._store.run(job, fence=fence)

    def _end_company(self, company_id: int) -> bool:
        with self._reading.connect() as connection:
            given = {"company": company_id, "batch": purge.BATCH}
            ids = [row[0] for row in connection.execute(_COMPANYS_EVENTS, given)]
        if ids:
            return self._purge.remove(ids, due_too=True) > 0

        def job(connection: Connection) -> bool:
            where = f"company_id = {int(company_id)}"
            for table in _MANY_OF_COMPANY:
                if remove_rows(connection, table=table, where=where) == purge.BATCH:
                    return True
            for table, column in (
                ("connections", "company_id"),
                ("second_sockets", "company_id"),
                ("grants", "company_id"),
                ("companies", "id"),
            ):
                _delete(connection, table, column, company_id)
            return True

        return self._store.run(job, fence=part_of(self._fence(), (company_id,)))


def _delete(connection: Connection, table: str, column: str, row_id: int) -> None:
    connection.execute(text(f"DELETE FROM {table} WHERE {column} = :id"), {"id": row_id})
