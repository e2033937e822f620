"""The outages of webhooks in a time, as lists show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from webhookproxy.database.clock import utc_now
from webhookproxy.models import Webhook
from webhookproxy.models.outages import outages_of
from webhookproxy.web.outages.words import ShownOutage, shown_outage


class Listed(NamedTuple):
    """The outages of a list, the newest first; `is_cut` says that there are older ones."""

    rows: Sequence[ShownOutage]
    is_cut: bool


def list_outages(
    session: Session,
    webhooks: Sequence[Webhook],
    timezone: str,
    begins: datetime,
    ends: datetime,
    most: int,
) -> Listed:
    """Return the outages of these webhooks within a time, `most` at most."""
    by_id = {webhook.id: webhook for webhook in webhooks}
    found = outages_of(session, by_id, begins, ends, most + 1)
    rows = [shown_outage(each, by_id[each.webhook_id], timezone) for each in found[:most]]
    return Listed(rows, len(found) > most)


def latest_outages(
    session: Session, webhooks: Sequence[Webhook], timezone: str, days: int, most: int
) -> Listed:
    """Return the outages of the last days."""
    now = utc_now()
    return list_outages(session, webhooks, timezone, now - timedelta(days=days), now, most)
