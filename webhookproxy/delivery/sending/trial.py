"""One made-up event, sent now as a delivery would be; nothing of it is stored."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy.orm import Session

from webhookproxy.database.clock import seconds_now
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.delivery.sending.body import Bodies, newest_only
from webhookproxy.delivery.sending.request import ShownRequest, shown_request
from webhookproxy.delivery.sending.sender import Sender
from webhookproxy.events import contract, payload
from webhookproxy.events.catalog import CATALOG, is_event_name
from webhookproxy.events.formats.definition import Unrenderable
from webhookproxy.models.companies import Company, find_company
from webhookproxy.models.deliveries.tables import Due, Facts
from webhookproxy.models.webhooks import Webhook
from webhookproxy.network.dial import shared_resolver
from webhookproxy.network.guard import Policy
from webhookproxy.rules import Refused

DEFAULT_EVENT = "call-was-connected"


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What was sent, without secrets, and what came back.

    `outcome` has the status (None without an answer), the reason (its words are in
    DELIVERY_WORDS), the milliseconds it took and the beginning of the answer.
    """

    request: ShownRequest
    outcome: Outcome

    @property
    def accepted(self) -> bool:
        """Whether the receiver's answer counts as success."""
        return self.outcome.kind is Kind.SUCCESS


@dataclass(frozen=True, slots=True)
class Trial:
    """A made-up event that is ready to go: sending it needs no database."""

    webhook_id: int
    request: ShownRequest
    _sender: Sender
    _due: Due

    def send(self) -> TrialResult:
        """Send it; it takes up to the webhook's timeout. Once only."""
        try:
            return TrialResult(self.request, self._sender.send(self._due))
        finally:
            self._sender.close()


def run_trial(
    session: Session, webhook: Webhook, event_name: str | None, policy: Policy
) -> TrialResult:
    """Send the catalogue's sample of an event (None: the webhook's first, or a usual one).

    It takes up to the webhook's timeout. What the session had read is given up before, so that
    the database does not wait for the receiver. Refused if that is no event name.
    """
    trial = prepare_trial(session, webhook, event_name, policy)
    session.rollback()
    return trial.send()


def prepare_trial(
    session: Session, webhook: Webhook, event_name: str | None, policy: Policy
) -> Trial:
    """The same, made ready to be sent; Refused also if the sample has no body in the format."""
    company = find_company(session, webhook.company_id)
    name = (webhook.events or [DEFAULT_EVENT])[0] if event_name is None else event_name
    if not is_event_name(name):
        raise Refused.one(
            "event",
            "--event is not an event name: up to 200 printable characters.",
            "Isto não é um nome de evento: até 200 caracteres visíveis.",
        )
    now = seconds_now()
    due = _due(webhook, company, name, round(now * 1000))
    try:
        body = Bodies(webhook, newest_only).of(due)
    except Unrenderable as error:
        raise Refused.one(
            "event",
            f"The sample of {name} has no body in this webhook's format ({error.code}).",
            error.detail,
        ) from None
    request = shown_request(webhook, due, body, attempt=1, sent_ms=int(now) * 1000)
    # One moment for the whole attempt, so that what is shown is what was sent.
    sender = Sender(webhook, policy, shared_resolver(), lambda: now)
    return Trial(webhook.id, request, sender, due)


def _due(webhook: Webhook, company: Company, name: str, now_ms: int) -> Due:
    """The delivery that the catalogue's sample of this event would become; {} without one."""
    sample = CATALOG[name].sample if name in CATALOG else {}
    text = json.dumps([name, sample], ensure_ascii=False, separators=(",", ":"))
    event = payload.read(text, company.hide_credentials)
    facts = Facts(
        public_id=contract.new_event_id(now_ms),
        company_id=company.id,
        name=event.name,
        payload=event.payload,
        socket_id=company.connection.socket_id or "",
        token_mask=contract.token_mask(company.token),
        received_ms=now_ms,
    )
    return Due(
        id=0,
        webhook_id=webhook.id,
        order_key=event.order_key,
        tries=0,
        attempts=0,
        born_ms=now_ms,
        first_attempt_ms=None,
        due_ms=None,
        facts=facts,
    )
