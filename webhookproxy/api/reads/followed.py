"""The events of a company after a place, page by page, as a receiver would get them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webhookproxy.delivery.sending.body import source_of
from webhookproxy.events.contract import ids_beside
from webhookproxy.events.formats.definition import Format, FormatKind, Unrenderable
from webhookproxy.events.formats.rendering import render
from webhookproxy.events.formats.stored import read_format
from webhookproxy.listener.routes import route_of
from webhookproxy.models import Event, Webhook
from webhookproxy.models.deliveries.periods import first_event
from webhookproxy.reasons import MARKERS

# Rows of one page: a payload can have a megabyte.
PAGE = 16
# The place before every event.
BEGINNING = "evt_0"
# The time in an id may be some milliseconds after that of its event.
_AROUND_MS = 1_000
_EVENT_ID = re.compile(r"evt_([0-9a-f]{12})[0-9a-f]{20}")


def newest_place(session: Session, company_id: int) -> tuple[int, str]:
    """Return the number and the public id of a company's newest event."""
    newest = select(func.max(Event.id)).where(Event.company_id == company_id)
    row = session.execute(
        select(Event.id, Event.public_id).where(Event.id == newest.scalar_subquery())
    ).one_or_none()
    return (0, BEGINNING) if row is None else (row.id, row.public_id)


def place_of(session: Session, public_id: str) -> int | None:
    """Return the number after which the events follow on this one; None if that is no event's id.

    The place of an event that was purged is found by the time in its id, and by its neighbours.
    """
    if public_id == BEGINNING:
        return 0
    if (number := session.scalar(select(Event.id).where(Event.public_id == public_id))) is not None:
        return number
    found = _EVENT_ID.fullmatch(public_id)
    if found is None:
        return None
    moment_ms = int(found[1], 16)
    begin, end = (
        first_event(session, at) for at in (moment_ms - _AROUND_MS, moment_ms + _AROUND_MS)
    )
    around = select(func.max(Event.id)).where(Event.id >= begin, Event.id < end)
    before = session.scalar(around.where(Event.public_id <= public_id))
    return begin - 1 if before is None else before


def page_after(session: Session, company_id: int, place: int) -> Sequence[Event]:
    """Return the next events of a company in the order in which they arrived, PAGE at most."""
    wanted = select(Event).where(Event.company_id == company_id, Event.id > place)
    return session.scalars(wanted.order_by(Event.id).limit(PAGE)).all()


class Look:
    """What one stream shows of an event: all of it, or what a webhook's filter and format leave."""

    def __init__(self, webhook: Webhook | None) -> None:
        self._route = None if webhook is None else route_of(webhook)
        self._format = Format() if webhook is None else read_format(webhook.format)

    def lines(self, event: Event) -> Iterator[str]:
        """Yield the server-sent event of an event, or only its id if it is filtered out."""
        yield f"id: {event.public_id}\n"
        if event.note not in MARKERS and self._is_wanted(event):
            kind, data = self._data(event)
            yield f"event: {kind}\ndata: {json.dumps(data)}\n"
        yield "\n"

    def _is_wanted(self, event: Event) -> bool:
        if self._route is None:
            return True
        if self._route.events is not None and event.name not in self._route.events:
            return False
        test = self._route.for_event(event.name).test
        return test is None or test.failing_text(event.payload) is None

    def _data(self, event: Event) -> tuple[str, dict[str, object]]:
        webhook_id = 0 if self._route is None else self._route.webhook_id
        about = {"event": event.name, "event_id": event.public_id}
        try:
            body, content_type = render(self._format, source_of(event, webhook_id))
        except Unrenderable as error:
            return "unrenderable", {**about, "detail": error.detail}
        is_standard = self._format.kind is FormatKind.STANDARD
        ids = {} if is_standard else ids_beside(event.public_id, event.company_id)
        return "event", {
            **about,
            "content_type": content_type,
            "headers": dict(ids),
            "body": body.decode("utf-8"),
        }
