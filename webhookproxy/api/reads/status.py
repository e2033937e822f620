"""The state of the installation: whether events are stored, and what is wrong."""

from __future__ import annotations

from flask import current_app
from pydantic import BaseModel

from webhookproxy.api.reads.companies import ConnectionState, connection_of
from webhookproxy.api.shared.access import visible_companies
from webhookproxy.api.shared.ids import CompanyId, Time, WebhookId
from webhookproxy.api.shared.operations import Operations
from webhookproxy.database.clock import utc_now
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.engine.liveness import storing
from webhookproxy.engine.owners import read_owners
from webhookproxy.extensions import db
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.troubles.now import troubles_of
from webhookproxy.troubles.words import trouble_english
from webhookproxy.version import __version__

operations = Operations("status", "Situação")

# A page of companies; more are read from /companies.
COMPANIES_MAX = 500


class TroubledWebhook(BaseModel):
    """A webhook with which something is wrong."""

    id: WebhookId
    company_id: CompanyId
    kind: str
    since: Time
    cause_en: str


class CompanyState(BaseModel):
    """A company with its connection."""

    id: CompanyId
    name: str
    connection: ConnectionState


class Status(BaseModel):
    """The state of everything that the caller may see; `is_cut`: there are more companies."""

    version: str
    is_storing: bool
    storing_reason: str
    companies: list[CompanyState]
    troubled_webhooks: list[TroubledWebhook]
    is_cut: bool


@operations.reads("/status", Status, "Mostra o que está errado agora")
def show_status() -> Status:
    """Show the connections, and the webhooks with which something is wrong."""
    session = db.session()
    found = session.scalars(visible_companies().limit(COMPANIES_MAX + 1)).all()
    companies, owners = found[:COMPANIES_MAX], read_owners(session)
    webhooks = {each.id: each for each in live_webhooks(session, [c.id for c in companies])}
    troubles = troubles_of(webhooks.values(), utc_now())
    engine: Engine | None = current_app.extensions.get("engine")
    stored = storing(session, here=engine is None or engine.health().storing)
    return Status(
        version=__version__,
        is_storing=stored.ok,
        storing_reason=stored.reason.value,
        companies=[
            CompanyState(id=each.id, name=each.name, connection=connection_of(each, owners))
            for each in companies
        ],
        troubled_webhooks=[
            TroubledWebhook(
                id=number,
                company_id=webhooks[number].company_id,
                kind=trouble.kind.value,
                since=trouble.since,
                cause_en=trouble_english(trouble),
            )
            for number, trouble in troubles.items()
        ],
        is_cut=len(found) > COMPANIES_MAX,
    )
