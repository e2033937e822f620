"""Deliveries, each of one event to one webhook, and their attempts."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response, current_app
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import select

from webhookproxy.api.reads.companies import CompanyPath
from webhookproxy.api.shared.access import caller, company_of, delivery_of, webhook_of
from webhookproxy.api.shared.ids import DeliveryId, EventId, Time, WebhookId
from webhookproxy.api.shared.operations import Given, Operations
from webhookproxy.api.shared.paging import Page, PageQuery, cursor_of
from webhookproxy.api.shared.problems import ApiProblem
from webhookproxy.delivery.sending.request import stored_request
from webhookproxy.events.catalog import MAX_NAME_LENGTH
from webhookproxy.extensions import db
from webhookproxy.models import Attempt, Delivery, Event
from webhookproxy.models.accounts.api_tokens import Scope
from webhookproxy.models.payload_views import note_view
from webhookproxy.models.types import from_ms, to_ms
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.reasons import DeliveryReason, DeliveryState
from webhookproxy.reasons.delivery_words import words_of_attempt
from webhookproxy.search.deliveries import Found, Search, Wanted

operations = Operations("deliveries", "Entregas")

# Attempts of a delivery that are answered, the newest.
ATTEMPTS_MAX = 100


class DeliveryPath(Given):
    """The delivery of an address."""

    delivery: DeliveryId


class DeliveryQuery(PageQuery):
    """The deliveries that are wanted; an empty field does not narrow them."""

    webhook: Annotated[WebhookId | None, Field(description="Só deste webhook.")] = None
    state: Annotated[DeliveryState | None, Field(description="Só nesta situação.")] = None
    event: Annotated[str, Field(max_length=MAX_NAME_LENGTH, description="Nome do evento.")] = ""
    since: Annotated[AwareDatetime | None, Field(description="Chegados a partir de.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Chegados antes de.")] = None


class DeliveryAnswer(BaseModel):
    """A delivery: its state, and why."""

    id: DeliveryId
    webhook_id: WebhookId
    event_id: EventId | None
    event: str
    state: str
    reason: str
    status: int | None
    attempts: int
    resends: int
    received_at: Time | None
    next_attempt_at: Time | None
    ended_at: Time | None


class DeliveryPage(Page):
    """A page of deliveries, the newest first."""

    items: list[DeliveryAnswer]


class AttemptAnswer(BaseModel):
    """One request and its answer; the text only for a token with the scope `payloads`."""

    number: int
    started_at: Time
    duration_ms: int
    status: int | None
    reason: str
    words: str
    words_en: str
    is_probe: bool
    answer: str | None


class WholeDelivery(DeliveryAnswer):
    """A delivery with its attempts, the oldest first."""

    attempt_list: list[AttemptAnswer]


@operations.reads(
    "/companies/<company>/deliveries", DeliveryPage, "Lista as entregas de uma empresa"
)
def list_deliveries(path: CompanyPath, query: DeliveryQuery) -> DeliveryPage:
    """List the deliveries of a company."""
    company_of(path.company)
    session = db.session()
    if query.webhook is None:
        webhooks = [each.id for each in live_webhooks(session, [path.company])]
    elif webhook_of(query.webhook).company_id == path.company:
        webhooks = [query.webhook]
    else:
        raise ApiProblem(404)
    wanted = Wanted(
        webhooks,
        () if query.state is None else (query.state.value,),
        query.event,
        since_ms=None if query.since is None else to_ms(query.since),
        until_ms=None if query.until is None else to_ms(query.until),
        before=query.after(),
    )
    search = Search(session, wanted)
    search.run(query.limit + 1)
    rows, full = search.found[: query.limit], len(search.found) > query.limit
    edge = rows[-1].id if full else search.edge
    public_ids = _public_ids({row.event_id for row in rows})
    return DeliveryPage(
        items=[
            DeliveryAnswer(**_facts(row, public_ids.get(row.event_id), row.event, row.received_ms))
            for row in rows
        ],
        next_cursor=None if edge is None else cursor_of(edge),
    )


def _public_ids(ids: set[int]) -> dict[int, str]:
    rows = db.session.execute(select(Event.id, Event.public_id).where(Event.id.in_(ids)))
    return {row.id: row.public_id for row in rows}


def _facts(
    row: Found | Delivery, public_id: str | None, event: str, received_ms: int
) -> dict[str, Any]:
    return {
        "id": row.id,
        "webhook_id": row.webhook_id,
        "event_id": public_id,
        "event": event,
        "state": row.state,
        "reason": row.reason,
        "status": row.status,
        "attempts": row.attempts,
        "resends": row.resends,
        "received_at": from_ms(received_ms),
        "next_attempt_at": None if row.due_ms is None else from_ms(row.due_ms),
        "ended_at": None if row.ended_ms is None else from_ms(row.ended_ms),
    }


@operations.reads("/deliveries/<delivery>", WholeDelivery, "Mostra uma entrega e suas tentativas")
def show_delivery(path: DeliveryPath) -> WholeDelivery:
    """Show one delivery with its attempts."""
    delivery, event = delivery_of(path.delivery)
    if caller().sees_personal:
        note_view(current_app, caller().actor, f"delivery_{delivery.id}", event.company_id)
    return answer_of(delivery, event)


def answer_of(delivery: Delivery, event: Event) -> WholeDelivery:
    """Return a delivery as the API answers it."""
    facts = _facts(delivery, event.public_id, event.name, event.received_ms)
    wanted = select(Attempt).where(Attempt.delivery_id == delivery.id)
    newest = db.session.scalars(wanted.order_by(Attempt.number.desc()).limit(ATTEMPTS_MAX))
    return WholeDelivery(**facts, attempt_list=[_attempt(each) for each in newest][::-1])


def _attempt(attempt: Attempt) -> AttemptAnswer:
    sees = caller().sees_personal
    # Where a redirect leads may hold a secret of the receiver.
    detail = attempt.detail if sees else None
    words = words_of_attempt(DeliveryReason(attempt.reason), attempt.status, detail)
    return AttemptAnswer(
        number=attempt.number,
        started_at=from_ms(attempt.started_ms),
        duration_ms=attempt.duration_ms,
        status=attempt.status,
        reason=attempt.reason,
        words=words.what,
        words_en=words.english,
        is_probe=attempt.probe,
        answer=attempt.answer if sees else None,
    )


@operations.reads(
    "/deliveries/<delivery>/body", None, "O corpo exato de uma entrega", scope=Scope.PAYLOADS
)
def show_delivery_body(path: DeliveryPath) -> Response:
    """Return the exact bytes of the body."""
    delivery, event = delivery_of(path.delivery)
    asked = stored_request(db.session(), delivery)
    note_view(current_app, caller().actor, f"delivery_{delivery.id}", event.company_id)
    return Response(asked.body.encode(), mimetype=dict(asked.headers)["Content-Type"])
