"""One company's connection: a greenlet that keeps its socket open until it is told to stop."""

from __future__ import annotations

import logging
import random
import time

import gevent
from gevent.event import Event

from webhookproxy.database.clock import ms_now
from webhookproxy.listener.client import Address, NotConnected, Socket
from webhookproxy.listener.handshakes import Handshakes
from webhookproxy.listener.intake import Feed
from webhookproxy.listener.status import Status, StatusWriter
from webhookproxy.logs.console import Console
from webhookproxy.models.companies import Company
from webhookproxy.reasons import ConnectionReason, ConnectionState

logger = logging.getLogger(__name__)

# A connection that lasted this long is made again at once when it drops.
LIVED_SECONDS = 5.0
BACKOFF_FIRST = 1.0
BACKOFF_MAX = 30.0
# A refused token is tried again slowly, until the user replaces it.
REFUSED_FIRST = 120.0
REFUSED_MAX = 900.0
# A token that was accepted before is refused so often until it counts as refused: servers that come
# up before their database refuse everybody.
REFUSALS_IN_OUTAGE = 3
# Opening a connection takes a moment; what takes longer is a gap.
OPENING_MS = 1_000
# How soon a supervisor that met a bug goes on.
BUG_SECONDS = 1.0


class Supervisor:
    """Owns everything about the socket of one company."""

    def __init__(
        self,
        feed: Feed,
        address: Address,
        handshakes: Handshakes,
        status: StatusWriter,
        console: Console,
        *,
        accepted_before: bool,
    ) -> None:
        self.company_id = feed.company_id
        self.state = ConnectionState.CONNECTING
        self.address = address
        self.feed = feed
        self._handshakes = handshakes
        self._status = status
        self._console = console
        self._stopping = Event()
        self._socket: Socket | None = None
        # Failed attempts and refusals since the last connection that lived for a while.
        self._attempts = 0
        self._refusals = 0
        self._accepted_before = accepted_before
        # What 3C Plus said when it refused the last attempt.
        self._answer: str | None = None
        # When the company began to be without a socket, in wall milliseconds; 0 once its gap is
        # open or it is connected.
        self._began_ms = 0
        # Whether another process has a socket still.
        self._ahead = False
        # When ours was lost meanwhile, in wall milliseconds; 0 if it was not, or if the other one
        # was still to go on for as long as ours needed.
        self.lost_ahead_ms = 0
        # For how many seconds events had not been read when the connection ended.
        self._unheard = 0.0
        self._greenlet = gevent.Greenlet(self._run)
        self._greenlet.name = f"company_{self.company_id}"
        self._greenlet.link_exception(_log_death)

    def start(self, reason: ConnectionReason, *, ahead: bool = False) -> None:
        """Begin to connect, and say why; `ahead`: another process has a socket still."""
        self._ahead = ahead
        self._began_ms = 0 if ahead else ms_now()
        self._tell(ConnectionState.CONNECTING, reason)
        self._greenlet.start()

    def ask_stop(
        self,
        state: ConnectionState,
        reason: ConnectionReason,
        gap: str | None = None,
        unstored_ms: int | None = None,
    ) -> None:
        """Have the greenlet end and close its socket, and say why. Never waits.

        `unstored_ms`: when the first event came that is not stored and may be lost now.
        An attempt that is under way is killed: what it waits for may never come.
        """
        self._stopping.set()
        if self.state is ConnectionState.CONNECTED and self._socket is not None:
            self._unheard = self._socket.unheard_for()
            self._socket.interrupt()
            if self._unheard:
                # What lies unread is lost with the socket, also where none is wished any more.
                gap = "open"
            if unstored_ms is not None:
                self._unheard = max(self._unheard, (ms_now() - unstored_ms) / 1000)
        else:
            self._greenlet.kill(block=False)
        self._tell(state, reason, gap=gap)

    @property
    def has_read_all(self) -> bool:
        """Whether nothing lies unread in the socket, such as while too much waits for the store."""
        return self._socket is not None and not self._socket.unheard_for()

    def hand_over(self) -> None:
        """Have the socket closed without a word: another process has one. Never waits."""
        self._stopping.set()
        if self._socket is not None:
            self._socket.interrupt()

    def take_over(self) -> None:
        """Say how it is now, as no other process has a socket any more."""
        self._ahead = False
        if self.lost_ahead_ms:
            # Maybe both sockets were lost, and this one is open again already.
            state, self._began_ms = self.state, self.lost_ahead_ms
            self._tell(ConnectionState.RECONNECTING, ConnectionReason.DROPPED, gap="open")
            self.state = state
        if self.state is ConnectionState.CONNECTED:
            self._tell(self.state, ConnectionReason.ACCEPTED, gap="close")
        elif self.state is ConnectionState.TOKEN_REFUSED:
            self._tell(self.state, ConnectionReason.REFUSED, gap="open")
        else:
            self._tell(ConnectionState.RECONNECTING, ConnectionReason.OWNER_GONE, gap="open")

    def join(self, timeout: float) -> bool:
        """Wait until the greenlet ended; return whether it did within `timeout` seconds."""
        self._greenlet.join(timeout)
        ended = bool(self._greenlet.dead)
        if not ended:
            self._greenlet.kill(block=False)
        return ended

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._connect_again_and_again()
            except Exception:  # a bug must not cost the company its connection
                logger.exception("the supervisor of company_%d failed", self.company_id)
                self._tell_lost(ConnectionReason.HANDSHAKE_FAILED, BUG_SECONDS)
                self._stopping.wait(BUG_SECONDS)

    def _connect_again_and_again(self) -> None:
        while not self._stopping.is_set():
            reason, lived = self._connect_once()
            if self._stopping.is_set():
                break
            if reason is ConnectionReason.REFUSED:
                reason = self._judged_refusal()
            delay = self._delay(reason, lived)
            self._tell_lost(reason, delay)
            self._stopping.wait(delay)

    def _connect_once(self) -> tuple[ConnectionReason, float]:
        """Connect and stay connected; return why that ended, and how many seconds it lived."""
        socket = self._socket = Socket(self.feed)
        began = 0.0
        try:
            with self._handshakes.turn():
                policy, resolver = self._handshakes.policy, self._handshakes.resolver
                socket.open(self.address, policy, resolver, self.feed.begin())
            if self._stopping.is_set():
                return ConnectionReason.NOT_WISHED, 0.0
            began = time.monotonic()
            self._tell_connected()
            reason = socket.wait() or ConnectionReason.NOT_WISHED
            self._unheard, self._answer = socket.unheard_for(), socket.answer
        except NotConnected as error:
            reason, self._answer = error.reason, error.answer
        finally:
            self._socket = None
            socket.close()
        if self.feed.beside is not None:
            self.feed.beside.first_lost(reason)
        return reason, time.monotonic() - began if began else 0.0

    def _judged_refusal(self) -> ConnectionReason:
        """Count a refusal of the token, and return whether it may be an outage of the server."""
        self._refusals += 1
        if self._accepted_before and self._refusals <= REFUSALS_IN_OUTAGE:
            return ConnectionReason.REFUSED_FOR_NOW
        return ConnectionReason.REFUSED

    def _delay(self, reason: ConnectionReason, lived: float) -> float:
        """Seconds until the next attempt."""
        crowded = self._handshakes.count_drop() if lived else False
        if lived >= LIVED_SECONDS:
            # One that is dropped right after it was accepted goes on waiting longer each time.
            self._attempts = self._refusals = 0
            if not crowded:
                return 0.0
        if reason is ConnectionReason.REFUSED:
            outage = REFUSALS_IN_OUTAGE if self._accepted_before else 0
            return _grown(REFUSED_FIRST, REFUSED_MAX, self._refusals - outage)
        self._attempts += 1
        return _grown(BACKOFF_FIRST, BACKOFF_MAX, self._attempts)

    def _tell_connected(self) -> None:
        connected_ms = self.feed.connected_ms
        if self._began_ms and connected_ms - self._began_ms > OPENING_MS:
            self._tell(self.state, ConnectionReason.WISHED, gap="open")
        self._began_ms, self._answer = 0, None
        self._accepted_before = True
        gap = "recover" if self.feed.is_recovered else "close"
        self._tell(ConnectionState.CONNECTED, ConnectionReason.ACCEPTED, gap=gap)
        self._console.connected(self.company_id)

    def _tell_lost(self, reason: ConnectionReason, delay: float) -> None:
        if self._ahead and not self.lost_ahead_ms:
            self.lost_ahead_ms = ms_now() - round(self._unheard * 1000)
        refused = reason is ConnectionReason.REFUSED
        state = ConnectionState.TOKEN_REFUSED if refused else ConnectionState.RECONNECTING
        logger.warning(
            "company_%d has no socket (%s); next attempt in %.1f s",
            self.company_id,
            reason.value,
            delay,
        )
        self._tell(state, reason, delay=delay, gap="open")

    def _tell(
        self,
        state: ConnectionState,
        reason: ConnectionReason,
        *,
        delay: float | None = None,
        gap: str | None = None,
    ) -> None:
        self.state = state
        connected = state is ConnectionState.CONNECTED
        at_ms = self.feed.connected_ms if connected else ms_now()
        self._status.put(
            Status(
                self.company_id,
                state,
                reason,
                at_ms,
                next_attempt_ms=None if delay is None else at_ms + round(delay * 1000),
                socket_id=self.feed.socket_id if connected else None,
                answer=self._answer,
                gap=gap,
                gap_ms=(gap == "open" and self._began_ms) or at_ms - round(self._unheard * 1000),
            )
        )
        self._unheard = 0.0
        if gap == "open":
            self._began_ms = 0


def _log_death(greenlet: gevent.Greenlet[..., None]) -> None:
    logger.error("the supervisor of %s died", greenlet.name, exc_info=greenlet.exc_info)


def address_of(company: Company) -> Address:
    """Return the settings that need a new socket when they change."""
    return Address(company.socket_url, company.token, company.agent_id)


def _grown(first: float, last: float, count: int) -> float:
    """Return how long to wait after this number of failures, in seconds."""
    grown = min(first * 2.0 ** min(count - 1, 16), last)
    # Jitter downwards, so that companies dropped together do not come back together: it spreads
    # load and guards nothing.
    return grown * random.uniform(0.5, 1.0)  # noqa: S311 # nosec B311
