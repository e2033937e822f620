"""Reads an event and finds the webhooks of its company that want it."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from webhookproxy.events import contract, payload
from webhookproxy.events.conditions import Compiled, read_payload
from webhookproxy.events.payload import Event
from webhookproxy.events.recovery.histories import HISTORY, history_id
from webhookproxy.listener.sessions import Place
from webhookproxy.models.deliveries.tables import Facts
from webhookproxy.models.recordings import RecordingLinks
from webhookproxy.models.types import optional_ms
from webhookproxy.models.webhooks import Webhook
from webhookproxy.platform.recording_links import is_askable, may_be_recorded
from webhookproxy.reasons import EventNote
from webhookproxy.rules.filters import Checked, read_filters

logger = logging.getLogger(__name__)

# Names answered for are remembered; a server that makes names up must not fill the memory.
REMEMBERED_MAX = 2000


@dataclass(frozen=True, slots=True)
class Route:
    """A webhook that may want an event, and its clock.

    `filters` are all of the webhook's, `test` those of the event that was asked about.
    """

    webhook_id: int
    events: frozenset[str] | None
    paused_at_ms: int | None
    paused_ms: int
    filters: Checked | None = None
    test: Compiled | None = None
    takes_recovered: bool = False

    def born_ms(self, now_ms: int) -> int:
        """Now on the webhook's own clock, which stands while it is paused."""
        return (self.paused_at_ms or now_ms) - self.paused_ms

    def for_event(self, name: str) -> Route:
        """The same route, ready to test the payloads of one event."""
        conditions = (self.filters or {}).get(name)
        return replace(self, test=Compiled(conditions)) if conditions else self


def route_of(webhook: Webhook) -> Route:
    """The route of a webhook; one whose filters cannot be read filters nothing."""
    route = Route(
        webhook.id,
        None if webhook.events is None else frozenset(webhook.events),
        optional_ms(webhook.paused_at),
        webhook.paused_ms,
        takes_recovered=webhook.takes_recovered,
    )
    try:
        read = replace(route, filters=read_filters(webhook.filters))
        for name in read.filters or ():
            read.for_event(name)
    except Exception:  # written by another program, or by hand: an event too many is noticed
        logger.exception("cannot read the filters of webhook_%d: it gets all events", webhook.id)
        return route
    return read


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event, read, and the webhooks that want it."""

    company_id: int
    event: Event
    public_id: str
    socket_id: str
    token_mask: str
    received_ms: int
    note: EventNote | None
    routes: tuple[Route, ...]
    # The webhooks whose filter left it out, and the condition that did not hold, in words.
    filtered: tuple[tuple[Route, str], ...] = ()
    # Of a call's history: the id that 3C Plus gave it.
    history_id: str = ""
    is_recovered: bool = False
    # The webhooks that were sent the same history when it was recovered.
    had_it: tuple[Route, ...] = ()
    # The event that was made of the same history when it was recovered; 0 if it is not known.
    twin: int = 0
    # From where the server could send again what follows; None if it could not.
    place: Place | None = None
    # How the link to its recording is made; None: it carries none.
    links: RecordingLinks | None = None

    @property
    def history(self) -> tuple[int, str]:
        """Return the company and the id of the history, as the ledger knows it."""
        return self.company_id, self.history_id

    def without(self, webhooks: Collection[int] | None, twin: int) -> Arrival:
        """Return the same arrival, due only to the webhooks that did not have its twin."""
        if webhooks is None:  # not known any more: those that take recovered calls had it
            webhooks = {route.webhook_id for route in self.routes if route.takes_recovered}
        due = tuple(route for route in self.routes if route.webhook_id not in webhooks)
        had = tuple(route for route in self.routes if route.webhook_id in webhooks)
        return replace(self, routes=due, had_it=had, twin=twin)

    def as_marker(self) -> Arrival:
        """Return the same arrival, of which only a marker can be stored."""
        marker = _marker("", "NotStorable", len(self.event.payload), "")
        nothing: dict[str, Any] = {"routes": (), "filtered": (), "history_id": "", "links": None}
        return replace(self, event=marker, note=EventNote.UNREADABLE, **nothing)

    def facts(self) -> Facts:
        """What the body of a POST is built from."""
        return Facts(
            self.public_id,
            self.company_id,
            self.event.name,
            self.event.payload,
            self.socket_id,
            self.token_mask,
            self.received_ms,
            self.is_recovered,
            self.recording_base,
        )

    @property
    def recording_base(self) -> str | None:
        """Return where the link to its recording begins; None if it carries none."""
        return None if self.links is None else self.links.base


class Routes:
    """The routes of every company that this process listens for."""

    def __init__(self) -> None:
        self._routes: dict[int, tuple[Route, ...]] = {}
        self._remembered: dict[tuple[int, str], tuple[Route, ...]] = {}
        self._links: dict[int, RecordingLinks] = {}

    def apply(
        self, company_id: int, webhooks: Iterable[Webhook], links: RecordingLinks | None = None
    ) -> None:
        """Replace the routes of a company; in force from the next event.

        `links`: how its histories get a link to the recording, if they do.
        """
        self._routes[company_id] = tuple(route_of(webhook) for webhook in webhooks)
        self._links.pop(company_id, None)
        if links is not None:
            self._links[company_id] = links
        self._remembered.clear()

    def interested(self, company_id: int, name: str) -> tuple[Route, ...]:
        """The routes that want an event of this name."""
        key = (company_id, name)
        found = self._remembered.get(key)
        if found is None:
            found = tuple(
                route.for_event(name)
                for route in self._routes.get(company_id, ())
                if route.events is None or name in route.events
            )
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[key] = found
        return found

    def links(self, company_id: int, history: str, value: Any) -> RecordingLinks | None:
        """Return how the link of a history is made; None if it gets none."""
        links = self._links.get(company_id)
        if links is None or not is_askable(history) or not may_be_recorded(value):
            return None
        return links


@dataclass(frozen=True, slots=True)
class Taken:
    """An event as it was taken from a socket, not read yet.

    `problem` is set if the protocol library could not read it; `length` is its bytes if `text` is
    only its beginning.
    """

    company_id: int
    token_mask: str
    hide_credentials: bool
    socket_id: str
    text: str
    received_ms: int
    problem: str | None = None
    length: int = 0
    # From where the server could send again what follows; None if it could not.
    place: Place | None = None
    # Whether the last owner of the sockets may have stored the same event; see alignment.join.
    may_be_repeat: bool = False
    # Made of a recovered call, with the ordering key of the call's other events.
    recovered_key: str = ""


def read(taken: Taken, routes: Routes) -> Arrival:
    """Return an arrival with the webhooks that want it, or the marker of what cannot be sent."""
    try:
        return _read(taken, routes)
    except Exception as error:  # a bug of ours must not cost the events beside it
        logger.exception("cannot read an event of %d characters", len(taken.text))
        event = _marker("", type(error).__name__, len(taken.text), "")
        return _arrival(taken, event, EventNote.UNREADABLE)


def _read(taken: Taken, routes: Routes) -> Arrival:
    try:
        if taken.problem is not None:
            raise payload.unreadable(taken.problem, taken.text)
        if taken.length:
            raise payload.oversized(taken.text, taken.length)
        event, value = payload.read_with_value(taken.text, taken.hide_credentials)
    except payload.TooLarge as error:
        event = _marker(error.name, "TooLarge", error.length, error.head)
        return _arrival(taken, event, EventNote.TOO_LARGE)
    except payload.Unreadable as error:
        event = _marker("", error.error_class, error.length, error.head)
        return _arrival(taken, event, EventNote.UNREADABLE)
    interested = routes.interested(taken.company_id, event.name)
    if taken.recovered_key:
        event = replace(event, order_key=taken.recovered_key)
        interested = tuple(route for route in interested if route.takes_recovered)
    note = EventNote.MAY_BE_REPEAT if taken.may_be_repeat else None
    if not interested:
        note = EventNote.UNWANTED
    arrival = _arrival(taken, event, note, sift(interested, event, value))
    if event.name != HISTORY:
        return arrival
    is_recovered = bool(taken.recovered_key)
    history = history_id(value)
    links = routes.links(taken.company_id, history, value)
    return replace(arrival, history_id=history, is_recovered=is_recovered, links=links)


Sifted = tuple[tuple[Route, ...], tuple[tuple[Route, str], ...]]


def sift(routes: tuple[Route, ...], event: Event, value: Any) -> Sifted:
    """The routes that take an event, and those whose filter does not, with its condition in words.

    `value` is its payload's. What is looked into is the payload as it is stored: of credentials
    that are hidden a filter tells nothing. One that cannot be looked into is taken.
    """
    for route in routes:
        if route.test is not None:
            break
    else:
        return routes, ()
    try:
        return _sift(routes, read_payload(event.payload) if event.hidden else value)
    except Exception:  # a filter that cannot be looked into must not cost the event
        logger.exception(
            "cannot look into a payload of %d characters: it is sent", len(event.payload)
        )
        return routes, ()


def _sift(routes: Sequence[Route], value: Any) -> Sifted:
    taken: list[Route] = []
    left_out: list[tuple[Route, str]] = []
    for route in routes:
        failing = None if route.test is None else route.test.failing(value)
        if failing is None:
            taken.append(route)
        else:
            left_out.append((route, failing.words()))
    return tuple(taken), tuple(left_out)


def _arrival(
    taken: Taken, event: Event, note: EventNote | None, sifted: Sifted = ((), ())
) -> Arrival:
    return Arrival(
        taken.company_id,
        event,
        contract.new_event_id(taken.received_ms),
        taken.socket_id,
        taken.token_mask,
        taken.received_ms,
        note,
        *sifted,
        place=taken.place,
    )


def _marker(name: str, error_class: str, length: int, head: str) -> Event:
    """Return the event that is stored in place of one that cannot be sent."""
    text = json.dumps({"error": error_class, "length": length, "head": head}, ensure_ascii=False)
    return Event(name, text, "", 0)
