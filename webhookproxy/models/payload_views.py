"""Views of payloads: the audit gets one an hour for each person and subject."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict

from flask import Flask
from sqlalchemy.orm import Session

from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.models.audit import Action, Actor, record

logger = logging.getLogger(__name__)

QUIET_SECONDS = 3600.0
# Beyond this the oldest view is forgotten, and would be written down again.
REMEMBERED_MAX = 10_000

_Key = tuple[int | None, str]


def note_view(app: Flask, who: Actor, subject: str, company_id: int) -> None:
    """Write down that this person sees a payload, unless that was done within the last hour.

    `subject` is the public id of the event or delivery that was opened. While nothing can be
    written the payload is shown all the same, and the next view is written down.
    """
    key, now = (who.user_id, subject), time.monotonic()
    seen = _remembered(app)
    since = seen.get(key)
    if since is not None and now - since < QUIET_SECONDS:
        return

    def job(session: Session) -> None:
        record(session, who, Action.PAYLOAD_VIEWED, company_id=company_id, subject=subject)

    store: Store = app.extensions["store"]
    try:
        store.session(job)
    except StoreUnavailable:
        logger.warning("user_%s looked at %s, which the audit could not take", who.user_id, subject)
        return
    seen[key] = now
    seen.move_to_end(key)
    while len(seen) > REMEMBERED_MAX:
        seen.popitem(last=False)


def _remembered(app: Flask) -> OrderedDict[_Key, float]:
    # One process serves the pages; after a restart a view may be written down again.
    seen: OrderedDict[_Key, float] = app.extensions.setdefault("payload_views", OrderedDict())
    return seen
