"""Ends deliveries that wait: those that are to be discarded, and those that waited too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import gevent
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from webhookproxy.database.fence import WHOLE, Share
from webhookproxy.database.store import Store
from webhookproxy.housekeeping import purge
from webhookproxy.models.deliveries.tables import OPEN, end_deliveries
from webhookproxy.models.installation.changes import note_change
from webhookproxy.reasons import DeliveryReason, DeliveryState

_OPEN_WEBHOOKS = (
    "SELECT h.webhook_id FROM webhook_health h JOIN webhooks w ON w.id = h.webhook_id"
    " WHERE w.deleted_at IS NULL AND w.discard_until IS NULL AND"
    " h.created > h.delivered + h.refused + h.expired + h.cancelled + h.simulated"
)
_DISCARDING = (
    "SELECT w.id, w.discard_until FROM webhooks w JOIN companies c ON c.id = w.company_id"
    " WHERE w.discard_until IS NOT NULL AND w.deleted_at IS NULL AND c.deleted_at IS NULL"
)
# Without a new version: the webhook's settings and its circuit do not change.
_DISCARDED_ALL = text(
    "UPDATE webhooks SET discard_until = NULL WHERE id = :id AND discard_until = :until"
    " RETURNING company_id"
)
_OLDEST = text(
    f"SELECT id, born_ms FROM deliveries WHERE webhook_id = :webhook AND {OPEN}"
    " AND id > :after AND id <= :upto ORDER BY id LIMIT :batch"
)
_NEWEST = 1 << 62


class LaneLimits(Protocol):
    """The questions of housekeeping to a lane."""

    def age_limit(self) -> int: ...
    def busy(self, delivery_id: int) -> bool: ...


class Waiting:
    """One step at a time; what is being sent at that moment ends by itself."""

    def __init__(
        self,
        store: Store,
        reading: Engine,
        lane: Callable[[int], LaneLimits | None],
        share: Share = WHOLE,
    ) -> None:
        where = share.where("w.company_id")
        self._discarding, self._open = text(_DISCARDING + where), text(_OPEN_WEBHOOKS + where)
        self._store = store
        self._reading = reading
        self._lane = lane
        # Up to which row of a webhook none is too old, in this round.
        self._seen: dict[int, int] = {}

    def discard(self, now_ms: int) -> bool:
        """Cancel some deliveries that waited for webhooks which were resumed without them."""
        with self._reading.connect() as connection:
            webhooks = [(row[0], row[1]) for row in connection.execute(self._discarding)]
        did = False
        for webhook_id, until in webhooks:
            lane = self._lane(webhook_id)
            if lane is not None:
                did = self._discard_batch(webhook_id, until, lane, now_ms) or did
            gevent.sleep(0)
        return did

    def expire(self, now_ms: int) -> bool:
        """End some deliveries that waited longer than their webhook allows."""
        with self._reading.connect() as connection:
            webhooks = [row[0] for row in connection.execute(self._open)]
        self._seen = {each: self._seen.get(each, 0) for each in webhooks}
        did = False
        for webhook_id in webhooks:
            lane = self._lane(webhook_id)
            if lane is not None:
                did = self._expire_batch(webhook_id, lane, now_ms) or did
            # There may be thousands of webhooks, and SQLite's answers come without a pause.
            gevent.sleep(0)
        return did

    def _discard_batch(self, webhook_id: int, until: int, lane: LaneLimits, now_ms: int) -> bool:
        with self._reading.connect() as connection:
            waiting = [row[0] for row in _oldest(connection, webhook_id, upto=until)]
        ids = [each for each in waiting if not lane.busy(each)]
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

    def _expire_batch(self, webhook_id: int, lane: LaneLimits, now_ms: int) -> bool:
        ids = [each for each in self._overdue(webhook_id, lane.age_limit()) if not lane.busy(each)]
        if not ids:
            return False
        state, reason = DeliveryState.EXPIRED, DeliveryReason.MAX_AGE

        def job(connection: Connection) -> bool:
            ended = end_deliveries(connection, webhook_id, ids, state, reason, now_ms)
            return ended > 0

        return self._store.run(job)

    def _overdue(self, webhook_id: int, limit_ms: int) -> list[int]:
        """Return deliveries that are too old, of the oldest ones or of some that come later.

        Rows are nearly in the order of their age, so the first ones tell. A resend is young again
        under its old number, and hides what comes after it: a slow walk finds that.
        """
        with self._reading.connect() as connection:
            for after in (0, self._seen.get(webhook_id, 0)):
                rows = _oldest(connection, webhook_id, after=after)
                overdue = [row_id for row_id, born_ms in rows if born_ms < limit_ms]
                if overdue:
                    return overdue
        self._seen[webhook_id] = rows[-1][0] if len(rows) == purge.BATCH else 0
        return []


def _oldest(
    connection: Connection, webhook_id: int, *, after: int = 0, upto: int = _NEWEST
) -> list[tuple[int, int]]:
    """Return the number and the birth of some open deliveries of a webhook."""
    values = {"webhook": webhook_id, "after": after, "upto": upto, "batch": purge.BATCH}
    return [(row[0], row[1]) for row in connection.execute(_OLDEST, values)]
