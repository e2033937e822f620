"""Webhooks, with their counters and what is wrong with them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from webhookproxy.api.reads.companies import CompanyPath
from webhookproxy.api.shared.access import caller, company_of, webhook_of
from webhookproxy.api.shared.ids import CompanyId, Time, WebhookId
from webhookproxy.api.shared.operations import Given, Operations
from webhookproxy.api.shared.paging import Page, PageQuery
from webhookproxy.database.clock import utc_now
from webhookproxy.events.masked import masked_text
from webhookproxy.extensions import db
from webhookproxy.models import Webhook
from webhookproxy.models.webhooks import secrets_later
from webhookproxy.network.guard import masked_url
from webhookproxy.troubles.now import trouble_of
from webhookproxy.troubles.words import trouble_english

operations = Operations("webhooks", "Webhooks")


class WebhookPath(Given):
    """The webhook of an address."""

    webhook: WebhookId


class Counters(BaseModel):
    """How many deliveries a webhook had, by their state."""

    waiting: int
    delivered: int
    refused: int
    expired: int
    cancelled: int
    simulated: int


class TroubleAnswer(BaseModel):
    """What is wrong with a webhook, and since when."""

    kind: str
    since: Time
    cause_en: str
    status: int | None


class WebhookAnswer(BaseModel):
    """A webhook; `version` is that of its settings.

    Of its secrets it has only whether there are some; long parts of the URL are cut.
    """

    id: WebhookId
    company_id: CompanyId
    version: str
    file_key: str | None
    name: str
    url: str
    events: list[str] | None
    filters: dict[str, list[dict[str, str]]]
    format: dict[str, Any] | None
    state: str
    parallelism: int
    timeout: float
    rate_limit: float | None
    max_age: float
    takes_recovered: bool
    has_authorization: bool
    has_secret: bool
    has_headers: bool
    success_rule: dict[str, str] | None
    signs_twice_until: Time | None
    created_at: Time
    saved_at: Time
    counters: Counters
    circuit_is_open: bool
    last_success_at: Time | None
    last_error_at: Time | None
    trouble: TroubleAnswer | None


class WebhookPage(Page):
    """A page of webhooks, the oldest first."""

    items: list[WebhookAnswer]


@operations.reads("/companies/<company>/webhooks", WebhookPage, "Lista os webhooks de uma empresa")
def list_webhooks(path: CompanyPath, query: PageQuery) -> WebhookPage:
    """List the webhooks of a company."""
    company_of(path.company)
    after = query.after()
    wanted = (
        select(Webhook)
        .where(Webhook.company_id == path.company, Webhook.deleted_at.is_(None))
        .options(joinedload(Webhook.health), *secrets_later())
        .order_by(Webhook.id)
        .limit(query.limit + 1)
    )
    if after is not None:
        wanted = wanted.where(Webhook.id > after)
    rows = db.session.scalars(wanted).all()
    shown, next_cursor = query.cut(rows, lambda webhook: (webhook.id,))
    has_secrets = _with_secrets([each.id for each in shown])
    return WebhookPage(
        items=[_answer(webhook, has_secrets[webhook.id]) for webhook in shown],
        next_cursor=next_cursor,
    )


@operations.reads("/webhooks/<webhook>", WebhookAnswer, "Mostra um webhook")
def show_webhook(path: WebhookPath) -> WebhookAnswer:
    """Show one webhook."""
    return answer_of(webhook_of(path.webhook))


def answer_of(webhook: Webhook) -> WebhookAnswer:
    """Return a webhook as the API answers it."""
    return _answer(webhook, _with_secrets([webhook.id])[webhook.id])


def _with_secrets(ids: list[int]) -> dict[int, dict[str, bool]]:
    """Return whether each webhook has each kind of secret, without decrypting any."""
    columns = (
        Webhook.id,
        *(
            getattr(Webhook, kind).is_not(None).label(f"has_{kind}")
            for kind in ("authorization", "secret", "headers")
        ),
    )
    rows = db.session.execute(select(*columns).where(Webhook.id.in_(ids))).mappings()
    return {
        row["id"]: {name: bool(found) for name, found in row.items() if name != "id"}
        for row in rows
    }


def _answer(webhook: Webhook, has_secrets: dict[str, bool]) -> WebhookAnswer:
    health, now = webhook.health, utc_now()
    until = webhook.previous_secret_until
    return WebhookAnswer(
        id=webhook.id,
        company_id=webhook.company_id,
        version=str(webhook.version),
        file_key=webhook.file_key,
        name=webhook.name,
        # A query or a long path segment may be the receiver's secret.
        url=masked_url(webhook.url),
        events=webhook.events,
        filters=_filters(webhook),
        format=_format(webhook),
        state=webhook.state,
        parallelism=webhook.parallelism,
        timeout=webhook.timeout,
        rate_limit=webhook.rate_limit,
        max_age=webhook.max_age,
        takes_recovered=webhook.takes_recovered,
        **has_secrets,
        success_rule=webhook.success_rule,
        signs_twice_until=until if until is not None and until > now else None,
        created_at=webhook.created_at,
        saved_at=webhook.saved_at,
        counters=Counters(
            waiting=health.waiting,
            delivered=health.delivered,
            refused=health.refused,
            expired=health.expired,
            cancelled=health.cancelled,
            simulated=health.simulated,
        ),
        circuit_is_open=health.circuit_opened_at is not None,
        last_success_at=health.last_success_at,
        last_error_at=health.last_error_at,
        trouble=_trouble(webhook, now),
    )


def _filters(webhook: Webhook) -> dict[str, list[dict[str, str]]]:
    """Return the conditions; a value that may be personal is hidden from who may not see it."""
    found = webhook.filters or {}
    if caller().sees_personal:
        return found
    return {
        name: [{**each, "value": masked_text(each.get("value", ""))} for each in conditions]
        for name, conditions in found.items()
    }


def _format(webhook: Webhook) -> dict[str, Any] | None:
    """Return the format; its fixed texts are hidden from who may not see what is personal."""
    found = webhook.format
    if found is None or caller().sees_personal:
        return found
    return {name: found[name] for name in ("kind", "encoding") if name in found}


def _trouble(webhook: Webhook, now: datetime) -> TroubleAnswer | None:
    trouble = trouble_of(webhook, now)
    if trouble is None:
        return None
    return TroubleAnswer(
        kind=trouble.kind.value,
        since=trouble.since,
        cause_en=trouble_english(trouble),
        status=trouble.status,
    )
