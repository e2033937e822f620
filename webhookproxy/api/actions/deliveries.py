"""Deliveries are sent again, tried now and cancelled: one, some, or all since a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.orm import Session

from webhookproxy.api.reads.deliveries import DeliveryPath, WholeDelivery, answer_of
from webhookproxy.api.reads.webhooks import WebhookPath
from webhookproxy.api.shared.access import caller, delivery_of, webhook_of
from webhookproxy.api.shared.ids import DeliveryId, ResendId, Time, WebhookId
from webhookproxy.api.shared.operations import Given, Operations
from webhookproxy.api.shared.problems import ApiProblem, Mistake
from webhookproxy.api.shared.writing import write
from webhookproxy.events.catalog import MAX_NAME_LENGTH
from webhookproxy.extensions import db
from webhookproxy.models import BulkResend
from webhookproxy.models.audit import Action, record
from webhookproxy.models.deliveries import bulk_resends
from webhookproxy.models.deliveries.actions import Resent, cancel, resend, try_now
from webhookproxy.models.deliveries.missed import Wanted, count
from webhookproxy.models.deliveries.stored import STATES as STORED
from webhookproxy.models.deliveries.stored import count_stored
from webhookproxy.models.deliveries.tables import find_delivery
from webhookproxy.models.types import from_ms, to_ms
from webhookproxy.reasons import DeliveryState
from webhookproxy.rules import Refused

operations = Operations("delivery_actions", "Entregas")

# Deliveries that one request resends; more are resent by a webhook's resend.
SOME = 50


class ResendBody(Given):
    """How a delivery is sent again: as it was sent, or in the webhook's format of now."""

    in_newest_format: bool = False


@operations.acts("/deliveries/<delivery>/resend", WholeDelivery, "Reenvia uma entrega")
def resend_delivery(path: DeliveryPath, body: ResendBody) -> WholeDelivery:
    """Queue a delivery that ended again, with the same event id."""
    newest = body.in_newest_format

    def act(session: Session) -> object:
        return resend(session, find_delivery(session, path.delivery), in_newest_format=newest)

    return _act(path.delivery, Action.RESEND, act, "newest_format" if newest else "")


@operations.acts("/deliveries/<delivery>/retry", WholeDelivery, "Tenta agora uma entrega")
def retry_delivery(path: DeliveryPath) -> WholeDelivery:
    """Try a delivery that waits now; an earlier one with the same ordering key goes first."""
    return _act(
        path.delivery, Action.TRY_NOW, lambda s: try_now(s, find_delivery(s, path.delivery))
    )


@operations.acts("/deliveries/<delivery>/cancel", WholeDelivery, "Cancela uma entrega que espera")
def cancel_delivery(path: DeliveryPath) -> WholeDelivery:
    """Cancel a delivery that waits."""
    return _act(path.delivery, Action.CANCEL, lambda s: cancel(s, find_delivery(s, path.delivery)))


def _act(
    delivery_id: int, action: Action, act: Callable[[Session], object], detail: str = ""
) -> WholeDelivery:
    company_id, who = delivery_of(delivery_id)[1].company_id, caller().actor

    def job(session: Session) -> None:
        subject = f"delivery_{delivery_id}"
        record(session, who, action, company_id=company_id, subject=subject, detail=detail)
        act(session)

    write(job, company_id)
    return answer_of(*delivery_of(delivery_id))


class SeveralBody(Given):
    """Deliveries to send again."""

    ids: Annotated[list[DeliveryId], Field(min_length=1, max_length=SOME)]


class NotResent(BaseModel):
    """A delivery that is not sent again, and why."""

    id: DeliveryId
    message: str
    message_en: str


class SeveralAnswer(BaseModel):
    """The deliveries that are queued, those that waited already, and those that are refused."""

    queued: list[DeliveryId]
    waiting: list[DeliveryId]
    refused: list[NotResent]


@operations.acts("/resends", SeveralAnswer, "Reenvia até 50 entregas")
def resend_some(body: SeveralBody) -> SeveralAnswer:
    """Queue some deliveries again; if one may not be seen, none is queued."""
    who = caller().actor
    companies = {each: delivery_of(each)[1].company_id for each in sorted(set(body.ids))}

    def job(session: Session) -> SeveralAnswer:
        done = SeveralAnswer(queued=[], waiting=[], refused=[])
        for number, company_id in companies.items():
            try:
                found = resend(session, find_delivery(session, number))
            except Refused as refused:
                # Nothing is written before it refuses.
                first = refused.problems[0]
                done.refused.append(
                    NotResent(id=number, message=first.portuguese, message_en=first.english)
                )
                continue
            (done.queued if found is Resent.QUEUED else done.waiting).append(number)
            subject = f"delivery_{number}"
            record(session, who, Action.RESEND, company_id=company_id, subject=subject)
        return done

    return write(job, *set(companies.values()))


class BulkBody(Given):
    """Deliveries of one webhook that ended without arriving; `since` null: all of them."""

    since: AwareDatetime | None = None
    states: Annotated[tuple[DeliveryState, ...], Field(min_length=1, max_length=3)] = (
        DeliveryState.REFUSED,
        DeliveryState.EXPIRED,
    )
    event: Annotated[str, Field(max_length=MAX_NAME_LENGTH)] = ""


class BulkAnswer(BaseModel):
    """A resend of many deliveries, and its progress; `done` is from 0 to 1."""

    id: ResendId
    webhook_id: WebhookId
    state: str
    total: int
    total_is_cut: bool
    queued: int
    skipped: int
    delivered: int
    failed: int
    done: float
    asked_at: Time
    ended_at: Time | None


class StoredBody(Given):
    """Events that arrived before, and that a webhook was not sent; `since` null: all of them."""

    since: AwareDatetime | None = None
    event: Annotated[str, Field(max_length=MAX_NAME_LENGTH)] = ""


@operations.acts(
    "/webhooks/<webhook>/send-stored", BulkAnswer, "Envia o que já tinha chegado", status=201
)
def send_stored(path: WebhookPath, body: StoredBody) -> BulkAnswer:
    """Send a webhook the events since a time that it asks for and was not sent."""
    webhook, who = webhook_of(path.webhook), caller().actor
    since_ms = None if body.since is None else to_ms(body.since)
    wanted = Wanted(webhook.id, STORED, body.event, since_ms, stored=True)
    counted = count_stored(db.session(), webhook, wanted)
    company_id = webhook.company_id
    made = write(lambda session: bulk_resends.begin(session, wanted, counted, who), company_id)
    return _bulk(made)


class ResendPath(Given):
    """The resend of an address."""

    resend: ResendId


@operations.acts(
    "/webhooks/<webhook>/resends", BulkAnswer, "Reenvia tudo desde uma hora", status=201
)
def begin_resend(path: WebhookPath, body: BulkBody) -> BulkAnswer:
    """Send again what a webhook refused or what expired, after newer events."""
    company_id, who = webhook_of(path.webhook).company_id, caller().actor
    missed = (DeliveryState.REFUSED, DeliveryState.EXPIRED, DeliveryState.CANCELLED)
    if not set(body.states) <= set(missed):
        words = ", ".join(missed)
        raise ApiProblem(
            422,
            [
                Mistake(
                    path="/states",
                    message=f"Só se reenvia o que não chegou: {words}.",
                    message_en=f"Only what did not arrive is resent: {words}.",
                )
            ],
        )
    since_ms = None if body.since is None else to_ms(body.since)
    wanted = Wanted(path.webhook, tuple(dict.fromkeys(body.states)), body.event, since_ms)
    counted = count(db.session(), wanted)
    made = write(lambda session: bulk_resends.begin(session, wanted, counted, who), company_id)
    return _bulk(made)


@operations.reads("/resends/<resend>", BulkAnswer, "Mostra um reenvio")
def show_resend(path: ResendPath) -> BulkAnswer:
    """Show the progress of a resend."""
    return _bulk(path.resend)


@operations.acts("/resends/<resend>/cancel", BulkAnswer, "Cancela um reenvio")
def cancel_resend(path: ResendPath) -> BulkAnswer:
    """End a resend; what it queued and was not begun is withdrawn."""
    _bulk(path.resend)
    who = caller().actor
    write(lambda session: bulk_resends.cancel(session, path.resend, who))
    return _bulk(path.resend)


def _bulk(number: int) -> BulkAnswer:
    """Return a resend of a webhook that the caller may see. Raises ApiProblem (404) otherwise."""
    bulk = db.session.get(BulkResend, number)
    if bulk is None:
        raise ApiProblem(404)
    webhook_of(bulk.webhook_id)
    return BulkAnswer(
        id=bulk.id,
        webhook_id=bulk.webhook_id,
        state=bulk.state,
        total=bulk.total,
        total_is_cut=bulk.total_is_cut,
        queued=bulk.queued,
        skipped=bulk.skipped,
        delivered=bulk.delivered,
        failed=bulk.failed,
        done=bulk.done,
        asked_at=from_ms(bulk.asked_ms),
        ended_at=None if bulk.ended_ms is None else from_ms(bulk.ended_ms),
    )
