"""A person's number in the stored data: found, and removed (LGPD, article 18).

Events keep their row: the number in the payload becomes "[oculto]", in place. A waiting delivery of
such an event is cancelled, because every attempt must have the same bytes, which no longer exist.
In the condition of a filtered delivery the number is masked too. Names, URLs, e-mails and filters
that people typed are only reported: a person must decide about them. Events and answers that arrive
during an expunge are found by the next one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gevent
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from webhookproxy.database.store import Store
from webhookproxy.maintenance.personal import PersonalNumber
from webhookproxy.models.audit import Action, Actor, record
from webhookproxy.models.deliveries.tables import KEPT_BACK, OPEN
from webhookproxy.models.installation.changes import note_change
from webhookproxy.reasons import DeliveryReason, DeliveryState, EventNote
from webhookproxy.search.index import masking
from webhookproxy.search.index.place import SearchPlace

# Rows read at a time, and written in one transaction at most.
BATCH = 100

_EVENTS = text(
    "SELECT id, company_id, payload, order_key FROM events"
    " WHERE id > :after AND id <= :last ORDER BY id LIMIT :batch"
)
_LAST_EVENT = text("SELECT COALESCE(MAX(id), 0) FROM events")
_WAITING = text(f"SELECT COUNT(*) FROM deliveries WHERE event_id = :id AND {OPEN}")
_ATTEMPTS = text(
    "SELECT delivery_id, number, detail, answer FROM attempts"
    " WHERE (delivery_id, number) > (:delivery, :number) ORDER BY delivery_id, number LIMIT :batch"
)
_MASK_EVENT = text(
    "UPDATE events SET payload = :payload, order_key = :key, note = :note WHERE id = :id"
)
_MASK_KEYS = text(
    "UPDATE deliveries SET order_key = :key WHERE event_id = :id AND order_key <> :key"
)
_MASK_ATTEMPT = text(
    "UPDATE attempts SET detail = :detail, answer = :answer"
    " WHERE delivery_id = :delivery AND number = :number"
)
_CANCEL = text(
    "UPDATE deliveries SET state = :state, reason = :reason, ended_ms = :now"
    f" WHERE event_id = :id AND {OPEN} RETURNING webhook_id"
)
_COUNT_CANCELLED = text(
    "UPDATE webhook_health SET cancelled = cancelled + :count WHERE webhook_id = :id"
)
_CONDITIONS = text(
    f"SELECT condition, COUNT(*) AS count FROM deliveries WHERE {KEPT_BACK}"
    " AND condition IS NOT NULL GROUP BY condition"
)
_MASK_CONDITIONS = text(
    "UPDATE deliveries SET condition = :masked WHERE id IN"
    f" (SELECT id FROM deliveries WHERE {KEPT_BACK} AND condition = :condition LIMIT :batch)"
)
_COMPANY = text("SELECT company_id FROM webhooks WHERE id = :id")
# Texts that people typed: the table, the word before a row's number, and the columns.
_SETTINGS = (
    ("companies", "company", ("name", "threec_id", "agent_id", "socket_url")),
    ("webhooks", "webhook", ("name", "url", "filters")),
    ("users", "user", ("email",)),
)


@dataclass(slots=True)
class Found:
    """Where the number is: `companies` counts events, `filtered` deliveries whose condition asks
    for it; `settings` are like "webhook_3 url"."""

    companies: Counter[int] = field(default_factory=Counter)
    attempts: int = 0
    waiting: int = 0
    filtered: int = 0
    settings: list[str] = field(default_factory=list)

    @property
    def events(self) -> int:
        """Return how many events have it."""
        return self.companies.total()


@dataclass(slots=True)
class Expunged:
    """How much was masked, and how many waiting deliveries were cancelled."""

    events: int = 0
    attempts: int = 0
    cancelled: int = 0


def find(reading: Engine, number: PersonalNumber) -> Found:
    """Count the rows with the number; reads every stored payload, one batch at a time."""
    found = Found(settings=_settings(reading, number))
    for batch in _masked_events(reading, number):
        found.companies.update(row.company_id for row in batch)
        with reading.connect() as connection:
            found.waiting += sum(
                connection.execute(_WAITING, {"id": row.id}).scalar_one() for row in batch
            )
    found.attempts = sum(len(batch) for batch in _masked_attempts(reading, number))
    found.filtered = sum(count for *_, count in _masked_conditions(reading, number))
    return found


def expunge(
    store: Store, reading: Engine, search: SearchPlace, number: PersonalNumber, actor: Actor
) -> Expunged:
    """Mask the number wherever `find` counts it, except in settings, and write the audit.

    It works in batches through the store, while a server runs. If it stops half way, run it again:
    masked rows no longer have the number. The audit has an entry before and one after, with counts
    and without the number. On SQLite the old bytes are overwritten, and the log is emptied if there
    is no reader at that moment; PostgreSQL keeps them until its next VACUUM.
    """
    done = Expunged()
    _note(store, actor, "begun")
    try:
        for batch in _masked_events(reading, number):
            ids = [event.id for event in batch]
            masking.take_out(search, ids)
            done.cancelled += store.session(partial(_mask_events, batch=batch))
            masking.put_back(search, ids)
            done.events += len(batch)
        for attempts in _masked_attempts(reading, number):
            store.run(partial(_mask_attempts, batch=attempts))
            done.attempts += len(attempts)
        for condition, masked, _ in _masked_conditions(reading, number):
            job = partial(_mask_conditions, condition=condition, masked=masked)
            while store.run(job) == BATCH:
                gevent.sleep(0)
    finally:
        store.run(partial(_overwrite, switch="OFF"))
        words = f"{done.events} events, {done.attempts} attempts, {done.cancelled} cancelled"
        _note(store, actor, words)
    _forget_old_bytes(reading)
    search.forget_old_bytes()
    return done


@dataclass(frozen=True, slots=True)
class _Event:
    """An event with the number, and its masked texts."""

    id: int
    company_id: int
    payload: str
    key: str


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt with the number, and its masked texts."""

    delivery: int
    number: int
    detail: str | None
    answer: str | None


def _masked_events(reading: Engine, number: PersonalNumber) -> Iterator[list[_Event]]:
    """Yield the events with the number, up to the newest of now, in non-empty batches."""
    with reading.connect() as connection:
        last = connection.execute(_LAST_EVENT).scalar_one()
    after = 0
    while rows := _read(reading, _EVENTS, after=after, last=last):
        after = rows[-1].id
        found = []
        for row in rows:
            payload, key = number.mask_json(row.payload), number.mask_text(row.order_key)
            if (payload, key) != (row.payload, row.order_key):
                found.append(_Event(row.id, row.company_id, payload, key))
        if found:
            yield found


def _masked_attempts(reading: Engine, number: PersonalNumber) -> Iterator[list[_Attempt]]:
    delivery, nth = 0, 0
    while rows := _read(reading, _ATTEMPTS, delivery=delivery, number=nth):
        delivery, nth = rows[-1].delivery_id, rows[-1].number
        found = []
        for row in rows:
            detail, answer = (
                None if each is None else number.mask_text(each)
                for each in (row.detail, row.answer)
            )
            if (detail, answer) != (row.detail, row.answer):
                found.append(_Attempt(row.delivery_id, row.number, detail, answer))
        if found:
            yield found


def _masked_conditions(reading: Engine, number: PersonalNumber) -> list[tuple[str, str, int]]:
    """Yield each condition with the number, its masked text, and its number of deliveries."""
    with reading.connect() as connection:
        found = [(each, number.mask_text(each), n) for each, n in connection.execute(_CONDITIONS)]
    return [each for each in found if each[0] != each[1]]


def _mask_conditions(connection: Connection, condition: str, masked: str) -> int:
    _overwrite(connection)
    values = {"condition": condition, "masked": masked, "batch": BATCH}
    return connection.execute(_MASK_CONDITIONS, values).rowcount


def _read(reading: Engine, query: Any, **values: object) -> list[Any]:
    # The server must do other work between two batches.
    gevent.sleep(0)
    with reading.connect() as connection:
        return list(connection.execute(query, {**values, "batch": BATCH}))


def _mask_events(session: Session, batch: list[_Event]) -> int:
    """Mask a batch. Return how many deliveries were cancelled."""
    connection = session.connection()
    _overwrite(connection)
    cancelled: Counter[int] = Counter()
    for event in batch:
        values = {"id": event.id, "key": event.key}
        note = EventNote.MASKED.value
        connection.execute(_MASK_EVENT, {**values, "payload": event.payload, "note": note})
        connection.execute(_MASK_KEYS, values)
        cancelled.update(_cancel(connection, event.id))
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
        "now": round(time.time() * 1000),
        "id": event_id,
    }
    return [row[0] for row in connection.execute(_CANCEL, values)]


def _mask_attempts(connection: Connection, batch: list[_Attempt]) -> None:
    _overwrite(connection)
    for each in batch:
        values = {"detail": each.detail, "answer": each.answer}
        connection.execute(
            _MASK_ATTEMPT, {**values, "delivery": each.delivery, "number": each.number}
        )


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


def _settings(reading: Engine, number: PersonalNumber) -> list[str]:
    found = []
    with reading.connect() as connection:
        for table, word, columns in _SETTINGS:
            # Filters are JSON, which PostgreSQL's driver would parse.
            texts = ", ".join(f"COALESCE(CAST({each} AS TEXT), '') AS {each}" for each in columns)
            query = text(f"SELECT id, {texts} FROM {table} ORDER BY id")
            for row in connection.execute(query).mappings():
                found += [
                    f"{word}_{row['id']} {column}"
                    for column in columns
                    if number.mask_text(row[column]) != row[column]
                ]
    return found
