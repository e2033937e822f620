"""The replacement of a webhook's signing secret."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy.orm import Session

from webhookproxy.database.clock import utc_now
from webhookproxy.models.installation.changes import note_change
from webhookproxy.models.webhooks import Webhook
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import check_secret

# Hours in which the old signing secret signs too, after a rotation.
ROTATION_HOURS = 24


def rotate_secret(session: Session, webhook: Webhook, new_secret: str | None = None) -> str:
    """Replace the signing secret and return the new one; the old one signs for ROTATION_HOURS too.

    Without `new_secret` one is made; no page shows it a second time. After two rotations within the
    time only the last two secrets sign. Raises Refused if the webhook has no secret, or this one.
    """
    if webhook.secret is None:
        raise Refused.one(
            "secret",
            f"webhook_{webhook.id} has no secret to replace: set one with `flask webhook edit`.",
            "Este webhook não tem segredo para trocar: defina um.",
        )
    # Standard Webhooks asks for 32 random bytes; these are 43 characters.
    secret = secrets.token_urlsafe(32) if new_secret is None else new_secret
    check_secret(secret)
    if secret == webhook.secret:
        raise Refused.one(
            "secret",
            "This secret is in use already: give another one, or none to have one made.",
            "Este já é o segredo em uso: informe outro, ou deixe em branco para gerarmos um.",
        )
    webhook.previous_secret = webhook.secret
    webhook.previous_secret_until = utc_now() + timedelta(hours=ROTATION_HOURS)
    webhook.secret = secret
    session.flush()
    note_change(session, webhook.company_id)
    return secret


def end_rotation(session: Session, webhook: Webhook) -> bool:
    """Let only the new secret sign from now on; return False if that was so already.

    A user who gave the new secret to the receiver need not wait for the end of the time.
    """
    until = webhook.previous_secret_until
    if webhook.previous_secret is None or until is None:
        return False
    webhook.forget_previous_secret()
    session.flush()
    note_change(session, webhook.company_id)
    return until > utc_now()
