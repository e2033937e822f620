"""A comparison of a day as plain data, for commands and programs: ids and counts, no telephone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.events.contract import timestamp
from webhookproxy.events.recovery.comparison import Compared, Fate
from webhookproxy.models.deliveries.tables import Delivery
from webhookproxy.models.events import Event
from webhookproxy.models.webhooks import live_webhooks

FATES = (Fate.DELIVERED, Fate.WAITING, Fate.FAILED, Fate.NOT_SENT, Fate.KEPT_BACK)


def named_differences(session: Session, company_id: int, found: Compared) -> dict[str, Any]:
    """Return the counts, and the first differences by name, with the deliveries as they are now."""
    live = {each.id: each.name for each in live_webhooks(session, [company_id])}
    webhooks = [each for each in found.webhooks if each.webhook_id in live]
    lacking = [each for webhook in webhooks for each in webhook.lacking]
    events = _values(session, Event, "public_id", [each.event_id for each in lacking])
    events |= _values(session, Event, "public_id", found.only_here)
    states = _values(session, Delivery, "state", [each.delivery_id for each in lacking])
    return {
        "listed": found.listed,
        "here": found.here,
        "missing_count": found.missing_count,
        "purged": found.gone,
        "only_here_count": found.only_here_count,
        "is_cut": found.is_cut,
        "missing": [
            {"call": each.id, "at": timestamp(each.at_ms) if each.at_ms else None}
            for each in found.missing
        ],
        "only_here": [events[each] for each in found.only_here if each in events],
        "webhooks": [
            {
                "id": f"webhook_{each.webhook_id}",
                "name": live[each.webhook_id],
                **{fate.value: each.count(fate) for fate in FATES},
                "lacking": [
                    {
                        "event": events.get(one.event_id),
                        "delivery": f"delivery_{one.delivery_id}" if one.delivery_id else None,
                        "state": states.get(one.delivery_id),
                    }
                    for one in each.lacking
                ],
            }
            for each in webhooks
        ],
    }


def _values(
    session: Session, table: type[Event | Delivery], column: str, ids: Sequence[int]
) -> dict[int, str]:
    query = select(table.id, getattr(table, column)).where(table.id.in_(ids))
    return {row[0]: row[1] for row in session.execute(query)}
