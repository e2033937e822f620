"""The search for deliveries: it looks at a bounded number of rows, found by index.

There may be millions of deliveries, and no index has the name of the event, or most of the states.
So the search reads the rows that an index can find in rounds, and compares them here, until it has
found enough, nothing is left, or it has looked at LOOK_AT rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import gevent
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from webhookproxy.database.bulk import numbers
from webhookproxy.models.deliveries.periods import first_delivery
from webhookproxy.models.deliveries.tables import ENDED_BADLY, KEPT_BACK, OPEN
from webhookproxy.reasons import MISSED, WAITING, DeliveryState
from webhookproxy.search.typed import is_named

# How many rows are read for one page, and in one round: a statement holds the hub.
LOOK_AT = 20_000
ROUND_MAX = 5_000
FIRST_ROUND = 51
# SQLite takes 500 selects in a UNION.
PARTS_MAX = 100
# The source of all rows, in place of a webhook's number.
_ALL = 0

_HELD = (DeliveryState.FILTERED, DeliveryState.SIMULATED)
# The conditions of the partial indices, letter for letter: so a database recognises them.
_INDEXED = {WAITING: OPEN, MISSED: ENDED_BADLY, _HELD: KEPT_BACK}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search; `since_ms` and `until_ms` bound the time of arrival.

    `everything` says that nearly all deliveries belong to these webhooks: then they are read in the
    order of their numbers, and not webhook by webhook.
    """

    webhooks: Collection[int]
    states: tuple[str, ...] = ()
    event: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    # Only rows older, or only rows newer, than this delivery.
    before: int | None = None
    after: int | None = None
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One delivery of a list."""

    id: int
    webhook_id: int
    order_key: str
    state: str
    reason: str
    born_ms: int
    first_attempt_ms: int | None
    due_ms: int | None
    ended_ms: int | None
    attempts: int
    status: int | None
    condition: str | None
    resends: int
    sent_later: bool | None
    event_id: int
    event: str
    received_ms: int


# The columns that are read of rows that are only compared.
_TOLD_BY = "id, webhook_id, state"
# Looked up for each row, not joined: PostgreSQL would read all events to join a few of them.
_OF_EVENT = "COALESCE((SELECT e.{column} FROM events e WHERE e.id = d.event_id), {missing})"
_SHOWN = (
    "d.id, d.webhook_id, d.order_key, d.state, d.reason, d.born_ms, d.first_attempt_ms, d.due_ms,"
    " d.ended_ms, d.attempts, d.status, d.condition, d.resends, d.sent_later, d.event_id, "
    + _OF_EVENT.format(column="name", missing="''")
    + ", "
    + _OF_EVENT.format(column="received_ms", missing="-1")
)
# Rows that are read whole in one statement.
_WHOLE = 100


class Search:
    """Reads away from where the page begins. Each webhook is a source, or all of them are one.

    `found` are the deliveries that match, the nearest first. `edge` is the number of the last one
    that was compared, if there may be more beyond it.
    """

    def __init__(self, session: Session, wanted: Wanted) -> None:
        self.found: list[Found] = []
        self.edge: int | None = None
        self.looked_at = 0
        self._session = session
        self._wanted = wanted
        # Numbers grow towards newer rows; times this, they grow away from the page's beginning.
        self._sign = -1 if wanted.after is None else 1
        self._beyond: list[Row[Any]] = []
        start = wanted.before if wanted.after is None else wanted.after
        # How far each source was read; a source that was read to its end is not among them.
        self._edges = dict.fromkeys(self._sources(), start)

    def run(self, enough: int) -> None:
        """Search until `enough` are found, nothing is left, or LOOK_AT rows were read."""
        limits, each = self._limits(), FIRST_ROUND
        while self._edges and len(self.found) < enough and self.looked_at < LOOK_AT:
            each = min(each, max(2, ROUND_MAX // len(self._edges)))
            self._round(limits, each, enough)
            each *= 4
            # Another round must not keep the sockets waiting.
            gevent.sleep(0)

    def edge_ms(self) -> int | None:
        """Return when the event of the edge came; None without an edge."""
        if self.edge is None:
            return None
        of_event = _OF_EVENT.format(column="received_ms", missing="-1")
        query = text(f"SELECT {of_event} FROM deliveries d WHERE d.id = :id")
        return self._session.execute(query, {"id": self.edge}).scalar()

    def _sources(self) -> list[int]:
        """Return the webhooks to read one by one, or _ALL to read all rows in their order."""
        wanted = self._wanted
        # No index has the waiting rows of all webhooks together: the lanes would pay for it.
        waits = wanted.states and set(wanted.states) <= set(WAITING)
        return [_ALL] if wanted.everything and not waits else sorted(set(wanted.webhooks))

    def _limits(self) -> str:
        wanted, limits = self._wanted, ""
        for states, condition in _INDEXED.items():
            if wanted.states and set(wanted.states) <= set(states):
                limits += f" AND {condition}"
        if wanted.since_ms is not None:
            limits += f" AND id >= {first_delivery(self._session, wanted.since_ms)}"
        if wanted.until_ms is not None:
            limits += f" AND id < {first_delivery(self._session, wanted.until_ms)}"
        return limits

    def _round(self, limits: str, each: int, enough: int) -> None:
        """Read `each` more rows of each source, and take those that certainly come next."""
        counts = dict.fromkeys(self._edges, 0)
        for row in self._rows(limits, each):
            source = _ALL if _ALL in counts else row.webhook_id
            counts[source] = row.looked_at
            self._edges[source] = row.last
            self._beyond.append(row)
        self.looked_at += sum(counts.values())
        for source, count in counts.items():
            if count < each:
                del self._edges[source]
        self._take(enough)

    def _rows(self, limits: str, each: int) -> Iterator[Row[Any]]:
        """Return of each source the rows in a wanted state, and the last that was looked at."""
        order, last = ("DESC", "MIN") if self._sign < 0 else ("ASC", "MAX")
        edges = list(self._edges.items())
        for start in range(0, len(edges), PARTS_MAX):
            # Only our own numbers and words go into this text.
            parts = " UNION ALL ".join(
                f"SELECT {_TOLD_BY}, COUNT(*) OVER () AS looked_at, {last}(id) OVER () AS last"
                f" FROM (SELECT {_TOLD_BY} FROM deliveries"
                f" WHERE {self._where(source, edge)}{limits} ORDER BY id {order} LIMIT {each}) p"
                for source, edge in edges[start : start + PARTS_MAX]
            )
            wanted = f"SELECT * FROM ({parts}) q WHERE id = last{self._or_wanted()}"
            yield from self._session.execute(text(wanted))

    def _or_wanted(self) -> str:
        """Return the condition for rows that are read to be compared, beside the last."""
        states = ", ".join(f"'{DeliveryState(state).value}'" for state in self._wanted.states)
        return f" OR state IN ({states})" if states else " OR id <> last"

    def _where(self, source: int, edge: int | None) -> str:
        whose = "id > 0" if source == _ALL else f"webhook_id = {source}"
        if edge is None:
            return whose
        return f"{whose} AND id {'<' if self._sign < 0 else '>'} {edge}"

    def _take(self, enough: int) -> None:
        """Move the edge to the end of the source that was read least far: no gap before it."""
        rows = sorted(self._beyond, key=lambda row: self._sign * row.id)
        edges = {edge for edge in self._edges.values() if edge is not None}
        count = next((n for n, row in enumerate(rows, 1) if row.id in edges), len(rows))
        self.edge = rows[count - 1].id if edges else None
        wanted = self._wanted
        fitting = [
            row.id
            for row in rows[:count]
            if row.webhook_id in wanted.webhooks
            and (not wanted.states or row.state in wanted.states)
        ]
        while fitting and len(self.found) < enough:
            self.found += self._whole(fitting[:_WHOLE])
            del fitting[:_WHOLE]
        self._beyond = rows[count:]

    def _whole(self, ids: list[int]) -> list[Found]:
        """Return those of these deliveries whose event has the wanted words in its name."""
        query = text(f"SELECT {_SHOWN} FROM deliveries d WHERE d.id IN ({numbers(ids)})")
        rows = {row.id: Found(*row) for row in self._session.execute(query)}
        found = (rows[each] for each in ids if each in rows)
        # An event may have been purged already.
        return [row for row in found if row.received_ms >= 0 and self._is_named(row)]

    def _is_named(self, row: Found) -> bool:
        return not self._wanted.event or is_named(self._wanted.event, row.event)
