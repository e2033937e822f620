"""From the sockets into the store: a bounded buffer, and groups that are committed as one."""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.event import Event as Signal

from webhookproxy.broadcast import ignore_change
from webhookproxy.database.store import Fenced, Store, StoreUnavailable
from webhookproxy.events import contract, payload
from webhookproxy.listener.journal import Arrival, Journal
from webhookproxy.listener.routes import Routes, Sifted, sift
from webhookproxy.logs.console import Console
from webhookproxy.models.deliveries.tables import Due
from webhookproxy.reasons import EVENT_WORDS, MARKERS, EventNote

logger = logging.getLogger(__name__)

# What may wait for the store: beyond either bound the sockets are not read, and TCP pushes back.
BUFFER_EVENTS = 20_000
BUFFER_CHARACTERS = 64 * 1024 * 1024
GROUP_EVENTS = 250
GROUP_CHARACTERS = 2 * 1024 * 1024
RETRY_SECONDS = 0.5


@dataclass(slots=True)
class Link:
    """What an event needs to know of the connection that it came by."""

    company_id: int
    token_mask: str
    hide_credentials: bool
    socket_id: str = ""


@dataclass(frozen=True, slots=True)
class _Raw:
    """An event as it was taken from the socket; `problem` if the library could not read it,
    `length` in bytes if `text` is only the beginning of it."""

    link: Link
    socket_id: str
    text: str
    received_ms: int
    problem: str | None = None
    length: int = 0


class Intake:
    """Takes events from all sockets and commits them in order."""

    def __init__(
        self,
        store: Store,
        routes: Routes,
        console: Console,
        hand_over: Callable[[list[Due]], None],
        on_fenced: Callable[[int], None],
        clock: Callable[[], float] = time.time,
        tell: Callable[[int], None] = ignore_change,
    ) -> None:
        self._tell = tell
        self._journal = Journal(store)
        self._routes = routes
        self._console = console
        self._hand_over = hand_over
        self._on_fenced = on_fenced
        self._clock = clock
        self._buffer: deque[_Raw] = deque()
        self._characters = 0
        # A group that was read but could not be committed as the owner any more.
        self._held: list[Arrival] = []
        # Wall seconds, from the first group on that could not be committed; None while all can.
        self.failing_since: float | None = None
        self._fence = 0
        self._writer: gevent.Greenlet[..., None] | None = None
        self._idle = Signal()
        self._idle.set()
        self._room = Signal()
        self._room.set()

    def start(self, fence: int, *, continued: bool) -> None:
        """Begin as the owner with this fence.

        What was taken before and is not committed yet is committed now if `continued`: no other
        process owned the sockets in between. If one did, its sockets brought these events too.
        """
        if not continued:
            lost = len(self._buffer) + len(self._held)
            self._buffer.clear()
            self._held.clear()
            self._characters = 0
            if lost:
                logger.error("%d events are given up: another process took over", lost)
        self._fence = fence
        self._journal.start(fence)
        self._room.set()
        self._kick()

    def take(self, link: Link, text: str) -> None:
        """Take an event: its packet's JSON array as text. Never yields."""
        self._put(_Raw(link, link.socket_id, text, self._now_ms()))

    def take_values(self, link: Link, name: str, values: list[Any]) -> None:
        """Take an event whose arguments hold bytes. Never yields."""
        self.take(link, payload.text_of_args(name, values))

    def take_malformed(self, link: Link, error: Exception, text: str) -> None:
        """Take notice of a packet that the protocol library could not read. Never yields."""
        problem = type(error).__name__
        self._put(_Raw(link, link.socket_id, text, self._now_ms(), problem))

    def take_oversized(self, link: Link, text: str, length: int) -> None:
        """Take notice of an event too long to be read: its beginning, its bytes. Never yields."""
        self._put(_Raw(link, link.socket_id, text, self._now_ms(), length=length))

    def wait_for_room(self) -> None:
        """Wait while the buffer is full; the socket that asks is not read meanwhile."""
        if not self._room.is_set():
            self._room.wait()

    @property
    def waiting(self) -> int:
        """How many events wait to be committed."""
        return len(self._buffer) + len(self._held)

    def drain(self, timeout: float) -> bool:
        """Wait until everything is committed, at most so many seconds; whether it is."""
        return bool(self._idle.wait(timeout))

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)

    def _put(self, raw: _Raw) -> None:
        self._buffer.append(raw)
        self._characters += len(raw.text)
        if len(self._buffer) >= BUFFER_EVENTS or self._characters >= BUFFER_CHARACTERS:
            self._room.clear()
        self._kick()

    def _kick(self) -> None:
        if self._writer is None and (self._buffer or self._held):
            self._idle.clear()
            self._writer = gevent.spawn(self._write)
            self._writer.name = "intake"

    def _write(self) -> None:
        while self._buffer or self._held:
            fence = self._fence
            self._held = self._held or [self._read(raw) for raw in self._group()]
            if self._commit(self._held, fence):
                self._held = []
            elif fence == self._fence:
                # Owner no more: start() decides what becomes of the rest.
                break
            if len(self._buffer) < BUFFER_EVENTS // 2 and self._characters < BUFFER_CHARACTERS // 2:
                self._room.set()
        self._writer = None
        self._idle.set()

    def _group(self) -> list[_Raw]:
        group: list[_Raw] = []
        size = 0
        while self._buffer and len(group) < GROUP_EVENTS and size < GROUP_CHARACTERS:
            raw = self._buffer.popleft()
            size += len(raw.text)
            group.append(raw)
        self._characters -= size
        return group

    def _read(self, raw: _Raw) -> Arrival:
        """An arrival with the webhooks that want it, or the marker of what cannot be sent."""
        try:
            if raw.problem is not None:
                raise payload.unreadable(raw.problem, raw.text)
            if raw.length:
                raise payload.oversized(raw.text, raw.length)
            event, value = payload.read_with_value(raw.text, raw.link.hide_credentials)
        except payload.TooLarge as error:
            event = _marker(error.name, "TooLarge", error.length, error.head)
            return self._arrival(raw, event, EventNote.TOO_LARGE)
        except payload.Unreadable as error:
            event = _marker("", error.error_class, error.length, error.head)
            return self._arrival(raw, event, EventNote.UNREADABLE)
        routes = self._routes.interested(raw.link.company_id, event.name)
        note = None if routes else EventNote.UNWANTED
        return self._arrival(raw, event, note, sift(routes, event, value))

    def _arrival(
        self, raw: _Raw, event: payload.Event, note: EventNote | None, sifted: Sifted = ((), ())
    ) -> Arrival:
        return Arrival(
            raw.link.company_id,
            event,
            contract.new_event_id(raw.received_ms),
            raw.socket_id,
            raw.link.token_mask,
            raw.received_ms,
            note,
            *sifted,
        )

    def _commit(self, arrivals: list[Arrival], fence: int) -> bool:
        """Commit a group, however long the database takes none; False if we are owner no more."""
        again = False
        while True:
            try:
                dues = self._journal.write(arrivals, fence, again=again)
            except StoreUnavailable:
                again = True
                self.failing_since = self.failing_since or self._clock()
                gevent.sleep(RETRY_SECONDS)
            except Fenced:
                self.failing_since = None
                self._on_fenced(fence)
                return False
            except Exception:  # one bad event must not cost its neighbours
                logger.exception("cannot store %d events", len(arrivals))
                return self._commit_singly(arrivals, fence)
            else:
                self.failing_since = None
                self._hand_over(dues)
                for company_id in {arrival.company_id for arrival in arrivals}:
                    self._tell(company_id)
                self._print(arrivals)
                return True

    def _commit_singly(self, arrivals: list[Arrival], fence: int) -> bool:
        if len(arrivals) > 1:
            while arrivals:
                if not self._commit(arrivals[:1], fence):
                    return False
                # What is committed must not be tried again with the rest.
                del arrivals[0]
            return True
        arrival = arrivals[0]
        if arrival.note is EventNote.UNREADABLE:
            return True
        marker = _marker("", "NotStorable", len(arrival.event.payload), "")
        return self._commit([arrival.as_marker(marker)], fence)

    def _print(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            self._console.event_received(arrival.event.name, arrival.company_id)
            if arrival.note in MARKERS:
                words = EVENT_WORDS[arrival.note].english
                logger.warning("company_%d: %s", arrival.company_id, words)


def _marker(name: str, error_class: str, length: int, head: str) -> payload.Event:
    """What is kept of an event that cannot be sent."""
    text = json.dumps({"error": error_class, "length": length, "head": head}, ensure_ascii=False)
    return payload.Event(name, text, "", 0)
