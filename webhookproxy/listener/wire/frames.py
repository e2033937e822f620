"""A WebSocket whose messages are bounded while they are read: the rest is thrown away unread."""

from __future__ import annotations

from typing import Any

from websocket import ABNF, WebSocket
from websocket._abnf import continuous_frame, frame_buffer

from webhookproxy.events.payload import MAX_PAYLOAD_BYTES

# No character takes more than four bytes, so whatever is longer than this has more characters
# than a payload may have, and is refused however it reads.
MESSAGE_MAX = 4 * MAX_PAYLOAD_BYTES + 65_536
# Bytes kept of a longer one: its name, and the beginning that is shown.
KEPT = 4_096
_PIECE = 65_536


class _Frames(frame_buffer):
    """Reads frames; of one that is too long it keeps the beginning."""

    # The announced length of a frame that was cut; 0 if it was not.
    cut = 0

    def recv_frame(self) -> ABNF:
        """The next frame."""
        self.cut = 0
        return super().recv_frame()

    def recv_strict(self, bufsize: int) -> bytes:
        """Return exactly `bufsize` bytes, or the beginning of more than MESSAGE_MAX."""
        if bufsize <= MESSAGE_MAX:
            return bytes(super().recv_strict(bufsize))
        self.cut = bufsize
        kept = bytes(super().recv_strict(KEPT))
        left = bufsize - KEPT
        while left > 0:
            left -= len(super().recv_strict(min(left, _PIECE)))
        return kept


class _Message(continuous_frame):
    """Puts the frames of one message together, up to MESSAGE_MAX bytes of them."""

    def __init__(self, frames: _Frames) -> None:
        super().__init__(fire_cont_frame=False, skip_utf8_validation=True)
        self._frames = frames
        self._length = 0
        # The whole length of the last message if it was cut, else 0.
        self.cut = 0

    def add(self, frame: ABNF) -> None:
        """Append a frame's data, or only count it."""
        self._length += self._frames.cut or len(frame.data)
        if self._length > MESSAGE_MAX:
            self.cut = self._length
            if self.cont_data:
                self.cont_data[1] = self.cont_data[1][:KEPT]
            frame.data = frame.data[:KEPT] if not self.cont_data else b""
        super().add(frame)
        if frame.fin:
            self._length = 0


class BoundedSocket(WebSocket):
    """The library's socket, made by `create_connection(class_=BoundedSocket)`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        frames = _Frames(self._recv, skip_utf8_validation=True)
        self.frame_buffer = frames
        self.cont_frame = self._message = _Message(frames)

    def recv(self) -> str | bytes:
        """The next message; when it was cut, its beginning (see `take_cut`).

        Raises what the library raises, and UnicodeDecodeError for a text that is not UTF-8.
        """
        self._message.cut = 0
        with self.readlock:
            opcode, data = self.recv_data()
        if opcode == ABNF.OPCODE_BINARY:
            return bytes(data)
        if opcode != ABNF.OPCODE_TEXT:
            return ""
        # A character may have been cut in the middle.
        return bytes(data).decode("utf-8", "ignore" if self._message.cut else "strict")

    def take_cut(self) -> int:
        """The whole length in bytes of the message that was read last, if it was cut; else 0."""
        return self._message.cut
