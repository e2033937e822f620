"""The stored events that a webhook was not sent: their number, the next ones, and their queueing.

An event is sent later if the webhook asks for it today, its filter lets it through, and nothing was
sent of it: it has no delivery to this webhook, or one that was filtered, or one that was cancelled
before its first attempt. Of a call that was recovered, and that the socket brought later, only one
of both events is sent. An event and its deliveries are committed together, so no event that is
being stored now is taken for one without a delivery.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import gevent
from sqlalchemy import ColumnElement, Row, and_, func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from webhookproxy.database.clock import utc_now
from webhookproxy.events.conditions import Compiled
from webhookproxy.models.deliveries.actions import queue_again
from webhookproxy.models.deliveries.missed import Counted, Wanted
from webhookproxy.models.deliveries.periods import first_event
from webhookproxy.models.deliveries.tables import Delivery
from webhookproxy.models.events import Event, newest_event
from webhookproxy.models.installation.changes import note_change
from webhookproxy.models.webhooks import Webhook, WebhookHealth
from webhookproxy.reasons import MARKERS, DeliveryReason, DeliveryState, EventNote
from webhookproxy.rules.filters import compiled_filters

# Events are counted up to here; then `is_cut` says that more may exist.
LOOK_AT = 50_000
# Characters of payloads that a filter looks into, for one count or one step.
COUNTED_CHARACTERS = 16_000_000
STEP_CHARACTERS = 500_000
# Rows of one statement, and characters of payloads that are looked into before others run.
ROUND = 200
_TURN = 100_000

# Of a marker nothing can be sent, and of an event without its personal data nothing may be.
_NEVER = (*MARKERS, EventNote.MASKED)
# The states that a request is stored with: those of deliveries of which nothing was sent. A server
# of an earlier version finds no missed delivery in them.
STATES = (DeliveryState.FILTERED,)
# States of a delivery that exists, although nothing was sent.
_UNSENT = (DeliveryState.FILTERED, DeliveryState.CANCELLED)

_ROWS = text(
    "SELECT e.id, e.name, e.note, e.recovered, e.twin, d.state, d.reason, d.attempts, d.sent_later"
    " FROM events e"
    " LEFT JOIN deliveries d ON d.event_id = e.id AND d.webhook_id = :webhook"
    " WHERE e.company_id = :company AND e.id > :after AND e.id <= :upto"
    f" ORDER BY e.id LIMIT {ROUND}"
)

_DELIVERY = text(
    "SELECT state, attempts, sent_later FROM deliveries"
    " WHERE event_id = :event AND webhook_id = :webhook"
)


class StoredEvents:
    """Walks through a company's events and yields the numbers of those to send to a webhook.

    `at` is the last event that was looked at, `is_over` says that none is left, and `left_out`
    counts those that the filter does not let through. It stops after `look_at` events, or when
    the filter has looked into `characters` of payloads.
    """

    def __init__(
        self, session: Session, webhook: Webhook, wanted: Wanted, after: int, upto: int
    ) -> None:
        self.at = after
        self.is_over = False
        self.left_out = 0
        self._session = session
        self._wanted = wanted
        self._given = {"webhook": webhook.id, "company": webhook.company_id, "upto": upto}
        self._names = None if webhook.events is None else frozenset(webhook.events)
        self._takes_recovered = webhook.takes_recovered
        self._tests = compiled_filters(webhook.filters)
        self._characters = 0
        # Those of twins that were chosen: they may not be queued yet.
        self._chosen: set[int] = set()

    def walk(self, look_at: int, characters: int) -> Iterator[int]:
        """Yield the numbers of the events to send, in their order."""
        looked_at = 0
        while not self.is_over and looked_at < look_at:
            rows = self._session.execute(_ROWS, {**self._given, "after": self.at}).all()
            for row in rows:
                if self._characters >= characters:
                    return
                self.at = row.id
                if self._is_sent(row):
                    if row.twin is not None:
                        self._chosen.add(row.id)
                    yield row.id
            looked_at += len(rows)
            self.is_over = len(rows) < ROUND
            # Another round must not keep the sockets waiting.
            gevent.sleep(0)

    def _is_sent(self, row: Row[Any]) -> bool:
        if row.note in _NEVER or not _is_unsent(row):
            return False
        # One event that a user chose goes whatever the webhook asks for.
        if self._wanted.event_id is not None:
            return True
        if not self._is_asked_for(row):
            return False
        passes = row.name not in self._tests or self._passes(row.id, self._tests[row.name])
        self.left_out += not passes
        return passes

    def _is_asked_for(self, row: Row[Any]) -> bool:
        """Return whether the webhook and the request ask for an event."""
        if self._names is not None and row.name not in self._names:
            return False
        if self._wanted.event not in ("", row.name):
            return False
        if row.recovered and not self._takes_recovered:
            return False
        # The webhook got the same call when it was recovered.
        if row.reason == DeliveryReason.ALREADY_RECOVERED:
            return False
        return row.twin is None or not (row.twin in self._chosen or self._got(row.twin))

    def _got(self, event_id: int) -> bool:
        """Return whether an event was sent to the webhook, or is to be sent."""
        given = {"event": event_id, "webhook": self._given["webhook"]}
        found = self._session.execute(_DELIVERY, given).first()
        return found is not None and not _is_unsent(found)

    def _passes(self, event_id: int, test: Compiled) -> bool:
        """Return whether the filter lets an event through."""
        payload = self._session.scalar(select(Event.payload).where(Event.id == event_id)) or ""
        before, self._characters = self._characters, self._characters + len(payload)
        if before // _TURN != self._characters // _TURN:
            gevent.sleep(0)
        return test.failing_text(payload) is None


def _is_unsent(row: Row[Any]) -> bool:
    """Return whether nothing was sent of an event: of a row of _ROWS or _DELIVERY."""
    if row.state is None or row.state == DeliveryState.FILTERED:
        return True
    return row.state == DeliveryState.CANCELLED and bool(row.sent_later) and not row.attempts


def count_stored(session: Session, webhook: Webhook, wanted: Wanted) -> Counted:
    """Count the events to send that are stored now, in rounds: other greenlets run between them."""
    upto = newest_event(session)
    begins = 0 if wanted.since_ms is None else first_event(session, wanted.since_ms) - 1
    if wanted.event_id is not None:
        begins, upto = wanted.event_id - 1, wanted.event_id
    events = StoredEvents(session, webhook, wanted, begins, upto)
    found, first, last = 0, 0, 0
    for event_id in events.walk(LOOK_AT, COUNTED_CHARACTERS):
        found, first, last = found + 1, first or event_id, event_id
    is_cut = not events.is_over
    # A cut count does not know the last one.
    ends = (_arrived(session, first), None if is_cut else _arrived(session, last))
    return Counted(found, is_cut, begins, upto, *ends, left_out=events.left_out)


def following_stored(
    session: Session, webhook: Webhook, wanted: Wanted, after: int, upto: int, limit: int
) -> tuple[list[int], int, bool]:
    """Return the next events to send, at most `limit`, from the next few.

    The second value is the number up to which events were read, the third whether none is left.
    """
    events = StoredEvents(session, webhook, wanted, after, upto)
    ids = list(islice(events.walk(ROUND, STEP_CHARACTERS), limit))
    return ids, events.at, events.is_over


def queue_stored(
    session: Session, webhook: Webhook, event_ids: Sequence[int], numbers: Sequence[int]
) -> list[int]:
    """Queue deliveries of stored events, with the first of `numbers`; return all of them.

    A delivery that was filtered, or cancelled before its first attempt, keeps its number. An event
    that was removed or masked since it was chosen is left out.
    """
    rows = session.execute(
        select(Event.id, Event.order_key, Delivery.id.label("delivery_id"))
        .outerjoin(Delivery, and_(Delivery.event_id == Event.id, Delivery.webhook_id == webhook.id))
        .where(Event.id.in_(event_ids), func.coalesce(Event.note, "").not_in(_NEVER))
        .where(or_(Delivery.id.is_(None), _can_be_sent()))
        .order_by(Event.id)
    ).all()
    known = [row.delivery_id for row in rows if row.delivery_id is not None]
    queued = queue_again(session, webhook, known, _UNSENT)
    if queued:
        # A condition is masked for privacy only while its delivery is kept back.
        later = update(Delivery).where(Delivery.id.in_(queued))
        session.execute(later.values(sent_later=True, condition=None))
    new = [row for row in rows if row.delivery_id is None]
    added = [
        _new(number, row.id, row.order_key, webhook)
        for number, row in zip(numbers, new, strict=False)
    ]
    if added:
        _add(session, webhook, added)
    # An unwanted event would be purged long before its delivery.
    wanted = update(Event).where(Event.id.in_([row.id for row in rows]))
    session.execute(wanted.where(Event.note == EventNote.UNWANTED).values(note=None))
    session.expire_all()
    return sorted([*queued, *(each["id"] for each in added)])


def _can_be_sent() -> ColumnElement[bool]:
    """Return the condition for a delivery of which nothing was sent, as _is_unsent has it."""
    cancelled = and_(
        Delivery.state == DeliveryState.CANCELLED,
        Delivery.sent_later.is_(True),
        Delivery.attempts == 0,
    )
    return or_(Delivery.state == DeliveryState.FILTERED, cancelled)


def _new(number: int, event_id: int, order_key: str, webhook: Webhook) -> dict[str, Any]:
    return {
        "id": number,
        "event_id": event_id,
        "webhook_id": webhook.id,
        "order_key": order_key,
        "state": DeliveryState.QUEUED.value,
        "reason": DeliveryReason.RESENT.value,
        "tries": 0,
        "attempts": 0,
        "born_ms": webhook.clock_ms(utc_now()),
        # It waits behind new events, and its first attempt says nothing about the delay of these.
        "resends": 1,
        "sent_later": True,
    }


def _add(session: Session, webhook: Webhook, rows: list[dict[str, Any]]) -> None:
    session.execute(insert(Delivery), rows)
    health = update(WebhookHealth).where(WebhookHealth.webhook_id == webhook.id)
    session.execute(health.values(created=WebhookHealth.created + len(rows)))
    note_change(session, webhook.company_id, webhook.id)


def _arrived(session: Session, event_id: int) -> int | None:
    return session.scalar(select(Event.received_ms).where(Event.id == event_id))
