"""A webhook is tested, paused, resumed and simulated, and its secret exchanged."""

from __future__ import annotations

from typing import Annotated

from flask import current_app
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from webhookproxy.api.reads.webhooks import (
    WebhookAnswer,
    WebhookPath,
    answer_of,
)
from webhookproxy.api.shared import rates
from webhookproxy.api.shared.access import caller, webhook_of
from webhookproxy.api.shared.operations import Given, Operations
from webhookproxy.api.shared.writing import write
from webhookproxy.delivery.sending.trial import run_trial
from webhookproxy.events.catalog import CATALOG, MAX_NAME_LENGTH
from webhookproxy.extensions import db
from webhookproxy.models.audit import Action, record_webhook
from webhookproxy.models.deliveries.actions import resume_webhook
from webhookproxy.models.signing_secrets import end_rotation, rotate_secret
from webhookproxy.models.webhooks import find_webhook, switch_webhook
from webhookproxy.reasons.delivery_words import words_of_attempt
from webhookproxy.rules.webhooks import WebhookState

operations = Operations("webhook_actions", "Webhooks")


class TrialBody(Given):
    """The event to make up; without a name, the webhook's first, or a usual one."""

    event: Annotated[str, Field(max_length=MAX_NAME_LENGTH)] = ""


class TrialAnswer(BaseModel):
    """How the receiver answered; its text only for a token with the scope `payloads`."""

    accepted: bool
    status: int | None
    reason: str
    words: str
    words_en: str
    duration_ms: int
    answer: str | None


@operations.acts("/webhooks/<webhook>/test", TrialAnswer, "Envia um evento de teste")
def test_webhook(path: WebhookPath, body: TrialBody) -> TrialAnswer:
    """Send one made-up event now, and wait for the answer."""
    webhook, who = webhook_of(path.webhook), caller()
    rates.count_test(who.token_id)
    company_id, actor = webhook.company_id, who.actor
    policy = current_app.extensions["policy"]
    result = run_trial(db.session(), webhook, body.event or None, policy)
    outcome = result.outcome
    # Anything may be typed there, and nothing can be deleted from the audit.
    known = body.event if body.event in CATALOG else ""
    action = Action.WEBHOOK_TESTED
    write(lambda s: record_webhook(s, actor, action, company_id, path.webhook, known))
    # Where a redirect leads may hold a secret of the receiver.
    detail = outcome.detail if who.sees_personal else None
    words = words_of_attempt(outcome.reason, outcome.status, detail)
    return TrialAnswer(
        accepted=result.accepted,
        status=outcome.status,
        reason=outcome.reason.value,
        words=words.what,
        words_en=words.english,
        duration_ms=outcome.duration_ms,
        answer=outcome.answer if who.sees_personal else None,
    )


@operations.acts("/webhooks/<webhook>/pause", WebhookAnswer, "Pausa um webhook")
def pause_webhook(path: WebhookPath) -> WebhookAnswer:
    """Pause a webhook: events are kept and not sent."""
    return _switch(path.webhook, WebhookState.PAUSED, Action.WEBHOOK_PAUSED)


@operations.acts("/webhooks/<webhook>/simulate", WebhookAnswer, "Simula um webhook")
def simulate_webhook(path: WebhookPath) -> WebhookAnswer:
    """Simulate a webhook: everything but the POST is done."""
    return _switch(path.webhook, WebhookState.SIMULATED, Action.WEBHOOK_CHANGED)


class ResumeBody(Given):
    """Whether the deliveries that wait are sent or cancelled."""

    discard: bool = False


@operations.acts("/webhooks/<webhook>/resume", WebhookAnswer, "Retoma um webhook")
def resume(path: WebhookPath, body: ResumeBody) -> WebhookAnswer:
    """Send again; `discard` cancels what waits at this moment."""
    company_id, who = webhook_of(path.webhook).company_id, caller().actor

    def job(session: Session) -> None:
        found = find_webhook(session, path.webhook)
        if resume_webhook(session, found, discard=body.discard):
            about = "discard" if body.discard else ""
            record_webhook(session, who, Action.WEBHOOK_RESUMED, company_id, found.id, about)

    write(job, company_id)
    return answer_of(webhook_of(path.webhook))


class SecretBody(Given):
    """The new signing secret: it goes in, and no answer has it."""

    secret: Annotated[str, Field(min_length=1, max_length=1_000)]


@operations.acts("/webhooks/<webhook>/rotate-secret", WebhookAnswer, "Troca o segredo")
def rotate_webhook_secret(path: WebhookPath, body: SecretBody) -> WebhookAnswer:
    """Sign with this secret from now on; the old one signs too for 24 hours."""
    company_id, who = webhook_of(path.webhook).company_id, caller().actor

    def job(session: Session) -> None:
        rotate_secret(session, find_webhook(session, path.webhook), body.secret)
        record_webhook(session, who, Action.SECRET_ROTATED, company_id, path.webhook)

    write(job, company_id)
    return answer_of(webhook_of(path.webhook))


@operations.acts("/webhooks/<webhook>/end-rotation", WebhookAnswer, "Encerra o segredo antigo")
def end_secret_rotation(path: WebhookPath) -> WebhookAnswer:
    """Let only the new secret sign, because the receiver has it."""
    company_id, who = webhook_of(path.webhook).company_id, caller().actor

    def job(session: Session) -> None:
        if end_rotation(session, find_webhook(session, path.webhook)):
            action = Action.SECRET_ROTATED
            record_webhook(session, who, action, company_id, path.webhook, "finished")

    write(job, company_id)
    return answer_of(webhook_of(path.webhook))


def _switch(webhook_id: int, state: WebhookState, action: Action) -> WebhookAnswer:
    company_id, who = webhook_of(webhook_id).company_id, caller().actor

    def job(session: Session) -> None:
        if switch_webhook(session, find_webhook(session, webhook_id), state):
            record_webhook(session, who, action, company_id, webhook_id, "state")

    write(job, company_id)
    return answer_of(webhook_of(webhook_id))
