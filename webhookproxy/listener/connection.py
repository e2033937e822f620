"""One company's connection: a greenlet that makes the fact match the wish, for ever."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event

from webhookproxy.events.contract import token_mask
from webhookproxy.listener.client import Address, NotConnected, Socket
from webhookproxy.listener.handlers import Handlers
from webhookproxy.listener.intake import Link
from webhookproxy.listener.status import Status
from webhookproxy.reasons import ConnectionReason, ConnectionState

if TYPE_CHECKING:
    from webhookproxy.listener.registry import Registry
    from webhookproxy.models.companies import Company

logger = logging.getLogger(__name__)

SOCKET_ID_MAX = 64
# A connection that lived so many seconds is made again at once when it drops.
LIVED_SECONDS = 5.0
BACKOFF_FIRST = 1.0
BACKOFF_MAX = 30.0
# A refused token is tried again slowly, until somebody replaces it.
REFUSED_FIRST = 120.0
REFUSED_MAX = 900.0


class Supervisor:
    """Owns everything about the socket of one company."""

    def __init__(
        self, registry: Registry, company_id: int, address: Address, *, hide_credentials: bool
    ) -> None:
        self.company_id = company_id
        self.state = ConnectionState.CONNECTING
        self.address = address
        self._link = Link(company_id, token_mask(address.token), hide_credentials)
        self._registry = registry
        self._stopping = Event()
        self._socket: Socket | None = None
        self._attempts = 0
        # How long the server had said nothing when that was noticed, in seconds.
        self._silence = 0.0
        self._greenlet = gevent.Greenlet(self._run)
        self._greenlet.name = f"company_{company_id}"
        self._greenlet.link_exception(self._died)

    def start(self) -> None:
        """Begin to connect."""
        self._greenlet.start()

    def hide_credentials(self, hide: bool) -> None:
        """Take the one setting that needs no new socket."""
        self._link.hide_credentials = hide

    def again(self) -> Supervisor:
        """A new supervisor with the same settings, not started."""
        hide = self._link.hide_credentials
        return Supervisor(self._registry, self.company_id, self.address, hide_credentials=hide)

    def stop(self, timeout: float) -> bool:
        """Close the socket and end, within so many seconds; whether it did.

        Ask, wait, kill.
        """
        self.ask_stop()
        self._greenlet.join(timeout)
        ended = bool(self._greenlet.dead)
        if not ended:
            self._greenlet.kill(block=False)
        return ended

    def ask_stop(self) -> None:
        """Have the greenlet end; it closes its socket on the way out."""
        self._stopping.set()
        if self._socket is not None:
            self._socket.interrupt()

    def _run(self) -> None:
        self._tell(ConnectionState.CONNECTING, ConnectionReason.WISHED)
        while not self._stopping.is_set():
            reason, lived = self._connect_once()
            if self._stopping.is_set():
                break
            delay = self._delay(reason, lived)
            self._tell_lost(reason, delay)
            self._stopping.wait(delay)

    def _connect_once(self) -> tuple[ConnectionReason, float]:
        """Connect and stay connected; why that ended, and how many seconds it lived."""
        intake, link = self._registry.intake, self._link
        handlers = Handlers(
            connected=self._connected,
            event=lambda text: intake.take(link, text),
            values=lambda name, values: intake.take_values(link, name, values),
            malformed=lambda error, text: intake.take_malformed(link, error, text),
            oversized=lambda text, length: intake.take_oversized(link, text, length),
            room=intake.wait_for_room,
        )
        socket = self._socket = Socket(handlers)
        began = 0.0
        try:
            with self._registry.gate:
                if self._stopping.is_set():
                    return ConnectionReason.NOT_WISHED, 0.0
                socket.open(self.address, self._registry.policy, self._registry.resolver)
            began = time.monotonic()
            reason = socket.wait() or ConnectionReason.NOT_WISHED
            if reason is ConnectionReason.SILENT:
                self._silence = socket.unheard_for()
        except NotConnected as error:
            reason = error.reason
        finally:
            self._socket = None
            socket.close()
        return reason, time.monotonic() - began if began else 0.0

    def _connected(self, socket_id: str) -> None:
        self._link.socket_id = socket_id[:SOCKET_ID_MAX]
        self._tell(ConnectionState.CONNECTED, ConnectionReason.ACCEPTED, gap="close")
        self._registry.console.connected(self.company_id)

    def _delay(self, reason: ConnectionReason, lived: float) -> float:
        """Seconds until the next attempt."""
        crowded = self._registry.count_drop() if lived else False
        if lived >= LIVED_SECONDS:
            # One that is dropped right after it was accepted goes on waiting longer each time.
            self._attempts = 0
            if not crowded:
                return 0.0
        self._attempts += 1
        first, last = BACKOFF_FIRST, BACKOFF_MAX
        if reason is ConnectionReason.REFUSED:
            first, last = REFUSED_FIRST, REFUSED_MAX
        grown = min(first * 2.0 ** min(self._attempts - 1, 16), last)
        # Jitter downwards, so that companies dropped together do not come back together: it spreads
        # load and guards nothing.
        return grown * random.uniform(0.5, 1.0)  # noqa: S311 # nosec B311

    def _tell_lost(self, reason: ConnectionReason, delay: float) -> None:
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
        now_ms = self._registry.now_ms()
        self._registry.status.put(
            Status(
                self.company_id,
                state,
                reason,
                now_ms,
                next_attempt_ms=None if delay is None else now_ms + round(delay * 1000),
                socket_id=self._link.socket_id if state is ConnectionState.CONNECTED else None,
                gap=gap,
                gap_ms=now_ms - round(self._silence * 1000),
            )
        )
        self._silence = 0.0

    def _died(self, greenlet: gevent.Greenlet[..., None]) -> None:
        logger.error(
            "the supervisor of company_%d died", self.company_id, exc_info=greenlet.exc_info
        )
        self._registry.supervisor_died(self)


def address_of(company: Company) -> Address:
    """What of a company decides its socket: a change of it makes the socket anew."""
    return Address(company.socket_url, company.token, company.agent_id)
