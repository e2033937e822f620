"""The rows of a group of events: the events, what is due of them, and what is kept back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, cast

from webhookproxy.database.bulk import Row
from webhookproxy.listener.routes import Arrival, Route
from webhookproxy.models.deliveries.tables import Due, Facts
from webhookproxy.models.recordings import LinkRow, RecordingLinks
from webhookproxy.reasons import DeliveryReason, DeliveryState

EVENT_COLUMNS = (
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
# Only groups that need these name them: what there is most of, events of sockets, does not.
RECOVERED, RECORDING = "recovered", "recording_base"
DELIVERY_COLUMNS = (
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
FILTERED_COLUMNS = (*DELIVERY_COLUMNS, "ended_ms", "condition")


class Outlet(Protocol):
    """What takes the deliveries that were just committed: the lanes."""

    def offer(self, dues: Iterable[Due]) -> None:
        """Take deliveries, in the order of their numbers. Never yields."""


class Rows(NamedTuple):
    """The rows of a group, numbered in the order of the events.

    `links` are those to recordings, `event_columns` are those of `events`.
    """

    events: list[Row]
    deliveries: list[Row]
    filtered: list[Row]
    dues: list[Due]
    links: list[LinkRow]
    event_columns: tuple[str, ...]

    @property
    def event_ids(self) -> list[int]:
        """Return the numbers of the events."""
        return _numbers(self.events)

    @property
    def delivery_ids(self) -> list[int]:
        """Return the numbers of the deliveries, and then of what is kept back."""
        return _numbers(self.deliveries) + _numbers(self.filtered)


def numbered(
    arrivals: list[Arrival], event_ids: Iterator[int], delivery_ids: Iterator[int]
) -> Rows:
    """Return the rows of events, with the next numbers."""
    has_links = any(arrival.links for arrival in arrivals)
    rows = Rows([], [], [], [], [], _event_columns(arrivals, has_links=has_links))
    for arrival in arrivals:
        event_id = next(event_ids)
        rows.events.append(_event_row(event_id, arrival, has_links=has_links))
        if arrival.links is not None:
            rows.links.append(_link_row(event_id, arrival, arrival.links))
        facts = arrival.facts() if arrival.routes else None
        for route in arrival.routes:
            delivery_id = next(delivery_ids)
            born_ms = route.born_ms(arrival.received_ms)
            rows.deliveries.append(_delivery_row(delivery_id, event_id, route, arrival, born_ms))
            if facts is not None:
                rows.dues.append(_due(delivery_id, route, arrival, born_ms, facts))
        for route, reason, condition in kept_back(arrival):
            rows.filtered.append(
                _filtered_row(next(delivery_ids), event_id, route, arrival, reason, condition)
            )
    return rows


def twins(arrivals: list[Arrival], rows: Rows) -> list[tuple[int, int]]:
    """Return the numbers of events whose history is an event already, each with that one's."""
    pairs = zip(rows.event_ids, arrivals, strict=True)
    return [(event_id, each.twin) for event_id, each in pairs if each.twin]


def kept_back(arrival: Arrival) -> list[tuple[Route, DeliveryReason, str | None]]:
    """Return the webhooks that are not sent an event that they ask for, and why."""
    reason, had = DeliveryReason.FILTERED_OUT, DeliveryReason.ALREADY_RECOVERED
    left_out: list[tuple[Route, DeliveryReason, str | None]] = [
        (route, reason, condition) for route, condition in arrival.filtered
    ]
    return left_out + [(route, had, None) for route in arrival.had_it]


def _numbers(rows: list[Row]) -> list[int]:
    return [cast("int", row[0]) for row in rows]


def _event_columns(arrivals: list[Arrival], *, has_links: bool) -> tuple[str, ...]:
    more = (RECOVERED,) if arrivals and arrivals[0].is_recovered else ()
    return (*EVENT_COLUMNS, *more, RECORDING) if has_links else (*EVENT_COLUMNS, *more)


def _link_row(event_id: int, arrival: Arrival, links: RecordingLinks) -> LinkRow:
    history, now_ms = arrival.history_id, arrival.received_ms
    return links.row(arrival.company_id, event_id, arrival.public_id, history, now_ms)


def _event_row(event_id: int, arrival: Arrival, *, has_links: bool) -> Row:
    event = arrival.event
    row: Row = (
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
    if arrival.is_recovered:
        row = (*row, True)
    return (*row, arrival.recording_base) if has_links else row


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
    delivery_id: int,
    event_id: int,
    route: Route,
    arrival: Arrival,
    reason: DeliveryReason,
    condition: str | None,
) -> Row:
    return (
        delivery_id,
        event_id,
        route.webhook_id,
        arrival.event.order_key,
        DeliveryState.FILTERED.value,
        reason.value,
        0,
        0,
        route.born_ms(arrival.received_ms),
        arrival.received_ms,
        condition,
    )
