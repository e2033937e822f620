"""A payload to click on: the newest of an event, or the catalogue's sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.code_words import meaning
from webhookproxy.events.conditions import Condition, Operator, read_payload, text_of
from webhookproxy.events.payload import HIDDEN
from webhookproxy.events.payload_paths import format_path, parse_path, values_of
from webhookproxy.models import Event
from webhookproxy.reasons import MARKERS
from webhookproxy.rules.filters import PATH_MAX, VALUE_MAX
from webhookproxy.search.asking import ask
from webhookproxy.search.index.place import SearchPlace
from webhookproxy.search.question import Question
from webhookproxy.web.filters.draft import button

# More fields than anyone reads; the others can be typed.
FIELDS_MAX = 400
# Of the newest events only a marker may be stored.
LOOK_AT = 20
# The characters of a long text that a condition asks for, and those that are shown.
PIECE = 60
SHOWN_MAX = 120
# A payload with more fields is folded, except its first object.
OPEN_MAX = 30
_HIDDEN = json.loads(HIDDEN)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value: its name within its object, and what the button that takes it says.

    `meaning` says what a code means.
    `take` is empty for a path that no condition may have, and for a value that was hidden.
    """

    name: str
    path: str
    value: str
    take: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Branch:
    """The values that lie in one object or list."""

    path: str
    leaves: tuple[Leaf, ...]
    is_open: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """A payload in branches; `public_id` is empty for the catalogue's sample.

    `cut` says that the payload has more values than are shown.
    """

    branches: tuple[Branch, ...]
    cut: bool
    public_id: str = ""
    received_ms: int = 0

    @property
    def paths(self) -> list[str]:
        """Return every path, in the order of the payload."""
        return [leaf.path for branch in self.branches for leaf in branch.leaves]

    def take_of(self, path: str) -> str:
        """Return the button that takes the value at a path; "" if there is none."""
        leaves = (leaf for branch in self.branches for leaf in branch.leaves)
        return next((leaf.take for leaf in leaves if leaf.path == path), "")


def find_sample(
    session: Session, place: SearchPlace, company_id: int, name: str, kept: str, asked: set[str]
) -> Sample:
    """Return the sample of event `kept`, or of the newest; `asked` are paths to leave open."""
    event = _event(session, company_id, name, kept) or _newest(session, place, company_id, name)
    if event is not None:
        return _sample(_read(event.payload), asked, event.public_id, event.received_ms)
    return _sample(CATALOG[name].sample if name in CATALOG else {}, asked)


def _event(session: Session, company_id: int, name: str, public_id: str) -> Event | None:
    if not public_id:
        return None
    return session.scalar(
        select(Event).where(
            Event.public_id == public_id, Event.company_id == company_id, Event.name == name
        )
    )


def _newest(session: Session, place: SearchPlace, company_id: int, name: str) -> Event | None:
    answer = ask(session, place, Question(frozenset([company_id]), name=name), LOOK_AT)
    for event_id in answer.ids:
        note = session.scalar(select(Event.note).where(Event.id == event_id))
        if note not in MARKERS:
            return session.get(Event, event_id)
    return None


def _read(payload: str) -> Any:
    """Return a payload's value; an empty object if it is no JSON."""
    try:
        return read_payload(payload)
    except ValueError:
        return {}


def _sample(payload: Any, asked: set[str], public_id: str = "", received_ms: int = 0) -> Sample:
    values = values_of(payload, FIELDS_MAX + 1)
    cut, values = len(values) > FIELDS_MAX, values[:FIELDS_MAX]
    branches: dict[str, list[Leaf]] = {}
    for path, value in values:
        steps = parse_path(path)
        leaf = Leaf(
            format_path(steps[-1:]), path, _shown(value), _take(path, value), meaning(path, value)
        )
        branches.setdefault(format_path(steps[:-1]) if steps[1:] else "", []).append(leaf)
    # Values that lie in no object come first.
    ordered = sorted(branches.items(), key=lambda each: each[0] != "")
    first = {path for path, _ in ordered[:2]} if len(values) > OPEN_MAX else set(branches)
    found = tuple(
        Branch(path, tuple(leaves), path in first or any(leaf.path in asked for leaf in leaves))
        for path, leaves in ordered
    )
    return Sample(found, cut, public_id, received_ms)


def _shown(value: Any) -> str:
    text = text_of(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"


def _take(path: str, value: Any) -> str:
    """Return the button for "equals this value"; for a long text, for "contains its beginning"."""
    if len(path) > PATH_MAX or not path.isprintable() or value == _HIDDEN:
        return ""
    text = text_of(value)
    if len(text) <= VALUE_MAX:
        return button(Condition(path, Operator.EQUAL, text))
    lines: Sequence[str] = str(value).strip().splitlines()
    piece = "".join(each for each in lines[0][:PIECE] if each.isprintable()).strip()
    return button(Condition(path, Operator.CONTAINS, piece)) if piece else ""
