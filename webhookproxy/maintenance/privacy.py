"""A person's number in the stored data: found, and removed (LGPD, article 18).

Events keep their row: the number in the payload becomes "[oculto]", in place. A waiting delivery of
such an event is cancelled, because every attempt must have the same bytes, which no longer exist.
The link to the recording of its call opens nothing any more.
In the condition of a filtered delivery, in the names of events, in what a bulk resend asks for and
in the calls of a comparison the number is masked too. Names, URLs, e-mails, filters and choices
that people typed are only reported, as are events with the area code in a field of its own: a
person must decide about them. An expunge is of the events that arrived before it began, whichever
process stores them; events and answers that arrive during it are found by the next one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gevent.lock import BoundedSemaphore
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from webhookproxy.database.clock import ms_now
from webhookproxy.database.store import Store
from webhookproxy.maintenance.personal import PersonalNumber
from webhookproxy.maintenance.personal_rows import (
    ATTEMPTS,
    COMPARISONS,
    CONDITIONS,
    HOURS,
    RESENDS,
    Place,
    Row,
    committed_late,
    events_until,
    masked_rows,
    rows_with,
    settings_with,
)
from webhookproxy.models.audit import Action, Actor, record
from webhookproxy.models.deliveries.tables import OPEN
from webhookproxy.models.installation.changes import note_change
from webhookproxy.models.recordings import remove_links
from webhookproxy.reasons import DeliveryReason, DeliveryState, EventNote
from webhookproxy.rules import Refused
from webhookproxy.search.index import masking
from webhookproxy.search.index.place import SearchPlace

_WAITING = text(f"SELECT COUNT(*) FROM deliveries WHERE event_id = :id AND {OPEN}")
_MASK_KEYS = text(
    "UPDATE deliveries SET order_key = :key WHERE event_id = :id AND order_key <> :key"
)
_CANCEL = text(
    "UPDATE deliveries SET state = :state, reason = :reason, ended_ms = :now"
    f" WHERE event_id = :id AND {OPEN} RETURNING webhook_id"
)
_COUNT_CANCELLED = text(
    "UPDATE webhook_health SET cancelled = cancelled + :count WHERE webhook_id = :id"
)
_ADD_HOUR = text(
    "INSERT INTO hourly_events (company_id, hour, name, count)"
    " SELECT company_id, hour, :masked, count FROM hourly_events"
    " WHERE company_id = :company_id AND hour = :hour AND name = :name"
    " ON CONFLICT (company_id, hour, name)"
    " DO UPDATE SET count = hourly_events.count + excluded.count"
)
_REMOVE_HOUR = text(
    "DELETE FROM hourly_events WHERE company_id = :company_id AND hour = :hour AND name = :name"
)
_COMPANY = text("SELECT company_id FROM webhooks WHERE id = :id")
# Public ids of events that a person must look at; the rest of them are only counted.
APART_MAX = 20

_one_at_a_time = BoundedSemaphore()


@dataclass(slots=True)
class Found:
    """Where the number is: `companies` counts events, `filtered` deliveries whose condition asks
    for it, `names` hourly counts and bulk resends with it in an event's name, `comparisons` those
    with a missing call of it. `settings` are like "webhook_3 url". `apart` are the first of
    `apart_count` events that have the area code and the rest of the number in two fields."""

    companies: Counter[int] = field(default_factory=Counter)
    attempts: int = 0
    waiting: int = 0
    filtered: int = 0
    names: int = 0
    comparisons: int = 0
    settings: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    apart_count: int = 0

    @property
    def events(self) -> int:
        """Return how many events have it."""
        return self.companies.total()

    @property
    def anything(self) -> bool:
        """Return whether an expunge would mask something."""
        rest = self.filtered or self.names or self.comparisons
        return bool(self.companies or self.attempts or rest)


@dataclass(slots=True)
class Expunged:
    """How much was masked, and how many waiting deliveries were cancelled."""

    events: int = 0
    attempts: int = 0
    cancelled: int = 0


def find(reading: Engine, number: PersonalNumber) -> Found:
    """Count the rows with the number; reads every stored payload, one batch at a time.

    Raises Refused if this process is finding or masking a number already.
    """
    with _alone():
        found = Found(settings=settings_with(reading, number))
        for batch in rows_with(reading, number, events_until(ms_now(), reading)):
            _count(reading, found, batch)
        found.attempts = _number_of(masked_rows(reading, number, ATTEMPTS))
        found.filtered = _number_of(masked_rows(reading, number, CONDITIONS))
        found.names = sum(_number_of(masked_rows(reading, number, at)) for at in (HOURS, RESENDS))
        found.comparisons = _number_of(masked_rows(reading, number, COMPARISONS))
        return found


def expunge(
    store: Store, reading: Engine, search: SearchPlace, number: PersonalNumber, actor: Actor
) -> Expunged:
    """Mask the number wherever `find` counts it, except in settings, and write the audit.

    It works in batches through the store, while a server runs. If it stops half way, run it again:
    masked rows no longer have the number. The audit has an entry before and one after, with counts
    and without the number. On SQLite the old bytes are overwritten, and the log is emptied if there
    is no reader at that moment; PostgreSQL keeps them until its next VACUUM. Raises Refused as
    `find` does.
    """
    done = Expunged()
    with _alone():
        _note(store, actor, "begun")
        try:
            moment_ms = ms_now()
            events = events_until(moment_ms, reading)
            _expunge_events(store, search, masked_rows(reading, number, events), done)
            for place in (ATTEMPTS, CONDITIONS, HOURS, RESENDS, COMPARISONS):
                for batch in masked_rows(reading, number, place):
                    store.run(partial(_mask, place=place, batch=batch))
                    done.attempts += len(batch) * (place is ATTEMPTS)
            late = committed_late(events, moment_ms)
            _expunge_events(store, search, masked_rows(reading, number, late), done)
        finally:
            store.run(partial(_overwrite, switch="OFF"))
            words = f"{done.events} events, {done.attempts} attempts, {done.cancelled} cancelled"
            _note(store, actor, words)
        _forget_old_bytes(reading)
        search.forget_old_bytes()
    return done


def _expunge_events(
    store: Store, search: SearchPlace, batches: Iterable[list[Row]], done: Expunged
) -> None:
    for batch in batches:
        ids = [row.columns["id"] for row in batch]
        masking.take_out(search, ids)
        done.cancelled += store.session(partial(_mask_events, batch=batch))
        masking.put_back(search, ids)
        done.events += len(batch)


@contextmanager
def _alone() -> Iterator[None]:
    if not _one_at_a_time.acquire(blocking=False):
        raise Refused.one(
            "number",
            "Another search for a number is running: wait until it ends, and try again.",
            "Outra busca por um número está em andamento: espere que ela termine e tente de novo.",
        )
    try:
        yield
    finally:
        _one_at_a_time.release()


def _count(reading: Engine, found: Found, batch: list[Row]) -> None:
    apart = [row.columns["public_id"] for row in batch if row.apart]
    found.apart_count += len(apart)
    found.apart += apart[: APART_MAX - len(found.apart)]
    with reading.connect() as connection:
        for row in batch:
            if row.masked:
                found.companies[row.columns["company_id"]] += 1
                found.waiting += connection.execute(_WAITING, row.columns).scalar_one()


def _number_of(batches: Iterable[list[Row]]) -> int:
    return sum(map(len, batches))


def _mask_events(session: Session, batch: list[Row]) -> int:
    """Mask a batch. Return how many deliveries were cancelled."""
    connection = session.connection()
    _overwrite(connection)
    cancelled: Counter[int] = Counter()
    for event in batch:
        number = event.columns["id"]
        masked = {**event.masked, "note": EventNote.MASKED.value}
        _update(connection, "events", {"id": number}, masked)
        if "order_key" in masked:
            connection.execute(_MASK_KEYS, {"id": number, "key": masked["order_key"]})
        remove_links(connection, [number])
        cancelled.update(_cancel(connection, number))
    for webhook_id, count in sorted(cancelled.items()):
        connection.execute(_COUNT_CANCELLED, {"count": count, "id": webhook_id})
        company_id = connection.execute(_COMPANY, {"id": webhook_id}).scalar()
        if company_id is not None:
            # The lane of a running server reads its rows again.
            note_change(session, company_id, webhook_id)
    return cancelled.total()


def _cancel(connection: Connection, event_id: int) -> list[int]:
    values = {
        "state": DeliveryState.CANCELLED.value,
        "reason": DeliveryReason.EXPUNGED.value,
        "now": ms_now(),
        "id": event_id,
    }
    return [row[0] for row in connection.execute(_CANCEL, values)]


def _mask(connection: Connection, place: Place, batch: list[Row]) -> None:
    _overwrite(connection)
    for row in batch:
        keys = {key: row.columns[key] for key in place.keys}
        if place is HOURS:
            # Two names may become the same.
            connection.execute(_ADD_HOUR, {**keys, "masked": row.masked["name"]})
            connection.execute(_REMOVE_HOUR, keys)
        else:
            _update(connection, place.table, keys, row.masked)


def _update(
    connection: Connection, table: str, keys: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    columns = ", ".join(f"{each} = :new_{each}" for each in values)
    where = " AND ".join(f"{each} = :{each}" for each in keys)
    new = {f"new_{each}": value for each, value in values.items()}
    connection.execute(text(f"UPDATE {table} SET {columns} WHERE {where}"), {**keys, **new})


def _overwrite(connection: Connection, switch: str = "ON") -> None:
    """Switch PRAGMA secure_delete on or off."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA secure_delete = {switch}")


def _forget_old_bytes(reading: Engine) -> None:
    """Empty SQLite's log, which still has the old pages."""
    if reading.dialect.name == "sqlite":
        with reading.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _note(store: Store, actor: Actor, detail: str) -> None:
    job: Callable[[Session], None] = partial(
        record, actor=actor, action=Action.PRIVACY_EXPUNGE, detail=detail
    )
    store.session(job)
