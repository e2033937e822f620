"""The events of a company, and what they say."""

from __future__ import annotations

import json
from typing import Annotated, Any

from flask import Response, current_app
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from webhookproxy.api.reads.companies import CompanyPath
from webhookproxy.api.shared.access import caller, company_of, event_of
from webhookproxy.api.shared.ids import CompanyId, DeliveryId, EventId, Time, WebhookId
from webhookproxy.api.shared.operations import Given, Operations
from webhookproxy.api.shared.paging import Page, PageQuery, cursor_of
from webhookproxy.events.catalog import MAX_NAME_LENGTH
from webhookproxy.events.masked import MASK, masked
from webhookproxy.extensions import db
from webhookproxy.models import Delivery, Event
from webhookproxy.models.accounts.api_tokens import Scope
from webhookproxy.models.deliveries.periods import first_event
from webhookproxy.models.payload_views import note_view
from webhookproxy.models.types import from_ms, to_ms
from webhookproxy.search.asking import ask
from webhookproxy.search.question import Question

operations = Operations("events", "Eventos")

# Characters of a payload that is read, masked and written within one turn of the event loop.
PAYLOAD_MAX = 64_000


class EventPath(Given):
    """The event of an address."""

    event: EventId


class EventQuery(PageQuery):
    """The events that are wanted; an empty field does not narrow them."""

    name: Annotated[str, Field(max_length=MAX_NAME_LENGTH, description="Nome exato do evento.")] = (
        ""
    )
    since: Annotated[AwareDatetime | None, Field(description="Chegados a partir de.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Chegados antes de.")] = None


class EventAnswer(BaseModel):
    """An event without its payload; `note` says why no webhook got it, if so."""

    id: EventId
    company_id: CompanyId
    name: str
    received_at: Time
    note: str | None


class EventPage(Page):
    """A page of events, the newest first; `is_cut`: the search looked at enough and stopped."""

    items: list[EventAnswer]
    is_cut: bool


class Due(BaseModel):
    """One delivery of an event."""

    id: DeliveryId
    webhook_id: WebhookId
    state: str
    reason: str


class WholeEvent(EventAnswer):
    """An event with its payload, which is masked for a token without the scope `payloads`.

    `is_too_long`: the payload is left out here, and /payload has it.
    """

    payload: Any
    is_masked: bool
    is_too_long: bool
    deliveries: list[Due]


@operations.reads("/companies/<company>/events", EventPage, "Lista os eventos de uma empresa")
def list_events(path: CompanyPath, query: EventQuery) -> EventPage:
    """List the events of a company."""
    company_of(path.company)
    session = db.session()
    since, until = query.since, query.until
    question = Question(
        frozenset({path.company}),
        name=query.name,
        since=0 if since is None else first_event(session, to_ms(since)),
        until=None if until is None else first_event(session, to_ms(until)),
        before=query.after(),
    )
    answer = ask(session, current_app.extensions["search"], question, query.limit)
    return EventPage(
        items=_events(session, answer.ids),
        is_cut=answer.cut,
        next_cursor=cursor_of(answer.ids[-1]) if answer.more else None,
    )


def _events(session: Session, ids: list[int]) -> list[EventAnswer]:
    wanted = select(Event).where(Event.id.in_(ids)).options(defer(Event.payload))
    newest = session.scalars(wanted.order_by(Event.id.desc()))
    return [EventAnswer(**_facts(event)) for event in newest]


def _facts(event: Event) -> dict[str, Any]:
    return {
        "id": event.public_id,
        "company_id": event.company_id,
        "name": event.name,
        "received_at": from_ms(event.received_ms),
        "note": event.note,
    }


@operations.reads("/events/<event>", WholeEvent, "Mostra um evento com o seu conteúdo")
def show_event(path: EventPath) -> WholeEvent:
    """Show one event with its payload and its deliveries."""
    event = event_of(path.event)
    wanted = select(Delivery).where(Delivery.event_id == event.id).order_by(Delivery.id)
    is_too_long = len(event.payload) > PAYLOAD_MAX
    return WholeEvent(
        **_facts(event),
        payload=None if is_too_long else _payload(event),
        is_masked=not caller().sees_personal,
        is_too_long=is_too_long,
        deliveries=[
            Due(id=each.id, webhook_id=each.webhook_id, state=each.state, reason=each.reason)
            for each in db.session.scalars(wanted)
        ],
    )


def _payload(event: Event) -> Any:
    """Return what 3C Plus sent, or the same with everything masked that may be personal."""
    if not caller().sees_personal:
        return json.loads(masked(event.payload) or json.dumps(MASK))
    note_view(current_app, caller().actor, event.public_id, event.company_id)
    try:
        # JSON has no NaN: an answer says the word.
        return json.loads(event.payload, parse_constant=str)
    except (ValueError, RecursionError):
        return event.payload


@operations.reads(
    "/events/<event>/payload", None, "O conteúdo exato de um evento", scope=Scope.PAYLOADS
)
def show_payload(path: EventPath) -> Response:
    """Return the payload exactly as it is stored."""
    event = event_of(path.event)
    note_view(current_app, caller().actor, event.public_id, event.company_id)
    return Response(event.payload.encode(), mimetype="application/json")
