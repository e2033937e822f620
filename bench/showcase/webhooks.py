"""The webhooks, and the state of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from bench.showcase.companies import CLINIC, COLLECTOR
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.models import Company, Webhook
from webhookproxy.models.webhooks import create_webhook
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import DeliveryReason
from webhookproxy.rules.webhooks import WebhookInput, WebhookState

N8N = "n8n: agenda de retornos"
BITRIX = "Bitrix24: negócios"
HUBSPOT = "HubSpot: contatos"
PHP = "Sistema próprio (PHP)"
MAKE = "Make: planilha de acordos"
BI = "Painel de BI"

CALLS = (
    "call-was-connected",
    "call-was-finished",
    "call-history-was-created",
    "call-was-not-answered",
)


ANSWERED = (
    Condition("callHistory.status", Operator.EQUAL, "7"),
    Condition("callHistory.recorded", Operator.EQUAL, "true"),
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A webhook and its circuit: minutes since it opened, and the last result."""

    company: str
    given: WebhookInput
    failing_minutes: int | None = None
    error: tuple[DeliveryReason, int | None] | None = None
    gone_minutes: int | None = None


_ROWS = (
    Planned(
        CLINIC,
        WebhookInput(
            N8N,
            "https://n8n.clinicasorriso.example/webhook/6f1c2a9e-retornos",
            CALLS,
            secret="Qm9tIGRpYSwgbXVuZG8gZGUgd2ViaG9va3M",
            filters={"call-history-was-created": ANSWERED},
        ),
    ),
    Planned(
        CLINIC,
        WebhookInput(
            BITRIX,
            "https://clinicasorriso.bitrix24.example/rest/17/k3v9x0q2w7e1r5t8/crm.deal.add",
            CALLS,
            rate_limit=2.0,
        ),
        failing_minutes=41,
        error=(DeliveryReason.FAILED_STATUS, 503),
    ),
    Planned(
        CLINIC,
        WebhookInput(
            HUBSPOT,
            "https://hooks.hubspot.example/v1/contatos",
            ("call-history-was-created",),
            authorization="Bearer pat-na1-0000",
        ),
        gone_minutes=96,
        error=(DeliveryReason.GONE, 410),
    ),
    Planned(
        CLINIC,
        WebhookInput(
            PHP,
            "https://sistema.clinicasorriso.example/api/3cplus.php",
            authorization="Bearer meu_token_secreto",
            secret="minha_chave_secreta",
            parallelism=4,
            timeout=10.0,
        ),
        error=(DeliveryReason.REFUSED_STATUS, 422),
    ),
    Planned(
        COLLECTOR,
        WebhookInput(MAKE, "https://hook.us1.make.example/a1b2c3d4e5f6g7h8", CALLS),
    ),
    Planned(
        COLLECTOR,
        WebhookInput(BI, "https://bi.cobrancavale.example/ingest", state=WebhookState.SIMULATED),
    ),
    Planned(
        "Imobiliária Horizonte",
        WebhookInput("RD Station", "https://hooks.rdstation.example/u/81723", CALLS),
    ),
    Planned(
        "Autoescola Trânsito Livre",
        WebhookInput("Kommo", "https://autoescola.kommo.example/hook", CALLS),
    ),
    Planned(
        "Telecom Serra Azul",
        WebhookInput("Zapier: novas vendas", "https://hooks.zapier.example/hooks/catch/99/b", None),
    ),
)


def fill(session: Session, policy: Policy, companies: dict[str, Company]) -> dict[str, Webhook]:
    """Write the webhooks. Return them by name."""
    now = datetime.now(UTC)
    made = {}
    for planned in _ROWS:
        webhook = create_webhook(session, companies[planned.company].id, planned.given, policy)
        webhook.created_at = webhook.saved_at = now - timedelta(days=40)
        _set_health(webhook, planned, now)
        made[webhook.name] = webhook
    return made


def _set_health(webhook: Webhook, planned: Planned, now: datetime) -> None:
    health = webhook.health
    health.last_success_at = now - timedelta(seconds=40)
    if planned.error is not None:
        reason, status = planned.error
        health.last_error, health.last_error_status = reason.value, status
        health.last_error_at = now - timedelta(minutes=3)
        if reason is DeliveryReason.REFUSED_STATUS:
            health.refusing_since = now - timedelta(minutes=47)
            health.refusing_last_at = now
            health.first_attempts, health.first_refused = 312, 103
    if planned.failing_minutes is not None:
        opened = now - timedelta(minutes=planned.failing_minutes)
        health.circuit_opened_at = opened
        health.last_success_at = opened - timedelta(minutes=1)
        health.failed_probes = 9
        health.next_probe_at = now + timedelta(minutes=12, seconds=30)
    if planned.gone_minutes is not None:
        since = now - timedelta(minutes=planned.gone_minutes)
        health.last_success_at = since - timedelta(minutes=2)
        webhook.change_state(WebhookState.PAUSED, since, DeliveryReason.GONE.value)
