"""What of one webhook did not arrive: how much there is of it, and the next of it, in order."""

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

# Counted up to here; beyond, it is only said that there are more.
COUNT_MAX = 100_000
LOOK_AT = 300_000
# Rows in one statement: a statement holds the hub.
ROUND = 2_000

_OF_EVENT = "(SELECT e.name FROM events e WHERE e.id = d.event_id) = :event"
_ROWS = (
    f"FROM deliveries d WHERE d.webhook_id = :webhook AND d.{ENDED_BADLY}"
    " AND d.id > :after AND d.id <= :upto"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of a webhook's deliveries: how they ended, and the name of their event ("": any)."""

    webhook_id: int
    states: tuple[DeliveryState, ...] = MISSED
    event: str = ""
    since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many there are, between which numbers, and when the first and the last came.

    `is_cut` says that there are more than were counted.
    """

    count: int
    is_cut: bool
    begins: int
    upto: int
    oldest_ms: int | None
    newest_ms: int | None


def count(session: Session, wanted: Wanted) -> Counted:
    """Count what is wanted of what there is now, in rounds between which others get their turn."""
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
    # Of what was not counted, the last of all is not known.
    ends = (_arrived(session, lowest), None if is_cut else _arrived(session, highest))
    return Counted(found, is_cut, begins, upto, *ends)


def following(
    session: Session, wanted: Wanted, after: int, upto: int, limit: int, look_at: int
) -> tuple[list[int], int, bool]:
    """The next that are wanted, at most `limit`, of the next `look_at` rows that ended badly.

    Then the number up to which that was looked at, and whether nothing is left behind it.
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
    """Whether a row is wanted; only words of our own go into this text."""
    states = _words(wanted.states)
    return f"d.state IN ({states})" + (f" AND {_OF_EVENT}" if wanted.event else "")


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
