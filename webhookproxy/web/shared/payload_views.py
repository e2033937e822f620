"""Views of payloads on pages, for the audit."""

from __future__ import annotations

from flask import current_app

from webhookproxy.models import payload_views
from webhookproxy.web.shared.access import actor, refuse_other_sites


def note_view(subject: str, company_id: int) -> None:
    """Write down that this person sees a payload, see models.payload_views.

    Answers 403 to a link on another site.
    """
    refuse_other_sites()
    payload_views.note_view(current_app, actor(), subject, company_id)
