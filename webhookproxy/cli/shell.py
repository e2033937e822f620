"""The names that `flask shell` knows."""

from __future__ import annotations

from typing import Any

from flask import Flask

from webhookproxy import models
from webhookproxy.extensions import db
from webhookproxy.models.accounts.people import create_user, find_user, grant, hash_password
from webhookproxy.models.audit import find_entries
from webhookproxy.models.companies import create_company, find_company, wish_connection
from webhookproxy.models.deliveries.actions import cancel, resend, resume_webhook, try_now
from webhookproxy.models.deliveries.tables import find_delivery
from webhookproxy.models.signing_secrets import rotate_secret
from webhookproxy.models.webhooks import create_webhook, find_webhook, switch_webhook
from webhookproxy.rules.companies import CompanyInput
from webhookproxy.rules.webhooks import WebhookInput

_FUNCTIONS = (
    cancel,
    create_company,
    create_user,
    create_webhook,
    find_company,
    find_delivery,
    find_entries,
    find_user,
    find_webhook,
    grant,
    hash_password,
    resend,
    resume_webhook,
    rotate_secret,
    switch_webhook,
    try_now,
    wish_connection,
    CompanyInput,
    WebhookInput,
)


def names(app: Flask) -> dict[str, Any]:
    """Return every model and function by its name, and db, store, policy and models.

    `db` only reads; `store.session(lambda session: ...)` writes.
    """
    return {
        **{name: getattr(models, name) for name in models.__all__},
        **{each.__name__: each for each in _FUNCTIONS},
        "db": db,
        "models": models,
        "policy": app.extensions["policy"],
        "store": app.extensions["store"],
    }
