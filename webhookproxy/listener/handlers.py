"""What a connection tells its owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Handlers:
    """What a connection tells its owner; none of them may yield."""

    def __init__(
        self,
        connected: Callable[[str], None],
        event: Callable[[str], None],
        values: Callable[[str, list[Any]], None],
        malformed: Callable[[Exception, str], None],
        oversized: Callable[[str, int], None],
        room: Callable[[], None],
    ) -> None:
        # The Socket.IO id, before the first event.
        self.connected = connected
        # The packet's JSON array as text, exactly as it came.
        self.event = event
        # Name and arguments of an event that came with binary attachments.
        self.values = values
        self.malformed = malformed
        # The beginning of an event's text, and the length of the whole message in bytes.
        self.oversized = oversized
        # Called before a packet is read: waits while the intake has no room.
        self.room = room
