"""Writes a group of events and what is due of them, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from gevent.lock import Semaphore
from sqlalchemy import Connection, text

from webhookproxy.database.bulk import insert_rows, update_rows
from webhookproxy.database.clock import seconds_now
from webhookproxy.database.fence import NO_FENCE, Fence, Fenced, shard_of
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.listener.routes import Arrival
from webhookproxy.listener.rows import (
    DELIVERY_COLUMNS,
    FILTERED_COLUMNS,
    Rows,
    kept_back,
    numbered,
    twins,
)
from webhookproxy.listener.sessions import NOWHERE
from webhookproxy.models.deliveries.tables import Due, count_ended, open_deliveries
from webhookproxy.models.installation.leases import highest_numbers
from webhookproxy.models.installation.numbering import Numbering
from webhookproxy.models.installation.numbers import following
from webhookproxy.models.minutes import EVENTS, MINUTE_MS, count_minutes
from webhookproxy.models.recordings import add_links
from webhookproxy.models.recovery.call_histories import (
    Seen,
    claim_histories,
    note_histories,
    note_twins,
    webhooks_with,
)
from webhookproxy.reasons import DeliveryState, EventNote

_HOUR_MS = 3_600_000

_CREATED = (
    "WITH v (id, created) AS (VALUES {values}) UPDATE webhook_health"
    " SET created = webhook_health.created + v.created FROM v WHERE webhook_id = v.id"
)
_RECEIVED = (
    "WITH v (id, events, last, malformed{columns}) AS (VALUES {{values}}) UPDATE connections"
    " SET events = connections.events + v.events,"
    " malformed = connections.malformed + v.malformed{changes} FROM v WHERE company_id = v.id"
)
_RECEIVED_BY_REST = _RECEIVED.format(columns="", changes="")
_RECEIVED_BY_REST_CASTS = ("BIGINT", "BIGINT", "BIGINT", "BIGINT")
# Only a socket's events are a sign of life, and have a place from where another process goes on.
_RECEIVED_BY_SOCKET = _RECEIVED.format(
    columns=", session, place, replayed",
    changes=", last_event_at = v.last, session = v.session, session_offset = v.place,"
    " session_replayed = v.replayed",
)
_RECEIVED_BY_SOCKET_CASTS = (*_RECEIVED_BY_REST_CASTS, "TEXT", "TEXT", "BIGINT")


class Written(NamedTuple):
    """The events of a group that were written, and what is due of them, in order."""

    arrivals: list[Arrival]
    dues: list[Due]


class Reserved(NamedTuple):
    """Some numbers for deliveries, and the fence for the write that uses them."""

    ids: Sequence[int]
    fence: Fence


class Journal:
    """Numbers events and deliveries and writes them. Only the owner of the sockets has one."""

    def __init__(self, store: Store, clock: Callable[[], float] = seconds_now) -> None:
        # How many events this process stored since it started.
        self.stored = 0
        self._store = store
        self._numbers = Numbering(clock)
        # Of the present owner.
        self.fence = NO_FENCE
        # Held while numbers are in a write that may still fail.
        self._numbering = Semaphore()
        # Whether a group was perhaps committed: then its numbers are perhaps taken.
        self._is_unsure = False

    def start(self, fence: Fence) -> None:
        """Go on numbering where the last owner stopped; the fence keeps that one out."""
        with self._numbering:
            self._numbers.begin(fence)
            self._count_again(self._named(fence, set()))
            self.fence, self._is_unsure = fence, False

    @contextmanager
    def reserved(self, company_id: int, count: int) -> Iterator[Reserved]:
        """Reserve numbers for deliveries of stored events, for as long as these are written.

        No group is written meanwhile. Numbers of a write that fails are never used: it may have
        been committed. Raises StoreUnavailable while that is not known of a group.
        """
        with self._numbering:
            if self._is_unsure:
                raise StoreUnavailable("a group of events is being written again")
            named = self._named(self.fence, {company_id})
            self._count_again(named)
            self._numbers.deliveries.catch_up()
            ids = list(islice(self._numbers.deliveries.following(), count))
            self._numbers.deliveries.take(ids)
            yield Reserved(ids, named)

    def write(
        self,
        arrivals: list[Arrival],
        fence: Fence,
        *,
        again: bool = False,
        also: Callable[[Connection, list[Arrival]], None] | None = None,
    ) -> Written:
        """Commit the events, and what `also` writes with them.

        All come from sockets, or all were recovered. Of these only those are written that the
        ledger does not have, so they are simply tried again. `again`: an earlier try of this very
        group from sockets may have been committed without our hearing of it. Raises what the store
        raises; the numbers are taken only if it was committed.
        """
        is_recovered = arrivals[0].is_recovered
        with self._numbering:
            if is_recovered and self._is_unsure:
                raise StoreUnavailable("a group of events is being written again")
            try:
                named = self._named(fence, {each.company_id for each in arrivals})
                self._count_again(named)
                # A group that was perhaps committed keeps its numbers.
                if not again:
                    self._numbers.catch_up()
                written = self._write(arrivals, named, again=again, also=also)
            except StoreUnavailable:
                self._numbers.is_behind = self._numbers.is_behind or is_recovered
                self._is_unsure = self._is_unsure or not is_recovered
                raise
            except Fenced as error:
                self._numbers.leave(fence, error.shards)
                raise
            self._is_unsure = False
            return written

    def _count_again(self, fence: Fence) -> None:
        """Read the last numbers, if events were perhaps written that are not counted here."""
        if self._numbers.is_behind:
            self._numbers.go_above(*self._store.run(highest_numbers, fence=fence))

    def _write(
        self,
        arrivals: list[Arrival],
        fence: Fence,
        *,
        again: bool,
        also: Callable[[Connection, list[Arrival]], None] | None,
    ) -> Written:
        ready = self._numbered(arrivals)

        def job(connection: Connection) -> tuple[list[Arrival], Rows]:
            if again and _known(connection, arrivals[0].public_id):
                return arrivals, _still_open(connection, ready)
            judged = _judged(connection, arrivals, self._numbers.events.last)
            rows = ready if judged is arrivals else self._numbered(judged)
            _insert(connection, judged, rows)
            note_twins(connection, twins(judged, rows))
            if also is not None:
                also(connection, judged)
            return judged, rows

        written, rows = self._store.run(job, fence=fence, late=True)
        self.stored += len(rows.events)
        self._numbers.events.take(rows.event_ids)
        self._numbers.deliveries.take(rows.delivery_ids)
        return Written(written, rows.dues)

    def _numbered(self, arrivals: list[Arrival]) -> Rows:
        events, deliveries = self._numbers.events, self._numbers.deliveries
        return numbered(arrivals, events.following(), deliveries.following())

    def _named(self, fence: Fence, companies: set[int]) -> Fence:
        """Return the fence of a write that gives numbers to rows of these companies."""
        return fence.of_shards({self._numbers.shard, *map(shard_of, companies)})


def _judged(connection: Connection, arrivals: list[Arrival], event_id: int) -> list[Arrival]:
    """Return the events to write, and to whom they are due, after a look into the ledger.

    The very list if that changes nothing. `event_id` is the last number that an event has.
    """
    given = zip(following(event_id), arrivals, strict=False)
    histories = [(number, each) for number, each in given if each.history_id]
    if not histories:
        return arrivals
    if (first := histories[0][1]).is_recovered:
        keys = [each.history for _, each in histories]
        claimed = claim_histories(connection, keys, first.received_ms, event_id)
        return [each for each in arrivals if each.history in claimed]
    seen = [Seen(each.history, each.received_ms, number) for number, each in histories]
    had = note_histories(connection, seen)
    if not had:
        return arrivals
    judged = []
    for arrival in arrivals:
        # The next one in this very group is an update.
        recovered_as = had.pop(arrival.history, None)
        if recovered_as is not None:
            arrival = arrival.without(webhooks_with(connection, recovered_as), recovered_as)
        judged.append(arrival)
    return judged


def _insert(connection: Connection, arrivals: list[Arrival], rows: Rows) -> None:
    if not arrivals:
        return
    insert_rows(connection, "events", rows.event_columns, rows.events)
    add_links(connection, rows.links)
    if rows.deliveries:
        insert_rows(connection, "deliveries", DELIVERY_COLUMNS, rows.deliveries)
    if rows.filtered:
        insert_rows(connection, "deliveries", FILTERED_COLUMNS, rows.filtered)
        _count_filtered(connection, arrivals)
    _count(connection, arrivals)


def _still_open(connection: Connection, rows: Rows) -> Rows:
    """Return the rows with those dues that were committed, and the numbers that these have."""
    # Webhooks that had a call when it was recovered come last, so the others' numbers moved up.
    still = open_deliveries(connection, rows.event_ids)
    pairs = zip(rows.dues, rows.deliveries, strict=True)
    dues = [replace(due, id=still[row[1:3]]) for due, row in pairs if row[1:3] in still]
    return rows._replace(dues=dues)


def _known(connection: Connection, public_id: str) -> bool:
    query = text("SELECT 1 FROM events WHERE public_id = :id")
    return connection.execute(query, {"id": public_id}).first() is not None


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
    _count_received(connection, arrivals, received)
    if created:
        update_rows(connection, _CREATED, ("BIGINT", "BIGINT"), sorted(created.items()))


def _count_received(
    connection: Connection, arrivals: list[Arrival], received: dict[int, list[int]]
) -> None:
    companies = sorted(received)
    if arrivals[0].is_recovered:
        counted = [(key, *received[key]) for key in companies]
        update_rows(connection, _RECEIVED_BY_REST, _RECEIVED_BY_REST_CASTS, counted)
        return
    last = {arrival.company_id: arrival.place for arrival in arrivals}
    places = {key: NOWHERE if place is None else place.columns() for key, place in last.items()}
    rows = [(key, *received[key], *places[key]) for key in companies]
    update_rows(connection, _RECEIVED_BY_SOCKET, _RECEIVED_BY_SOCKET_CASTS, rows)


def _count_filtered(connection: Connection, arrivals: list[Arrival]) -> None:
    """Count what was filtered by the hour; it never waited, so the totals do not know it."""
    minutes: defaultdict[tuple[int, int, str, int], int] = defaultdict(int)
    for arrival in arrivals:
        for route, _, _ in kept_back(arrival):
            minute = arrival.received_ms // MINUTE_MS
            minutes[route.webhook_id, minute, DeliveryState.FILTERED.value, 0] += 1
    count_ended(connection, minutes)
