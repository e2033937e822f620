"""The ledger of the histories of calls that arrived: what is in it is never recovered again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from webhookproxy.database.bulk import Row, execute, insert_rows, mark
from webhookproxy.extensions import Base
from webhookproxy.models.installation.numbers import after
from webhookproxy.models.types import Id
from webhookproxy.reasons import DeliveryState

# How long a history is known. 3C Plus is asked for 30 days at most, so each of those is known.
KEPT_DAYS = 31
# For how long the first history that the socket brings is taken for a recovered one.
SAME_MS = 24 * 3_600_000
# Ids that one statement looks for.
ASKED_AT_ONCE = 500

# A company and the id of a history.
Key = tuple[int, str]

_COLUMNS = ("company_id", "history_id", "seen_ms", "event_id")
_IGNORE = "ON CONFLICT (company_id, history_id) DO NOTHING"


class CallHistory(Base):
    """One history of a call, by the id that 3C Plus gave it; in milliseconds since 1970.

    `recovered` is set from its recovery until the socket brings it too. `event_id` is the event
    that brought it first; None in rows from before this column.
    """

    __tablename__ = "call_histories"
    __table_args__ = (Index("ix_call_histories_company_id_seen_ms", "company_id", "seen_ms"),)

    company_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    history_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    seen_ms: Mapped[int] = mapped_column(Id)
    recovered: Mapped[bool] = mapped_column(server_default=false(), default=False)
    event_id: Mapped[int | None] = mapped_column(Id)


class Seen(NamedTuple):
    """A history that the socket brought: when, and with which event."""

    key: Key
    at_ms: int
    event_id: int


def note_histories(connection: Connection, seen: Sequence[Seen]) -> dict[Key, int]:
    """Note histories that the socket brought.

    Return those that were recovered before, in the last 24 hours, with the numbers of their events:
    each is returned only once, and what comes later is an update.
    """
    rows: list[Row] = [(*each.key, each.at_ms, each.event_id) for each in seen]
    if insert_rows(connection, "call_histories", _COLUMNS, rows, _IGNORE) == len(rows):
        return {}
    query = text(
        "UPDATE call_histories SET recovered = FALSE WHERE company_id = :company"
        " AND history_id = :history AND recovered RETURNING seen_ms, COALESCE(event_id, 0) AS event"
    )
    found: dict[Key, int] = {}
    for key, at_ms, _ in seen:
        before = connection.execute(query, {"company": key[0], "history": key[1]}).first()
        if before is not None and at_ms - before.seen_ms <= SAME_MS:
            found[key] = before.event
    return found


def webhooks_with(connection: Connection, event_id: int) -> frozenset[int] | None:
    """Return the webhooks that a recovered event is due to, or was; None if it is gone."""
    query = text(
        "SELECT d.webhook_id FROM events e LEFT JOIN deliveries d"
        " ON d.event_id = e.id AND d.state <> :filtered WHERE e.id = :event"
    )
    given = {"event": event_id, "filtered": DeliveryState.FILTERED.value}
    found = connection.execute(query, given).scalars().all()
    return frozenset(each for each in found if each is not None) if found else None


def claim_histories(
    connection: Connection, keys: Sequence[Key], now_ms: int, event_id: int
) -> set[Key]:
    """Note histories that are about to be recovered; return those that no one noted before.

    `event_id` is the last number that an event has: theirs follow.
    """
    claimed: set[Key] = set()
    for key in keys:
        row: Row = (*key, now_ms, after(event_id), True)
        if insert_rows(connection, "call_histories", (*_COLUMNS, "recovered"), [row], _IGNORE):
            event_id = after(event_id)
            claimed.add(key)
    return claimed


def events_of_histories(
    connection: Connection, company_id: int, ids: Sequence[str]
) -> dict[str, int | None]:
    """Return those of a company's ids that are in the ledger, each with its event."""
    value = mark(connection)
    found: dict[str, int | None] = {}
    # A page may have more calls than were asked for, and a statement has a most of values.
    for start in range(0, len(ids), ASKED_AT_ONCE):
        asked = ids[start : start + ASKED_AT_ONCE]
        query = (
            f"SELECT history_id, event_id FROM call_histories WHERE company_id = {value}"
            f" AND history_id IN ({', '.join([value] * len(asked))})"
        )
        found.update(execute(connection, query, (company_id, *asked)).fetchall())
    return found


def note_twins(connection: Connection, pairs: Sequence[tuple[int, int]]) -> None:
    """Note which two events are of one history: the socket brought one, the other was recovered."""
    query = text("UPDATE events SET twin = :twin WHERE id = :id")
    for one, other in pairs:
        connection.execute(query, {"id": one, "twin": other})
        connection.execute(query, {"id": other, "twin": one})


def known_histories(connection: Connection, company_id: int, ids: Sequence[str]) -> set[str]:
    """Return those of a company's ids that are in the ledger."""
    return set(events_of_histories(connection, company_id, ids))
