"""What of Socket.IO's protocol the library does otherwise: the only file that knows the library."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import engineio
import socketio

from webhookproxy.listener.wire.frames import KEPT, MESSAGE_MAX
from webhookproxy.listener.wire.packets import PACKET, is_ours, with_attachments, without_offset

# An event announces how many binary frames follow it; 3C Plus sends none at all.
ATTACHMENTS_MAX = 1_000

# A longer id of a session is none.
PID_MAX = 128

# While an owner takes no events: how often it is asked again, and how long after the moment when a
# PING is due it is answered unread. The library gives a connection up that sends nothing for 5 s
# longer than the interval.
LOOK_SECONDS = 0.25
PONG_LATE = 2.0

# Engine.IO's numbers; a MESSAGE carries something of Socket.IO's.
_PING, _PONG, _MESSAGE = 2, 3, 4


class Owner(Protocol):
    """What a socket calls; of these only `wait_until_accepting` may yield."""

    def connected(self, socket_id: str, pid: str) -> None:
        """Take the Socket.IO id, and the id of the session of a server that can recover events.

        Called before the first event that was not missed by an earlier socket of the session.
        """

    def event(self, text: str, offset: str = "") -> None:
        """Take the packet's JSON array as text, as it came but for what stands for attachments.

        `offset` is what a server that can recover events calls this one; "" without one.
        """

    def malformed(self, error: Exception, text: str) -> None:
        """Take notice of a packet that could not be read."""

    def oversized(self, text: str, length: int) -> None:
        """Take the beginning of an event's text, and the bytes of the whole message."""

    def pinged(self) -> None:
        """Take notice of a PING: it came in one stream with the events."""

    def wait_until_accepting(self, timeout: float) -> bool:
        """Wait, before an event is taken, while there is no place for it.

        Returns whether there is place, after `timeout` seconds at most.
        """


class Engine(engineio.Client):  # type: ignore[misc]  # the library has no types
    """Handles messages in the order they come, in the greenlet that reads them.

    The library starts a greenlet for each message: their order is lost at the first yield, there
    is no back-pressure, and an exception in one goes nowhere.
    """

    client: Client
    owner: Owner
    # Monotonic seconds of the last packet that was read, and of the last PONG.
    last_packet = 0.0
    _last_pong = 0.0
    # Since when something may lie unread in this connection, because its owner had no place for
    # events; None if everything was read.
    unread_since: float | None = None
    # How many PINGs are to be read until everything from that time was.
    _pings_until_read = 0

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
            self.owner.malformed(error, data)
        return None

    def _receive_packet(self, packet: Any) -> None:
        now = self.last_packet = time.monotonic()
        self._last_pong = self._last_pong or now
        if packet.packet_type == _PING:
            self._note_ping(now)
        elif packet.packet_type == _MESSAGE and _is_event(packet.data):
            self._wait_until_accepting()
        # It may have been closed meanwhile: what is read after that is no one's any more.
        if self.state == "connected":
            super()._receive_packet(packet)

    def _note_ping(self, now: float) -> None:
        self._last_pong = now
        if self.unread_since is None:
            self.owner.pinged()
        else:
            self._pings_until_read -= 1
            if self._pings_until_read <= 0:
                self.unread_since = None

    def _wait_until_accepting(self) -> None:
        """Wait until the owner takes events, and keep the connection alive meanwhile.

        PINGs lie unread behind the event that has to wait. They are answered when they are due, or
        the server would give the connection up, and with it all that lies unread.
        """
        if self.owner.wait_until_accepting(0.0):
            return
        self.unread_since = self.unread_since or time.monotonic()
        # One may be under way already, and the next one is sent after our answer to that.
        self._pings_until_read = 2
        # The server sends its PING so long after our last PONG; it has come a little later.
        pause = self.ping_interval + min(PONG_LATE, self.ping_timeout / 2)
        while self.state == "connected" and not self.owner.wait_until_accepting(LOOK_SECONDS):
            if time.monotonic() >= self._last_pong + pause:
                self._last_pong = time.monotonic()
                self._pings_until_read += 1
                self._send_packet(engineio.packet.Packet(_PONG))
            self.last_packet = time.monotonic()


def _is_event(data: str | bytes) -> bool:
    """Return whether a message is an event or an attachment, which its owner has to keep."""
    return not isinstance(data, str) or data.startswith(("2", "5"))


@dataclass(slots=True)
class _Pending:
    """An event whose attachments follow; `dropped` if they are only to be read over."""

    body: str
    acknowledge: str
    count: int
    dropped: bool
    attachments: list[bytes] = field(default_factory=list)


class Client(socketio.Client):  # type: ignore[misc]  # the library has no types
    """Takes events by their text, and leaves the connection's own packets to the library.

    The library parses what is more than `2[...]` and writes it again: numbers lose digits, and
    some packets are lost.
    """

    # Called with the reason when the connection ends, by either side.
    ended: Callable[[str], None]

    def __init__(self, owner: Owner, timeout: float) -> None:
        super().__init__(
            reconnection=False,
            handle_sigint=False,
            logger=False,
            engineio_logger=False,
            request_timeout=timeout,
        )
        self.owner = owner
        self._pending: _Pending | None = None
        # Whether the server could recover events, and so appends an offset to each. What an
        # earlier socket missed comes before the server says so: the socket that asks for it sets
        # this.
        self.has_offsets = False
        # The id of the session that the server can recover; "" if it cannot.
        self.pid = ""
        engine: Engine = self.eio
        engine.owner = owner
        engine.client = self

    def _engineio_client_class(self) -> type[Engine]:
        return Engine

    def take_cut(self, data: str | bytes, length: int) -> None:
        """Handle a message of which only the beginning was kept."""
        packet = PACKET.fullmatch(data) if isinstance(data, str) else None
        if packet is not None and packet["kind"] == "2":
            if is_ours(packet):
                self.owner.oversized(packet["body"], length)
        elif isinstance(data, bytes) and self._pending is not None:
            if not self._pending.dropped:
                self.owner.oversized(self._pending.body[:KEPT], length)
            self._pending.dropped = True
            self._attach(self._pending, data)
        else:
            self.owner.malformed(ValueError(), data if isinstance(data, str) else "")

    def _handle_eio_message(self, data: Any) -> None:
        if not isinstance(data, str):
            if self._pending is None:
                raise ValueError("an attachment of no event")
            self._attach(self._pending, data)
            return
        self._expect_no_attachment()
        if data.startswith("2["):
            # As all of 3C Plus': of the default namespace, and without an acknowledgement.
            self._take_event(data[1:], "")
            return
        packet = PACKET.fullmatch(data)
        if packet is None:
            raise ValueError("a packet of no known form")
        if packet["kind"] in "56":
            self._expect_attachments(packet)
        elif not is_ours(packet):
            # Another namespace's is none of ours.
            return
        elif packet["kind"] == "2":
            self._take_event(packet["body"], packet["id"])
        elif packet["kind"] != "3":
            super()._handle_eio_message(data)

    def _take_event(self, text: str, acknowledge: str) -> None:
        # An event that asks to be acknowledged carries no offset.
        if self.has_offsets and not acknowledge:
            self.owner.event(*without_offset(text))
        else:
            self.owner.event(text)
        if acknowledge:
            self.eio.send(f"3{acknowledge}[]")

    def _expect_attachments(self, packet: re.Match[str]) -> None:
        count = int((packet["count"] or "")[:9] or 0)
        if count > ATTACHMENTS_MAX:
            raise ValueError("more attachments than an event may have")
        wanted = packet["kind"] == "5" and is_ours(packet)
        if count:
            self._pending = _Pending(packet["body"], packet["id"], count, dropped=not wanted)
        elif wanted:
            self._take_event(packet["body"], packet["id"])

    def _expect_no_attachment(self) -> None:
        """Give up a binary event whose frames did not follow: it would wait without end."""
        pending, self._pending = self._pending, None
        if pending is not None and not pending.dropped:
            self.owner.malformed(ValueError("an event without its attachments"), "")

    def _attach(self, pending: _Pending, data: bytes) -> None:
        pending.attachments.append(b"" if pending.dropped else data)
        last = len(pending.attachments) == pending.count
        if last:
            self._pending = None
        if pending.dropped:
            return
        if sum(map(len, pending.attachments)) > MESSAGE_MAX:
            pending.dropped = True
            raise ValueError("larger attachments than an event may have")
        if last:
            text = with_attachments(pending.body, pending.attachments)
            self._take_event(text, pending.acknowledge)

    def _handle_connect(self, namespace: str | None, data: Any) -> None:
        pid = data.get("pid") if isinstance(data, dict) else None
        self.has_offsets = bool(pid)
        self.pid = pid if isinstance(pid, str) and len(pid) <= PID_MAX else ""
        super()._handle_connect(namespace, data)

    def _handle_disconnect(self, namespace: str | None) -> None:  # noqa: ARG002 - the library's
        # The library would wait here for the very greenlet that this runs in.
        self.ended("server disconnect")

    def _handle_eio_disconnect(self, reason: str) -> None:
        super()._handle_eio_disconnect(reason)
        # The library tells its handlers only of namespaces that were connected for a while: of an
        # end during or right after the handshake it says nothing.
        self.ended(reason)

    def end(self) -> None:
        """End the connection at once, without waiting for the server's leave."""
        engine = self.eio
        engine.state = "disconnected"
        if (websocket := getattr(engine, "ws", None)) is not None:
            websocket.shutdown()
        engine._reset()
        # After the reset, which empties the queue: the greenlet that writes ends now.
        engine.queue.put(None)
        if engine in engineio.base_client.connected_clients:
            engineio.base_client.connected_clients.remove(engine)
