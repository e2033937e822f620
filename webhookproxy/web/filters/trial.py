"""A trial of conditions on the last events, before they are saved."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gevent
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from webhookproxy.events.conditions import Compiled, Condition, Operator, read_payload, text_of
from webhookproxy.events.payload_paths import MISSING, find, parse_path
from webhookproxy.models import Event
from webhookproxy.reasons import MARKERS
from webhookproxy.search.asking import ask
from webhookproxy.search.index.place import SearchPlace
from webhookproxy.search.question import Question

logger = logging.getLogger(__name__)

# How many events are tried, and how many examples of each result are shown.
LAST = 1_000
EXAMPLES = 5
# Payloads in one round, which holds the hub, and characters of payloads in all.
ROUND = 40
CHARACTERS_MAX = 64_000_000
# Characters of a value that an example shows.
SHOWN = 60


class Tried(NamedTuple):
    """An event; `failing` is the first condition that does not hold, in words, or empty."""

    public_id: str
    received_ms: int
    failing: str


@dataclass(slots=True)
class Trial:
    """The result: `sent` of the `looked_at` events would have been sent. It has a few examples.

    `behind` newer events are not in the index yet; `cut` says that older ones were left out.
    """

    behind: int
    cut: bool
    looked_at: int = 0
    sent: int = 0
    some_sent: list[Tried] = field(default_factory=list)
    some_kept: list[Tried] = field(default_factory=list)

    def note(self, tried: Tried) -> None:
        """Count one more event."""
        self.looked_at += 1
        self.sent += not tried.failing
        some = self.some_kept if tried.failing else self.some_sent
        if len(some) < EXAMPLES:
            some.append(tried)


def try_conditions(
    session: Session,
    place: SearchPlace,
    company_id: int,
    name: str,
    conditions: Sequence[Condition],
) -> Trial:
    """Try the conditions on the company's last events of this name, the newest first."""
    answer = ask(session, place, Question(frozenset([company_id]), name=name), LAST)
    trial, test, characters = Trial(answer.behind, answer.cut), Compiled(conditions), 0
    for event in _events(session, answer.ids):
        # Only a marker is stored of such an event, and it is never sent.
        if event.note in MARKERS:
            continue
        characters += len(event.payload)
        if characters > CHARACTERS_MAX:
            trial.cut = True
            break
        trial.note(Tried(event.public_id, event.received_ms, _failing(test, event.payload)))
    return trial


def _events(session: Session, ids: Sequence[int]) -> Iterator[Row[str, int, str, str | None]]:
    columns = (Event.public_id, Event.received_ms, Event.payload, Event.note)
    for start in range(0, len(ids), ROUND):
        some = select(*columns).where(Event.id.in_(ids[start : start + ROUND]))
        yield from session.execute(some.order_by(Event.id.desc())).all()
        # Another round must not keep the sockets waiting.
        gevent.sleep(0)


def _failing(test: Compiled, payload: str) -> str:
    """Return the first condition that does not hold, in words; "" for none.

    As at intake, a payload that is no JSON is sent.
    """
    try:
        value = read_payload(payload)
        failing = test.failing(value)
    except ValueError:
        logger.warning("cannot look into a payload of %d characters", len(payload))
        return ""
    return "" if failing is None else _was(failing, value)


def _was(condition: Condition, payload: Any) -> str:
    """Return what the value was, and what it was to be."""
    found = find(payload, parse_path(condition.path))
    if found is MISSING:
        return f"{condition.path} não veio"
    was = text_of(found) if isinstance(found, str | int | float | None) else "uma lista ou um grupo"
    was = was if len(was) <= SHOWN else f"{was[:SHOWN]}…"
    if condition.operator is Operator.EQUAL:
        return f"{condition.path} era {was}, e não {condition.value}"
    return f"{condition.path} era {was}, e o filtro pede: {condition.words()}"
