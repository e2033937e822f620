"""Reads what is stored of the calls of a day, a little at a time, and compares it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import gevent
import orjson
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.orm import Session

from webhookproxy.database.bulk import numbers
from webhookproxy.events.recovery.comparison import (
    NAMED_MAX,
    AtWebhook,
    Call,
    Compared,
    Due,
    began_ms,
)
from webhookproxy.events.recovery.histories import HISTORY
from webhookproxy.models import Webhook
from webhookproxy.models.recovery.call_histories import events_of_histories

# Rows of one read: SQLite lets nothing else run meanwhile.
ROWS = 400
PAYLOADS = 25
# Histories that 3C Plus does not list, of which the payload is read.
UNLISTED_MAX = 5_000

_STORED = "SELECT id FROM events WHERE id IN ({ids})"
_DUES = (
    "SELECT event_id, webhook_id, id, state FROM deliveries"
    " WHERE event_id IN ({ids}) AND webhook_id IN ({webhooks})"
)
_SEEN = text(
    "SELECT history_id, seen_ms, event_id FROM call_histories WHERE company_id = :company"
    " AND seen_ms >= :after_ms AND (seen_ms, history_id) > (:after_ms, :after)"
    " AND seen_ms < :until"
    " ORDER BY seen_ms, history_id LIMIT :most"
)
_PAYLOADS = "SELECT id, payload FROM events WHERE id IN ({ids}) ORDER BY id"


def compare(
    reading: Engine, company_id: int, listed: Sequence[str], details: Mapping[str, Call]
) -> Compared:
    """Compare calls that 3C Plus lists with what is stored here.

    `details` are the calls that may be missing, as 3C Plus describes them.
    """
    with Session(reading) as session:
        found = Compared(webhooks=[AtWebhook(each) for each in _wanting(session, company_id)])
    size = max(1, ROWS // max(1, len(found.webhooks)))
    for begin in range(0, len(listed), size):
        with reading.connect() as connection:
            missing = _take(connection, company_id, found, listed[begin : begin + size])
        room = NAMED_MAX - len(found.missing)
        found.missing += [details.get(each, Call(each)) for each in missing[:room]]
        gevent.sleep(0)
    return found


def only_here(
    reading: Engine, company_id: int, span: tuple[int, int], until_ms: int, listed: Collection[str]
) -> list[int]:
    """Return the events of calls of a time that are not listed, and that arrived before a moment.

    A history without a time, or whose event is purged, may be of another day: it is left out.
    """
    found: list[int] = []
    for events in _unlisted(reading, company_id, span[0], until_ms, listed):
        for begin in range(0, len(events), PAYLOADS):
            with reading.connect() as connection:
                found += _of_time(connection, events[begin : begin + PAYLOADS], span)
            gevent.sleep(0)
    return found


def _wanting(session: Session, company_id: int) -> list[int]:
    """Return the webhooks of a company that ask for histories."""
    query = select(Webhook.id, Webhook.events).where(
        Webhook.company_id == company_id, Webhook.deleted_at.is_(None)
    )
    rows = session.execute(query.order_by(Webhook.id))
    return [row.id for row in rows if row.events is None or HISTORY in row.events]


def _take(
    connection: Connection, company_id: int, found: Compared, calls: Sequence[str]
) -> list[str]:
    known = events_of_histories(connection, company_id, calls)
    events = numbers(each for each in known.values() if each is not None)
    if not events:
        return found.take(calls, known, (), ())
    stored = set(connection.execute(text(_STORED.format(ids=events))).scalars())
    dues: list[Due] = []
    if found.webhooks:
        webhooks = numbers(each.webhook_id for each in found.webhooks)
        query = text(_DUES.format(ids=events, webhooks=webhooks))
        dues = [Due(*row) for row in connection.execute(query)]
    return found.take(calls, known, stored, dues)


def _unlisted(
    reading: Engine, company_id: int, since_ms: int, until_ms: int, listed: Collection[str]
) -> Iterator[list[int]]:
    """Yield the events of histories that arrived in a time and are not listed."""
    given = {"company": company_id, "until": until_ms, "most": ROWS}
    after_ms, after, count = since_ms, "", 0
    while count < UNLISTED_MAX:
        with reading.connect() as connection:
            place = {"after_ms": after_ms, "after": after}
            rows = connection.execute(_SEEN, {**given, **place}).all()
        events = [row.event_id for row in rows if row.event_id and row.history_id not in listed]
        count += len(events)
        yield events
        gevent.sleep(0)
        if len(rows) < ROWS:
            return
        after_ms, after = rows[-1].seen_ms, rows[-1].history_id


def _of_time(connection: Connection, event_ids: Sequence[int], span: tuple[int, int]) -> list[int]:
    """Return those of the events whose call began in this time."""
    found = []
    query = text(_PAYLOADS.format(ids=numbers(event_ids)))
    for event_id, payload in connection.execute(query).all():
        try:
            at_ms = began_ms(orjson.loads(payload))
        except ValueError:
            continue
        if at_ms is not None and span[0] <= at_ms < span[1]:
            found.append(event_id)
    return found
