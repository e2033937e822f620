"""One Socket.IO connection: the only file that knows the protocol library."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import engineio
import gevent
import socketio
from gevent.event import Event

from webhookproxy.listener.frames import MESSAGE_MAX, BoundedSocket
from webhookproxy.listener.handlers import Handlers
from webhookproxy.network.dial import DialError, Resolver, connect, wrap
from webhookproxy.network.guard import Policy, check_socket_url
from webhookproxy.reasons import ConnectionReason, DeliveryReason

# Seconds from the first byte to the namespace being connected; the library's own limit of one
# second is too short for a server that looks a token up.
HANDSHAKE_SECONDS = 15.0
# However rarely the server says that it will ping, a dead one is noticed within so many seconds.
SILENCE_MAX = 180.0
# An event announces how many binary frames follow it; 3C Plus sends none at all.
ATTACHMENTS_MAX = 1_000

# Engine.IO's number for a packet that carries something of Socket.IO's.
_MESSAGE = 4

_DIAL_REASONS = {
    DeliveryReason.NAME_NOT_RESOLVED: ConnectionReason.NAME_NOT_RESOLVED,
    DeliveryReason.ADDRESS_NOT_ALLOWED: ConnectionReason.ADDRESS_NOT_ALLOWED,
    DeliveryReason.TLS_EXPIRED: ConnectionReason.TLS_FAILED,
    DeliveryReason.TLS_WRONG_NAME: ConnectionReason.TLS_FAILED,
    DeliveryReason.TLS_UNTRUSTED: ConnectionReason.TLS_FAILED,
    DeliveryReason.TLS_FAILED: ConnectionReason.TLS_FAILED,
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect and as whom. Its repr shows no token."""

    url: str
    token: str
    agent_id: str

    def __repr__(self) -> str:
        return f"Address({self.url!r})"


class NotConnected(Exception):
    """The connection was not made; `reason` says why."""

    def __init__(self, reason: ConnectionReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class _Engine(engineio.Client):  # type: ignore[misc]  # the library has no types
    """Handles messages in the order they come, in the greenlet that reads them.

    The library starts a greenlet for each message: their order is lost at the first yield, there
    is no back-pressure, and an exception in one goes nowhere.
    """

    client: _Client
    handlers_of_owner: Handlers
    last_packet: float = 0.0

    def _trigger_event(self, event: str, *args: Any, **kwargs: Any) -> Any:
        if event != "message":
            return super()._trigger_event(event, *args, **kwargs)
        try:
            if cut := self.ws.take_cut():
                self.client.take_cut(args[0], cut)
            else:
                self.handlers["message"](*args)
        except Exception as error:  # whatever a broken packet does to the library's parser
            data = args[0] if args and isinstance(args[0], str) else ""
            self.handlers_of_owner.malformed(error, data)
        return None

    def _receive_packet(self, packet: Any) -> None:
        self.last_packet = time.monotonic()
        if packet.packet_type == _MESSAGE:
            self.handlers_of_owner.room()
        # It may have been closed meanwhile: what is read after that is nobody's any more.
        if self.state == "connected":
            super()._receive_packet(packet)


class _Client(socketio.Client):  # type: ignore[misc]  # the library has no types
    """Passes the text of an event on as it came, and leaves all else to the library."""

    handlers_of_owner: Handlers
    # Called with the reason when the connection ends, whoever ends it.
    ended: Callable[[str], None]
    _binary_packet: Any

    def _engineio_client_class(self) -> type[_Engine]:
        return _Engine

    def _handle_eio_message(self, data: Any) -> None:
        if type(data) is str:
            self._expect_no_attachment()
            # An EVENT of the default namespace that wants no acknowledgement, as all of 3C Plus'.
            if data.startswith("2["):
                self.handlers_of_owner.event(data[1:])
                return
        else:
            self._count_attachment(data)
        try:
            super()._handle_eio_message(data)
        except Exception:
            # A binary packet that failed would swallow every later event as its attachment.
            self._binary_packet = None
            raise

    def take_cut(self, data: str | bytes, length: int) -> None:
        """Handle a message of which only the beginning was kept."""
        packet, self._binary_packet = self._binary_packet, None
        if isinstance(data, str) and data.startswith("2"):
            self.handlers_of_owner.oversized(data[data.find("[") :], length)
        elif packet is not None and isinstance(packet.data, list):
            self.handlers_of_owner.oversized(json.dumps(packet.data[:1]), length)
        else:
            self.handlers_of_owner.malformed(ValueError(), data if isinstance(data, str) else "")

    def _expect_no_attachment(self) -> None:
        """Give up a binary event whose frames did not follow: the library would wait for ever."""
        if self._binary_packet is not None:
            self._binary_packet = None
            self.handlers_of_owner.malformed(ValueError("an event without its attachments"), "")

    def _count_attachment(self, data: bytes) -> None:
        packet = self._binary_packet
        if packet is None:
            return
        held = sum(map(len, packet.attachments)) + len(data)
        if packet.attachment_count > ATTACHMENTS_MAX or held > MESSAGE_MAX:
            self._binary_packet = None
            raise ValueError("more attachments than an event may have")

    def _handle_event(self, namespace: str | None, id: int | None, data: list[Any]) -> None:  # noqa: A002 - the library's name
        if not isinstance(data, list) or not data or not isinstance(data[0], str):
            raise ValueError("an event without a name")
        self.handlers_of_owner.values(data[0], data[1:])
        if id is not None:
            packet = self.packet_class(3, namespace=namespace or "/", id=id, data=[])
            self._send_packet(packet)

    def _handle_disconnect(self, namespace: str | None) -> None:  # noqa: ARG002 - the library's
        # The library would wait here for the very greenlet that this runs in.
        self.ended("server disconnect")

    def _handle_eio_disconnect(self, reason: str) -> None:
        super()._handle_eio_disconnect(reason)
        # The library tells its handlers only of namespaces that were connected for a while: of an
        # end during or right after the handshake it says nothing.
        self.ended(reason)


class Socket:
    """A connection from its first byte to its end; made anew for every attempt."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._client = _Client(
            reconnection=False,
            handle_sigint=False,
            logger=False,
            engineio_logger=False,
            request_timeout=HANDSHAKE_SECONDS,
        )
        self._client.handlers_of_owner = handlers
        self._engine: _Engine = self._client.eio
        self._engine.handlers_of_owner = handlers
        self._engine.client = self._client
        self._changed = Event()
        self._accepted = False
        self._interrupted = False
        self._lost: ConnectionReason | None = None
        self._client.on("connect", self._on_connect)
        self._client.on("connect_error", self._on_connect_error)
        self._client.ended = self._ended

    def open(self, address: Address, policy: Policy, resolver: Resolver) -> None:
        """Connect and be accepted; NotConnected with the reason otherwise."""
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
        if self._lost is not None:
            told = self._accepted or self._lost is ConnectionReason.REFUSED
            raise NotConnected(self._lost if told else ConnectionReason.HANDSHAKE_FAILED)

    def wait(self) -> ConnectionReason | None:
        """Wait until the connection is lost and return why; None if interrupt() was called."""
        while self._lost is None and not self._interrupted:
            silence = self._silence_left()
            if silence <= 0:
                self._lose(ConnectionReason.SILENT)
            else:
                self._changed.clear()
                self._changed.wait(silence)
        return self._lost

    def unheard_for(self) -> float:
        """Seconds since anything came from the server."""
        return max(0.0, time.monotonic() - self._engine.last_packet)

    def interrupt(self) -> None:
        """Have wait() return now."""
        self._interrupted = True
        self._changed.set()

    def close(self) -> None:
        """End the connection at once, without waiting for the server's leave."""
        engine = self._engine
        engine.state = "disconnected"
        engine.queue.put(None)
        if (websocket := getattr(engine, "ws", None)) is not None:
            websocket.shutdown()
        engine._reset()
        if engine in engineio.base_client.connected_clients:
            engineio.base_client.connected_clients.remove(engine)

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
        self._handlers.connected(str(self._client.get_sid("/") or ""))
        self._changed.set()

    def _on_connect_error(self, *_data: object) -> None:
        # Without an Engine.IO session it was the network, and connect() raises for itself.
        # One that comes later closes the namespace: the socket stays open and hears nothing more.
        if self._engine.state == "connected":
            self._lose(ConnectionReason.REFUSED)

    def _ended(self, reason: str) -> None:
        kicked = reason == "server disconnect"
        self._lose(ConnectionReason.KICKED if kicked else ConnectionReason.DROPPED)

    def _lose(self, reason: ConnectionReason) -> None:
        if self._lost is None:
            self._lost = reason
            self._changed.set()
