"""The API for programs, `/api/v1`: what the pages show and do, as JSON."""

from __future__ import annotations

from flask import Flask

from webhookproxy.api.actions import companies as company_actions
from webhookproxy.api.actions import deliveries as delivery_actions
from webhookproxy.api.actions import webhooks as webhook_actions
from webhookproxy.api.reads import (
    catalogue,
    companies,
    comparison,
    deliveries,
    events,
    history,
    status,
    stream,
    webhooks,
)
from webhookproxy.api.shared import access, description
from webhookproxy.api.writes import companies as company_writes
from webhookproxy.api.writes import webhooks as webhook_writes

SUBJECTS = (
    *(companies.operations, company_actions.operations, company_writes.operations),
    *(webhooks.operations, webhook_actions.operations, webhook_writes.operations),
    *(events.operations, stream.operations),
    *(deliveries.operations, delivery_actions.operations),
    *(history.operations, comparison.operations, catalogue.operations, status.operations),
)


def init_app(app: Flask) -> None:
    """Register every operation. Call this before the pages: a token comes before a login."""
    access.init_app(app)
    for operations in SUBJECTS:
        app.register_blueprint(operations)
    app.register_blueprint(description.blueprint_of(SUBJECTS))
