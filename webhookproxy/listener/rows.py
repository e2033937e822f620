"""The rows of a group of events: the events, what is due of them, and what is kept back."""

from __future__ import annotations

from typing import NamedTuple

from webhookproxy.database.bulk import Row
from webhookproxy.listener.routes import Arrival, Route
from webhookproxy.models.deliveries.tables import Due, Facts
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
# Only these name the column: an event of a socket, which is what there is most of, does not.
RECOVERED_COLUMNS = (*EVENT_COLUMNS, "recovered")
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


class Rows(NamedTuple):
    """The rows of a group, numbered in the order of the events."""

    events: list[Row]
    deliveries: list[Row]
    filtered: list[Row]
    dues: list[Due]


def numbered(arrivals: list[Arrival], event_id: int, delivery_id: int) -> Rows:
    """Return the rows of events; the numbers are the last ones that were given before."""
    rows = Rows([], [], [], [])
    for arrival in arrivals:
        event_id += 1
        rows.events.append(_event_row(event_id, arrival))
        facts = arrival.facts() if arrival.routes else None
        for route in arrival.routes:
            delivery_id += 1
            born_ms = route.born_ms(arrival.received_ms)
            rows.deliveries.append(_delivery_row(delivery_id, event_id, route, arrival, born_ms))
            if facts is not None:
                rows.dues.append(_due(delivery_id, route, arrival, born_ms, facts))
        for route, reason, condition in kept_back(arrival):
            delivery_id += 1
            rows.filtered.append(
                _filtered_row(delivery_id, event_id, route, arrival, reason, condition)
            )
    return rows


def kept_back(arrival: Arrival) -> list[tuple[Route, DeliveryReason, str | None]]:
    """Return the webhooks that are not sent an event that they ask for, and why."""
    reason, had = DeliveryReason.FILTERED_OUT, DeliveryReason.ALREADY_RECOVERED
    left_out: list[tuple[Route, DeliveryReason, str | None]] = [
        (route, reason, condition) for route, condition in arrival.filtered
    ]
    return left_out + [(route, had, None) for route in arrival.had_it]


def _event_row(event_id: int, arrival: Arrival) -> Row:
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
    return (*row, True) if arrival.is_recovered else row


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
