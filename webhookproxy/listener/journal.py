"""Writes a group of events and what is due of them, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from gevent.lock import Semaphore
from sqlalchemy import Connection, text

from webhookproxy.database.bulk import Row, insert_rows, update_rows
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.listener.routes import Arrival, Route
from webhookproxy.models.deliveries.tables import Due, Facts, count_ended
from webhookproxy.models.minutes import EVENTS, MINUTE_MS, count_minutes
from webhookproxy.reasons import DeliveryReason, DeliveryState, EventNote

_HOUR_MS = 3_600_000

_EVENT_COLUMNS = (
    "id",
    "public_id",
    "company_id",
    "name",
    "payload",
    "order_key",
    "socket_id",
    "token_mask",
    "received_ms",
    "hidden",
    "note",
)
_DELIVERY_COLUMNS = (
    "id",
    "event_id",
    "webhook_id",
    "order_key",
    "state",
    "reason",
    "tries",
    "attempts",
    "born_ms",
)
_FILTERED_COLUMNS = (*_DELIVERY_COLUMNS, "ended_ms", "condition")
_CREATED = (
    "WITH v (id, created) AS (VALUES {values}) UPDATE webhook_health"
    " SET created = webhook_health.created + v.created FROM v WHERE webhook_id = v.id"
)
_RECEIVED = (
    "WITH v (id, events, last, malformed) AS (VALUES {values}) UPDATE connections"
    " SET events = connections.events + v.events, last_event_at = v.last,"
    " malformed = connections.malformed + v.malformed FROM v WHERE company_id = v.id"
)


class Reserved(NamedTuple):
    """The first of some numbers for deliveries, and the fence for the write that uses them."""

    first: int
    fence: int


class Journal:
    """Numbers events and deliveries and writes them. Only the owner of the sockets has one."""

    def __init__(self, store: Store) -> None:
        # How many events this process stored since it started.
        self.stored = 0
        self._store = store
        self._event_id = 0
        self._delivery_id = 0
        self._fence = 0
        # Held while numbers are in a write that may still fail.
        self._numbering = Semaphore()
        # Whether a group was perhaps committed: then its numbers are perhaps taken.
        self._is_unsure = False

    def start(self, fence: int) -> None:
        """Go on numbering where the last owner stopped; the fence keeps that one out."""
        with self._numbering:
            self._event_id, self._delivery_id = self._store.run(_last_ids, fence=fence)
            self._fence, self._is_unsure = fence, False

    @contextmanager
    def reserved(self, count: int) -> Iterator[Reserved]:
        """Reserve numbers for deliveries of stored events, for as long as these are written.

        No group is written meanwhile. Numbers of a write that fails are never used: it may have
        been committed. Raises StoreUnavailable while that is not known of a group.
        """
        with self._numbering:
            if self._is_unsure:
                raise StoreUnavailable("a group of events is being written again")
            first = self._delivery_id + 1
            self._delivery_id += count
            yield Reserved(first, self._fence)

    def write(self, arrivals: list[Arrival], fence: int, *, again: bool) -> list[Due]:
        """Commit the events; what is due of them, in order.

        `again`: an earlier try of this very group may have been committed without our hearing of
        it. Raises what the store raises; the numbers are taken only if it was committed.
        """
        with self._numbering:
            try:
                dues = self._write(arrivals, fence, again=again)
            except StoreUnavailable:
                self._is_unsure = True
                raise
            self._is_unsure = False
            return dues

    def _write(self, arrivals: list[Arrival], fence: int, *, again: bool) -> list[Due]:
        event_rows, delivery_rows, filtered_rows, dues = self._rows(arrivals)

        def job(connection: Connection) -> None:
            if again and _known(connection, arrivals[0].public_id):
                return
            insert_rows(connection, "events", _EVENT_COLUMNS, event_rows)
            if delivery_rows:
                insert_rows(connection, "deliveries", _DELIVERY_COLUMNS, delivery_rows)
            if filtered_rows:
                insert_rows(connection, "deliveries", _FILTERED_COLUMNS, filtered_rows)
                _count_filtered(connection, arrivals)
            _count(connection, arrivals)

        self._store.run(job, fence=fence, late=True)
        self.stored += len(event_rows)
        self._event_id += len(event_rows)
        self._delivery_id += len(delivery_rows) + len(filtered_rows)
        return dues

    def _rows(self, arrivals: list[Arrival]) -> tuple[list[Row], list[Row], list[Row], list[Due]]:
        """Events, what is due of them, what was filtered; numbered in the order of the events."""
        event_id, delivery_id = self._event_id, self._delivery_id
        event_rows: list[Row] = []
        delivery_rows: list[Row] = []
        filtered_rows: list[Row] = []
        dues: list[Due] = []
        for arrival in arrivals:
            event_id += 1
            event_rows.append(_event_row(event_id, arrival))
            facts = arrival.facts() if arrival.routes else None
            for route in arrival.routes:
                delivery_id += 1
                born_ms = route.born_ms(arrival.received_ms)
                delivery_rows.append(_delivery_row(delivery_id, event_id, route, arrival, born_ms))
                if facts is not None:
                    dues.append(_due(delivery_id, route, arrival, born_ms, facts))
            for route, condition in arrival.filtered:
                delivery_id += 1
                filtered_rows.append(
                    _filtered_row(delivery_id, event_id, route, arrival, condition)
                )
        return event_rows, delivery_rows, filtered_rows, dues


def _event_row(event_id: int, arrival: Arrival) -> Row:
    event = arrival.event
    return (
        event_id,
        arrival.public_id,
        arrival.company_id,
        event.name,
        event.payload,
        event.order_key,
        arrival.socket_id,
        arrival.token_mask,
        arrival.received_ms,
        min(event.hidden, 32_767),
        None if arrival.note is None else arrival.note.value,
    )


def _delivery_row(
    delivery_id: int, event_id: int, route: Route, arrival: Arrival, born_ms: int
) -> Row:
    return (
        delivery_id,
        event_id,
        route.webhook_id,
        arrival.event.order_key,
        DeliveryState.QUEUED.value,
        DeliveryReason.WAITING_TURN.value,
        0,
        0,
        born_ms,
    )


def _due(delivery_id: int, route: Route, arrival: Arrival, born_ms: int, facts: Facts) -> Due:
    key = arrival.event.order_key
    return Due(delivery_id, route.webhook_id, key, 0, 0, born_ms, None, None, facts)


def _filtered_row(
    delivery_id: int, event_id: int, route: Route, arrival: Arrival, condition: str
) -> Row:
    return (
        delivery_id,
        event_id,
        route.webhook_id,
        arrival.event.order_key,
        DeliveryState.FILTERED.value,
        DeliveryReason.FILTERED_OUT.value,
        0,
        0,
        route.born_ms(arrival.received_ms),
        arrival.received_ms,
        condition,
    )


def _known(connection: Connection, public_id: str) -> bool:
    query = text("SELECT 1 FROM events WHERE public_id = :id")
    return connection.execute(query, {"id": public_id}).first() is not None


def _last_ids(connection: Connection) -> tuple[int, int]:
    query = text(
        "SELECT (SELECT COALESCE(MAX(id), 0) FROM events), last_event_id,"
        " (SELECT COALESCE(MAX(id), 0) FROM deliveries), last_delivery_id"
        " FROM leases WHERE shard = 0"
    )
    event_id, removed_event_id, delivery_id, removed_id = connection.execute(query).one()
    return max(event_id, removed_event_id), max(delivery_id, removed_id)


def _count(connection: Connection, arrivals: list[Arrival]) -> None:
    hours: defaultdict[tuple[int, int, str], int] = defaultdict(int)
    minutes: defaultdict[tuple[int, int, str, int], int] = defaultdict(int)
    created: defaultdict[int, int] = defaultdict(int)
    received: dict[int, list[int]] = {}
    for arrival in arrivals:
        hours[arrival.company_id, arrival.received_ms // _HOUR_MS, arrival.event.name] += 1
        minutes[arrival.company_id, arrival.received_ms // MINUTE_MS, EVENTS, 0] += 1
        counts = received.setdefault(arrival.company_id, [0, 0, 0])
        counts[0] += 1
        counts[1] = arrival.received_ms
        counts[2] += arrival.note is EventNote.UNREADABLE
        for route in arrival.routes:
            created[route.webhook_id] += 1
    insert_rows(
        connection,
        "hourly_events",
        ("company_id", "hour", "name", "count"),
        [(*key, count) for key, count in sorted(hours.items())],
        "ON CONFLICT (company_id, hour, name)"
        " DO UPDATE SET count = hourly_events.count + excluded.count",
    )
    count_minutes(connection, minutes)
    casts = ("BIGINT", "BIGINT", "BIGINT", "BIGINT")
    update_rows(connection, _RECEIVED, casts, [(key, *received[key]) for key in sorted(received)])
    if created:
        update_rows(connection, _CREATED, ("BIGINT", "BIGINT"), sorted(created.items()))


def _count_filtered(connection: Connection, arrivals: list[Arrival]) -> None:
    """Count what was filtered by the hour; it never waited, so the totals do not know it."""
    minutes: defaultdict[tuple[int, int, str, int], int] = defaultdict(int)
    for arrival in arrivals:
        for route, _ in arrival.filtered:
            minute = arrival.received_ms // MINUTE_MS
            minutes[route.webhook_id, minute, DeliveryState.FILTERED.value, 0] += 1
    count_ended(connection, minutes)
