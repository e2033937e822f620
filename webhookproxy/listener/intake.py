"""From the sockets into the store: a bounded buffer, and groups that are committed as one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping

import gevent
from gevent.event import Event as Signal

from webhookproxy.broadcast import Broadcast
from webhookproxy.database.clock import ms_now, seconds_now
from webhookproxy.database.fence import ALL_SHARDS, NO_FENCE, Fence, Fenced
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.listener.alignment.comparison import Comparison
from webhookproxy.listener.alignment.replay import Replayed
from webhookproxy.listener.buffer import Buffer, Unwritten
from webhookproxy.listener.journal import Journal, Written
from webhookproxy.listener.routes import Arrival, Routes, Taken, read
from webhookproxy.listener.rows import Outlet
from webhookproxy.listener.sessions import Session, event_number
from webhookproxy.logs.console import Console
from webhookproxy.logs.redaction import one_line
from webhookproxy.reasons import EVENT_WORDS, MARKERS, EventNote

logger = logging.getLogger(__name__)

GROUP_EVENTS = 250
GROUP_CHARACTERS = 2 * 1024 * 1024
GROUP_DELIVERIES = 1_000
# For how long events are read at a stretch: nothing else runs meanwhile.
SLICE_SECONDS = 0.005
RETRY_SECONDS = 0.5
SOCKET_ID_MAX = 64


class Feed:
    """One company's way into the intake: its sockets call these methods (client.Owner)."""

    def __init__(
        self,
        intake: Intake,
        company_id: int,
        token_mask: str,
        *,
        hide_credentials: bool,
        fingerprint: str = "",
        session: Session | None = None,
    ) -> None:
        self.company_id = company_id
        self.token_mask = token_mask
        self.hide_credentials = hide_credentials
        # What the last socket missed comes with its id.
        self.socket_id = "" if session is None else one_line(session.socket_id)[:SOCKET_ID_MAX]
        self.connected_ms = 0
        # What the server has of the last socket, if it can recover events, and whether it did when
        # the present one was opened.
        self.session, self.is_recovered = session, False
        self._fingerprint = fingerprint
        # Whether the socket is not accepted yet: what comes is what the last one missed.
        self._is_opening = False
        self.beside: Comparison | None = None  # with a second socket
        self._intake = intake

    def begin(self) -> Mapping[str, str] | None:
        """Return what asks the server for what the last socket missed, before one is opened."""
        self._is_opening, self.is_recovered = True, False
        return None if self.session is None else self.session.begin()

    def connected(self, socket_id: str, pid: str) -> None:
        """Note the ids of the socket and of its session, before its first own event."""
        session, self._is_opening = self.session, False
        self.is_recovered = session is not None and session.is_recovered(socket_id, pid)
        if not self.is_recovered:
            self.session = Session(socket_id, pid, self._fingerprint) if pid else None
        # A database refuses zero bytes and halves of a character.
        self.socket_id = one_line(socket_id)[:SOCKET_ID_MAX]
        self.connected_ms = ms_now()

    def event(self, text: str, offset: str = "") -> None:
        """Take an event: its packet's JSON array as text. Never yields."""
        replayed = Replayed.NEW
        if self.session is not None and offset:
            self.session.take(offset)
        elif self.session is not None and self._is_opening:
            replayed = self.session.take_again(event_number(text, self.hide_credentials))
        if replayed is not Replayed.KNOWN:
            self._take(text, may_be_repeat=replayed is Replayed.DOUBTFUL)

    def malformed(self, error: Exception, text: str) -> None:
        """Count a packet that the protocol library could not read. Never yields."""
        self._take(text, problem=type(error).__name__)

    def oversized(self, text: str, length: int) -> None:
        """Count an event too long to be read: its beginning and its bytes. Never yields."""
        self._take(text, length=length)

    def pinged(self) -> None:
        """Take notice of a PING. Never yields."""
        if self.beside is not None:
            self.beside.first_pinged()

    def wait_until_accepting(self, timeout: float) -> bool:
        """Wait while the buffer is full, `timeout` seconds at most; return whether it is not."""
        return self._intake.buffer.wait_until_accepting(timeout)

    def _take(
        self, text: str, *, problem: str | None = None, length: int = 0, may_be_repeat: bool = False
    ) -> None:
        if self.beside is not None:
            self.beside.first_brought(text)
        origin = self.company_id, self.token_mask, self.hide_credentials, self.socket_id
        place = None if self.session is None else self.session.place
        self._intake.take(Taken(*origin, text, ms_now(), problem, length, place, may_be_repeat))


class Intake:
    """Takes events from all sockets and commits them in order."""

    def __init__(
        self,
        store: Store,
        routes: Routes,
        console: Console,
        outlet: Outlet,
        broadcast: Broadcast,
        on_fenced: Callable[[Fence], None],
        parts: int = 1,
    ) -> None:
        self.buffer = Buffer(parts)
        self.journal = Journal(store)
        self._routes = routes
        self._console = console
        self._outlet = outlet
        self._broadcast = broadcast
        self._on_fenced = on_fenced
        self._on_hold = False  # what a process that is not the owner takes waits, see hold()
        self._read = Unwritten()
        # Wall seconds of the first group that could not be committed; None while all can.
        self.failing_since: float | None = None
        self._fence = NO_FENCE
        self._writer: gevent.Greenlet[..., None] | None = None
        self._idle = Signal()
        self._idle.set()

    def hold(self) -> None:
        """Take events that wait for `start` and `release`: another process is the owner still."""
        self._on_hold = True
        self.buffer.clear()
        self._read.clear()

    def start(self, fence: Fence, *, continued: Collection[int]) -> None:
        """Begin as the owner with this fence.

        What was taken before is committed now if its shard `continued`: no other process owned
        it in between. If one did, its sockets brought these events too. What was taken on hold is
        committed from `release` on.
        """
        before = self.waiting
        if not self._on_hold:
            self.buffer.keep(continued)
            self._read.keep(continued)
        if lost := before - self.waiting:
            logger.error("%d events are given up: another process took over", lost)
        self._fence = fence
        self.journal.start(fence)
        self._kick()

    def release(self) -> None:
        """Commit from now on what was taken on hold."""
        self._on_hold = False
        self._kick()

    def take(self, taken: Taken) -> None:
        """Have an event stored soon. Never yields."""
        self.buffer.put(taken)
        self._kick()

    @property
    def waiting(self) -> int:
        """How many events wait to be committed."""
        return len(self.buffer) + len(self._read)

    def oldest_ms(self) -> int:
        """Return when the oldest event that is not committed came, in wall milliseconds, or now."""
        return self._read.oldest_ms or self.buffer.oldest_ms or ms_now()

    def drain(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until everything is committed. Return whether it is."""
        return bool(self._idle.wait(timeout))

    def _kick(self) -> None:
        if self._writer is None and (self._read.group or len(self.buffer)) and not self._on_hold:
            self._idle.clear()
            self._writer = gevent.spawn(self._write)
            self._writer.name = "intake"

    def _write(self) -> None:
        owner = True
        while owner and (self._read.group or len(self.buffer)):
            try:
                owner = self._write_group()
            except Exception:  # a bug must not end the storing of events
                logger.exception("the intake failed, and tries again")
                gevent.sleep(RETRY_SECONDS)
        self._writer = None
        self._idle.set()

    def _write_group(self) -> bool:
        """Read a group and commit it; return whether this process still owns a shard."""
        if not self._read.group:
            self._read_group()
        fence, goes_on = self._fence, True
        try:
            self._commit(self._read.group, fence)
        except Fenced as error:
            self.failing_since = None
            self._on_fenced(fence)
            # start() decides about the rest, and may have done so already.
            goes_on = fence != self._fence or self._read.set_aside(error.shards)
        else:
            self._read.group = []
        self.buffer.accept_again()
        return goes_on

    def _read_group(self) -> None:
        """Read as many events as a commit may hold; yield every few milliseconds."""
        characters = deliveries = 0
        began = time.perf_counter()
        while (
            len(self.buffer)
            and len(self._read.group) < GROUP_EVENTS
            and characters < GROUP_CHARACTERS
            and deliveries < GROUP_DELIVERIES
        ):
            taken = self.buffer.pop()
            arrival = read(taken, self._routes)
            self._read.group.append(arrival)
            characters += len(taken.text)
            deliveries += len(arrival.routes) + len(arrival.filtered)
            if time.perf_counter() - began > SLICE_SECONDS:
                gevent.sleep(0)
                began = time.perf_counter()

    def _commit(self, arrivals: list[Arrival], fence: Fence) -> None:
        """Commit a group, however long that takes; raise Fenced if another process took a shard."""
        again = False
        while True:
            try:
                written = self.journal.write(arrivals, fence, again=again)
            except StoreUnavailable:
                again = True
                self.failing_since = self.failing_since or seconds_now()
                gevent.sleep(RETRY_SECONDS)
            except Fenced as error:
                # Its numbers are perhaps taken: nothing may be written until they are known.
                raise Fenced(ALL_SHARDS if again else error.shards) from None
            except Exception:  # one bad event must not cost its neighbours
                logger.exception("cannot store %d events", len(arrivals))
                return self._commit_singly(arrivals, fence)
            else:
                self.failing_since = None
                return self.pass_on(written)

    def _commit_singly(self, arrivals: list[Arrival], fence: Fence) -> None:
        if len(arrivals) == 1:
            if arrivals[0].note is not EventNote.UNREADABLE:
                self._commit([arrivals[0].as_marker()], fence)
            return
        while arrivals:
            self._commit(arrivals[:1], fence)
            # What is committed must not be tried again with the rest.
            del arrivals[0]

    def pass_on(self, written: Written) -> None:
        """Say that events were committed: whatever fails in it, they are not stored again."""
        arrivals = written.arrivals
        try:
            self._outlet.offer(written.dues)
            for company_id in {arrival.company_id for arrival in arrivals}:
                self._broadcast.tell(company_id)
            for arrival in arrivals:
                self._console.event_received(arrival.event.name, arrival.company_id)
                if arrival.note in MARKERS:
                    words = EVENT_WORDS[arrival.note].english
                    logger.warning("company_%d: %s", arrival.company_id, words)
        except Exception:
            logger.exception("%d events are stored, and not passed on", len(arrivals))
