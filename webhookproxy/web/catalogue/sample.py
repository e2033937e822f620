"""An example of a name: the company's last event, masked, or the catalogue's own sample."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.masked import masked
from webhookproxy.models import Event
from webhookproxy.search.asking import ask
from webhookproxy.search.question import Question
from webhookproxy.web.shared.formats import pretty

# A longer payload is shown on the page of its event, or downloaded.
PAYLOAD_MAX = 64_000


@dataclass(frozen=True, slots=True)
class Sample:
    """A company's last event of a name, with the people in it masked; `text` None: not shown."""

    public_id: str
    received_ms: int
    text: str | None


def last_sample(session: Session, company_id: int, name: str) -> Sample | None:
    """Return the company's last event of this name; None if none is stored."""
    place = current_app.extensions["search"]
    found = ask(session, place, Question(frozenset([company_id]), name=name), 1).ids
    if not found:
        return None
    size = func.length(Event.payload)
    event = session.execute(
        select(Event.public_id, Event.received_ms, size.label("size")).where(Event.id == found[0])
    ).one_or_none()
    if event is None:
        return None
    text = None
    if event.size <= PAYLOAD_MAX:
        text = masked(session.scalar(select(Event.payload).where(Event.id == found[0])) or "")
    return Sample(event.public_id, event.received_ms, None if text is None else pretty(text))


def made_up(name: str) -> str | None:
    """Return the catalogue's own sample; None for a name that the catalogue does not have."""
    known = CATALOG.get(name)
    return None if known is None else pretty(json.dumps(known.sample, ensure_ascii=False))
