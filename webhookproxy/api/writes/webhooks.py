"""A webhook is created, edited and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, current_app
from sqlalchemy.orm import Session

from webhookproxy.api.reads.companies import CompanyPath
from webhookproxy.api.reads.webhooks import WebhookAnswer, WebhookPath, answer_of
from webhookproxy.api.shared.access import caller, company_of, webhook_of
from webhookproxy.api.shared.operations import Operations
from webhookproxy.api.writes.bodies import NewWebhookBody, WebhookBody
from webhookproxy.api.writes.conditions import MatchHeader, OnceHeader
from webhookproxy.declared.webhooks import given_webhook, in_places
from webhookproxy.models import webhooks
from webhookproxy.models.accounts.api_tokens import Scope
from webhookproxy.models.audit import Action, record_webhook, record_webhook_edit
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookInput, changed_webhook

operations = Operations("webhook_writes", "Webhooks")


@operations.acts(
    "/companies/<company>/webhooks",
    WebhookAnswer,
    "Cria um webhook",
    scope=Scope.ADMINISTER,
    status=201,
)
def create_webhook(path: CompanyPath, header: OnceHeader, body: NewWebhookBody) -> WebhookAnswer:
    """Create a webhook, which gets the company's events from the next one on."""
    company_of(path.company)
    actor, allowed = caller().actor, current_app.extensions["policy"]
    given = WebhookInput(**given_webhook(body.read()))

    def act(session: Session) -> int:
        with _in_places():
            made = webhooks.create_webhook(session, path.company, given, allowed).id
        record_webhook(session, actor, Action.WEBHOOK_CREATED, path.company, made)
        return made

    return answer_of(webhook_of(header.create(act, path.company)))


@operations.acts("/webhooks/<webhook>", WebhookAnswer, "Muda um webhook", method="PATCH")
def edit_webhook(path: WebhookPath, header: MatchHeader, body: WebhookBody) -> WebhookAnswer:
    """Change the fields that are given, and no other; what waits is tried at once."""
    company_id, who = webhook_of(path.webhook).company_id, caller()
    actor, allowed = who.actor, current_app.extensions["policy"]
    # As on the pages: an operator could send a secret to an address of theirs on the same host.
    same_path = Scope.ADMINISTER not in who.rights
    given = given_webhook(body.read())

    def job(session: Session) -> None:
        found = webhooks.find_webhook(session, path.webhook)
        header.check(found)
        before = found.input()
        with _in_places():
            changed = changed_webhook(before, given, allowed, same_path=same_path)
            webhooks.edit_webhook(session, found, changed, allowed)
        record_webhook_edit(session, actor, before, found)

    header.write(job, company_id)
    return answer_of(webhook_of(path.webhook))


@operations.acts(
    "/webhooks/<webhook>",
    None,
    "Exclui um webhook",
    scope=Scope.ADMINISTER,
    status=204,
    method="DELETE",
)
def delete_webhook(path: WebhookPath, header: MatchHeader) -> Response:
    """Delete a webhook with the deliveries that wait."""
    company_id, actor = webhook_of(path.webhook).company_id, caller().actor

    def job(session: Session) -> None:
        found = webhooks.find_webhook(session, path.webhook)
        header.check(found)
        webhooks.delete_webhook(session, found)
        record_webhook(session, actor, Action.WEBHOOK_DELETED, company_id, path.webhook)

    header.write(job, company_id)
    return Response(status=204)


@contextmanager
def _in_places() -> Iterator[None]:
    """Name the fields of what is refused as the body does."""
    try:
        yield
    except Refused as refused:
        raise in_places(refused) from None
