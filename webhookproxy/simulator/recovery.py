"""Socket.IO's connection state recovery, played as the reference server does it (4.8)."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

_KEPT = 20_000
# A socket that ended so has said goodbye, or was sent away.
_FOR_GOOD = ("client disconnect", "server disconnect")


class Opened(NamedTuple):
    """What a new socket is answered, and the frames that are sent before."""

    answer: Mapping[str, str]
    missed: list[str]


class Recovery:
    """The sessions of one company's sockets, and its last events."""

    def __init__(self) -> None:
        # For how many seconds a session is kept; 0 if none is.
        self.seconds = 0.0
        # Whether events that are sent again have their offset.
        self.offsets = True
        # How many sockets were sent what they had missed.
        self.recovered = 0
        self._count = 0
        self._frames: deque[tuple[str, str]] = deque(maxlen=_KEPT)
        # The answer to each open socket, and to those that ended, with the time of the end.
        self._open: dict[str, Mapping[str, str]] = {}
        self._ended: dict[str, tuple[float, Mapping[str, str]]] = {}

    def keep(self, frame: str) -> str:
        """Return the frame of an event as it is sent, and remember it."""
        if not self.seconds:
            return frame
        self._count += 1
        offset = f"{self._count:06}-{secrets.token_urlsafe(4)}"
        self._frames.append((offset, frame))
        return _with_offset(offset, frame)

    def open(self, socket: str, asked: object) -> Opened | None:
        """Return what a new socket is answered; None if nothing is recovered here."""
        if not self.seconds:
            return None
        opened = self._recovered(asked)
        if opened is None:
            opened = Opened({"sid": socket, "pid": secrets.token_urlsafe(12)}, [])
        self._open[socket] = opened.answer
        return opened

    def end(self, socket: str, reason: object) -> None:
        """Keep the session of a socket that ended, unless it ended for good."""
        answer = self._open.pop(socket, None)
        if answer is not None and reason not in _FOR_GOOD:
            self._ended[answer["pid"]] = (time.monotonic(), answer)

    def _recovered(self, asked: object) -> Opened | None:
        given: Mapping[str, Any] = asked if isinstance(asked, dict) else {}
        found = self._ended.get(str(given.get("pid")))
        offsets = [offset for offset, _ in self._frames]
        if found is None or time.monotonic() - found[0] > self.seconds:
            return None
        if given.get("offset") not in offsets:
            return None
        missed = list(self._frames)[offsets.index(given["offset"]) + 1 :]
        self.recovered += 1
        if not self.offsets:
            return Opened(found[1], [frame for _, frame in missed])
        return Opened(found[1], [_with_offset(*each) for each in missed])


def _with_offset(offset: str, frame: str) -> str:
    return f'{frame[:-1]},"{offset}"]'
