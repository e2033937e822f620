"""One Socket.IO connection, from its first byte to its end."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import gevent
from gevent.event import Event

from webhookproxy.listener.wire.frames import BoundedSocket
from webhookproxy.listener.wire.protocol import Client, Engine, Owner
from webhookproxy.logs.redaction import one_line, redact, without_pieces
from webhookproxy.network.dial import DialError, Resolver, connect, wrap
from webhookproxy.network.guard import Policy, check_socket_url
from webhookproxy.reasons import ConnectionReason, DeliveryReason

# Seconds from the first byte to the namespace being connected; the library's own limit of one
# second is too short for a server that looks a token up.
HANDSHAKE_SECONDS = 15.0
# A dead server is noticed within this time, however rarely it announces to ping.
SILENCE_MAX = 180.0
# Characters that are kept of what a server said when it refused a connection.
ANSWER_MAX = 64

_DIAL_REASONS = {
    DeliveryReason.NAME_NOT_RESOLVED: ConnectionReason.NAME_NOT_RESOLVED,
    DeliveryReason.ADDRESS_NOT_ALLOWED: ConnectionReason.ADDRESS_NOT_ALLOWED,
    DeliveryReason.TLS_EXPIRED: ConnectionReason.TLS_FAILED,
    DeliveryReason.TLS_WRONG_NAME: ConnectionReason.TLS_FAILED,
    DeliveryReason.TLS_UNTRUSTED: ConnectionReason.TLS_FAILED,
    DeliveryReason.TLS_FAILED: ConnectionReason.TLS_FAILED,
}


# 3C Plus says "Authentication error".
_AUTHENTICATION = re.compile(
    r"authen|authori[sz]|autentica|autoriza|credencia|credential|token|jwt|api.?key|login|password"
    r"|senha|forbidden|permission|permiss|denied|negado|invalid|inv.lid|expired|expirad|revoked",
    re.IGNORECASE,
)
_OUTAGE = re.compile(
    r"internal|server error|time.?out|timed out|unavailable|indispon|maintenance|manuten|database"
    r"|redis|overload|too many|try again|tente novamente|bad gateway|ECONN|ETIME|\b5\d\d\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect and as whom. Its repr shows no token."""

    url: str
    token: str
    agent_id: str

    def __repr__(self) -> str:
        return f"Address({self.url!r})"


class NotConnected(Exception):
    """The connection was not made; `reason` says why, `answer` what the server said, if it did."""

    def __init__(self, reason: ConnectionReason, answer: str | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.answer = answer


def is_about_the_token(answer: str | None) -> bool:
    """Return whether a refusal's message is about authentication, and not about an outage."""
    text = answer or ""
    return _AUTHENTICATION.search(text) is not None and _OUTAGE.search(text) is None


class Socket:
    """A connection from its first byte to its end; each attempt makes a new one."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._client = Client(owner, HANDSHAKE_SECONDS)
        self._engine: Engine = self._client.eio
        self._changed = Event()
        self._accepted = False
        self._interrupted = False
        # Why the connection ended; None before that. What the server said if it refused it.
        self.lost: ConnectionReason | None = None
        self.answer: str | None = None
        self._token = ""
        self._missed: Mapping[str, str] | None = None
        self._client.on("connect", self._on_connect)
        self._client.on("connect_error", self._on_connect_error)
        self._client.ended = self._ended

    def open(
        self,
        address: Address,
        policy: Policy,
        resolver: Resolver,
        missed: Mapping[str, str] | None = None,
    ) -> None:
        """Connect and be accepted; raise NotConnected with the reason otherwise.

        `missed` asks the server for what an earlier socket missed; see listener.sessions.
        One that was accepted may be lost already when this returns.
        """
        self._token = address.token
        self._missed = missed
        self._client.has_offsets = missed is not None
        try:
            with gevent.Timeout(HANDSHAKE_SECONDS):
                self._open(address, policy, resolver)
                self._changed.wait()
        except gevent.Timeout:
            raise NotConnected(ConnectionReason.HANDSHAKE_TIMEOUT) from None
        except DialError as error:
            reason = _DIAL_REASONS.get(error.reason, ConnectionReason.CONNECTION_FAILED)
            raise NotConnected(reason) from None
        except Exception:  # the library lets whatever a broken server causes through
            # Not chained: the text of the library's errors holds the URL with its token.
            raise NotConnected(ConnectionReason.HANDSHAKE_FAILED) from None
        if not self._accepted:
            refused = self.lost in (ConnectionReason.REFUSED, ConnectionReason.SERVER_REFUSED)
            reason = self.lost if refused and self.lost else ConnectionReason.HANDSHAKE_FAILED
            raise NotConnected(reason, self.answer)

    def wait(self) -> ConnectionReason | None:
        """Wait until the connection is lost and return why; None if interrupt() was called."""
        while self.lost is None and not self._interrupted:
            silence = self._silence_left()
            if silence <= 0:
                self._lose(ConnectionReason.SILENT)
            else:
                self._changed.clear()
                self._changed.wait(silence)
        return self.lost

    def unheard_for(self) -> float:
        """Return for how many seconds events may have been emitted that were not read."""
        since = self._engine.unread_since
        if since is None and self.lost is ConnectionReason.SILENT:
            since = self._engine.last_packet
        return 0.0 if since is None else max(0.0, time.monotonic() - since)

    def interrupt(self) -> None:
        """Have wait() return now."""
        self._interrupted = True
        self._changed.set()

    def close(self) -> None:
        """End the connection at once, without waiting for the server's leave."""
        self._client.end()

    def _open(self, address: Address, policy: Policy, resolver: Resolver) -> None:
        target = check_socket_url(address.url, policy)
        sock = connect(target.host, target.port, policy, resolver, HANDSHAKE_SECONDS)
        try:
            if target.scheme == "https":
                sock = wrap(sock, target.host)
            sock.settimeout(HANDSHAKE_SECONDS)
            query = {"token": address.token}
            if address.agent_id:
                query["agent_id"] = address.agent_id
            self._engine.websocket_extra_options = {
                "socket": sock,
                # The library would follow a redirect by itself, past the guard.
                "redirect_limit": 0,
                "class_": BoundedSocket,
                # 254 instead of 81 µs an event; decoding refuses bad UTF-8 all the same.
                "skip_utf8_validation": True,
            }
            self._engine.last_packet = time.monotonic()
            self._client.connect(
                f"{target.url.rstrip('/')}/?{urlencode(query)}",
                transports=["websocket"],
                wait=False,
                auth=self._missed,
            )
        except BaseException:
            sock.close()
            raise

    def _silence_left(self) -> float:
        """Seconds until the server has been silent for longer than it promised to be."""
        engine = self._engine
        allowed = (engine.ping_interval or 25) + (engine.ping_timeout or 20)
        return float(engine.last_packet + min(allowed, SILENCE_MAX) - time.monotonic())

    def _on_connect(self) -> None:
        self._accepted = True
        self._owner.connected(str(self._client.get_sid("/") or ""), self._client.pid)
        self._changed.set()

    def _on_connect_error(self, data: object = None, *_more: object) -> None:
        # Without an Engine.IO session it was the network, and connect() raises for itself.
        # One that comes later closes the namespace: the socket stays open and hears nothing more.
        if self._engine.state == "connected":
            message = data.get("message") if isinstance(data, dict) else data
            if isinstance(message, str) and message.strip():
                # It may repeat what we sent.
                said = redact(without_pieces(one_line(message), self._token))
                self.answer = said[:ANSWER_MAX]
            about_token = is_about_the_token(self.answer)
            reason = ConnectionReason.REFUSED if about_token else ConnectionReason.SERVER_REFUSED
            self._lose(reason)

    def _ended(self, reason: str) -> None:
        kicked = reason == "server disconnect"
        self._lose(ConnectionReason.KICKED if kicked else ConnectionReason.DROPPED)

    def _lose(self, reason: ConnectionReason) -> None:
        if self.lost is None:
            self.lost = reason
            self._changed.set()
