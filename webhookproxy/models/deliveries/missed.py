"""The missed deliveries of one webhook: their number, and the next ones in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gevent
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from webhookproxy.models.deliveries.periods import first_delivery
from webhookproxy.models.deliveries.tables import ENDED_BADLY, Delivery
from webhookproxy.models.events import Event
from webhookproxy.reasons import MISSED, DeliveryState

# Counted up to here; then `is_cut` says that more exist.
COUNT_MAX = 100_000
LOOK_AT = 300_000
# Rows in one statement, which blocks the hub.
ROUND = 2_000

_OF_EVENT = "(SELECT e.name FROM events e WHERE e.id = d.event_id) = :event"
_ROWS = (
    f"FROM deliveries d WHERE d.webhook_id = :webhook AND d.{ENDED_BADLY}"
    " AND d.id > :after AND d.id <= :upto"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Deliveries of a webhook by their states and the name of their event ("": any).

    `refusal_group_id` limits them to those whose last refusal is in that group. `stored` asks for
    the events of which nothing was sent instead (models.deliveries.stored), and `event_id` for one
    of them.
    """

    webhook_id: int
    states: tuple[DeliveryState, ...] = MISSED
    event: str = ""
    since_ms: int | None = None
    refusal_group_id: int | None = None
    stored: bool = False
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of wanted deliveries, the numbers around them, and their first and last arrival.

    `is_cut` says that more exist than were counted. `left_out` counts events that the webhook's
    filter does not let through.
    """

    count: int
    is_cut: bool
    begins: int
    upto: int
    oldest_ms: int | None
    newest_ms: int | None
    left_out: int = 0


def count(session: Session, wanted: Wanted) -> Counted:
    """Count the wanted deliveries that exist now, in rounds: other greenlets run between them."""
    upto = session.scalar(select(func.max(Delivery.id))) or 0
    begins = 0 if wanted.since_ms is None else first_delivery(session, wanted.since_ms) - 1
    found, looked_at, after = 0, 0, begins
    lowest: int | None = None
    highest: int | None = None
    query = text(_counting(wanted))
    while found < COUNT_MAX and looked_at < LOOK_AT:
        values = {"webhook": wanted.webhook_id, "after": after, "upto": upto, **_event(wanted)}
        rows, last, hits, low, high = session.execute(query, values).one()
        found, looked_at, after = found + int(hits or 0), looked_at + rows, last
        lowest, highest = low if lowest is None else lowest, high or highest
        if rows < ROUND:
            break
        gevent.sleep(0)
    is_cut = rows == ROUND
    # A cut count does not know the last one.
    ends = (_arrived(session, lowest), None if is_cut else _arrived(session, highest))
    return Counted(found, is_cut, begins, upto, *ends)


def following(
    session: Session, wanted: Wanted, after: int, upto: int, limit: int, look_at: int
) -> tuple[list[int], int, bool]:
    """Return the next wanted ones, at most `limit`, from the next `look_at` that ended badly.

    The second value is the number up to which rows were read, the third whether no row is left.
    """
    query = text(f"SELECT d.id, {_match(wanted)} {_ROWS} ORDER BY d.id LIMIT {int(look_at)}")
    values = {"webhook": wanted.webhook_id, "after": after, "upto": upto, **_event(wanted)}
    found: list[int] = []
    rows = session.execute(query, values).all()
    for delivery_id, matches in rows:
        if matches:
            found.append(int(delivery_id))
        after = int(delivery_id)
        if len(found) == limit:
            break
    is_last = len(rows) < look_at and (not rows or after == rows[-1][0])
    return found, after, is_last


def _counting(wanted: Wanted) -> str:
    rows = f"SELECT d.id AS id, {_match(wanted)} AS hit {_ROWS} ORDER BY d.id LIMIT {ROUND}"
    hit = "CASE WHEN r.hit THEN r.id END"
    return f"SELECT COUNT(*), MAX(r.id), COUNT({hit}), MIN({hit}), MAX({hit}) FROM ({rows}) r"


def _match(wanted: Wanted) -> str:
    """Return the SQL that says whether a row is wanted; only our own words go into it."""
    states = _words(wanted.states)
    group = wanted.refusal_group_id
    return (
        f"d.state IN ({states})"
        + (f" AND {_OF_EVENT}" if wanted.event else "")
        + (f" AND d.refusal_group_id = {int(group)}" if group is not None else "")
    )


def _words(states: Sequence[DeliveryState]) -> str:
    return ", ".join(f"'{state.value}'" for state in states)


def _event(wanted: Wanted) -> dict[str, str]:
    return {"event": wanted.event} if wanted.event else {}


def _arrived(session: Session, delivery_id: int | None) -> int | None:
    query = (
        select(Event.received_ms)
        .join(Delivery, Delivery.event_id == Event.id)
        .where(Delivery.id == delivery_id)
    )
    return None if delivery_id is None else session.scalar(query)
