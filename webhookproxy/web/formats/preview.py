"""The last events of a company in a format, before it is saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import gevent
from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.delivery.sending.body import source_of
from webhookproxy.events import contract
from webhookproxy.events.conditions import Compiled
from webhookproxy.events.formats.definition import Encoding, Format, Unrenderable
from webhookproxy.events.formats.rendering import render
from webhookproxy.models import Event
from webhookproxy.models.webhooks import Webhook
from webhookproxy.reasons import MARKERS
from webhookproxy.rules.filters import compiled_filters
from webhookproxy.search.asking import ask
from webhookproxy.search.index.place import SearchPlace
from webhookproxy.search.question import Question
from webhookproxy.web.shared.formats import pretty

LAST = 20
# Names of a webhook whose newest events are looked up.
NAMES_MAX = 10
# Characters of a body that are shown.
SHOWN_MAX = 4_000


@dataclass(frozen=True, slots=True)
class Shown:
    """An event in the format: its body and bytes, or why it has none.

    `before` is the bytes of the default format. `kept_back` is the condition of the webhook's
    filter that does not hold, in words: then it is not sent at all.
    """

    public_id: str
    name: str
    received_ms: int
    before: int
    body: str = ""
    size: int = 0
    cut: bool = False
    why: str = ""
    kept_back: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What the format makes of the last events; `saved` is in percent of the default format."""

    shown: tuple[Shown, ...]

    @property
    def left_out(self) -> int:
        """Return how many events the filter does not let through."""
        return sum(bool(each.kept_back) for each in self.shown)

    @property
    def failed(self) -> int:
        """Return how many events that pass the filter have no body in the format."""
        return sum(bool(each.why and not each.kept_back) for each in self.shown)

    @property
    def sent(self) -> int:
        """Return how many events would be sent."""
        return len(self.shown) - self.left_out - self.failed

    @property
    def before(self) -> int:
        """Return the bytes in the default format of those that would be sent."""
        return sum(each.before for each in self.shown if not (each.why or each.kept_back))

    @property
    def size(self) -> int:
        """Return the bytes of all bodies that would be sent."""
        return sum(each.size for each in self.shown if not each.kept_back)

    @property
    def saved(self) -> int:
        """Return how many percent smaller the bodies are; below 0 if they are larger."""
        return round(100 - 100 * self.size / self.before) if self.before else 0


def preview(session: Session, place: SearchPlace, webhook: Webhook, wanted: Format) -> Preview:
    """Return the newest events that the webhook asks for, in the format."""
    tests = compiled_filters(webhook.filters)
    return Preview(
        tuple(
            _shown(event, webhook.id, wanted, tests.get(event.name))
            for event in _events(session, place, webhook)
        )
    )


def _events(session: Session, place: SearchPlace, webhook: Webhook) -> Iterator[Event]:
    companies = frozenset([webhook.company_id])
    names = [""] if webhook.events is None else webhook.events[:NAMES_MAX]
    found = [
        each
        for name in names
        for each in ask(session, place, Question(companies, name=name), LAST).ids
    ]
    for event_id in sorted(found, reverse=True)[:LAST]:
        event = session.scalar(select(Event).where(Event.id == event_id))
        # Only a marker is stored of some events, and it is never sent.
        if event is not None and event.note not in MARKERS:
            yield event
        # Another one must not keep the sockets waiting.
        gevent.sleep(0)


def _shown(event: Event, webhook_id: int, wanted: Format, test: Compiled | None) -> Shown:
    source = source_of(event, webhook_id)
    before = len(contract.body(source))
    about = (event.public_id, event.name, event.received_ms, before)
    failing = None if test is None else test.failing_text(event.payload)
    kept_back = "" if failing is None else failing.words()
    try:
        body, _ = render(wanted, source)
    except Unrenderable as refused:
        return Shown(*about, why=refused.detail, kept_back=kept_back)
    text = body[: SHOWN_MAX * 4].decode("utf-8", "ignore")
    if wanted.encoding is Encoding.FORM:
        text = text.replace("&", "&\n")
    elif len(body) <= SHOWN_MAX:
        text = pretty(text)
    is_cut = len(text) > SHOWN_MAX
    return Shown(*about, text[:SHOWN_MAX], len(body), is_cut, kept_back=kept_back)
