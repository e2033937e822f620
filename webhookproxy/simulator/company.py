"""One token's company: its sockets, its world, and its counts."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from webhookproxy.simulator.recordings import Recordings
from webhookproxy.simulator.records import HISTORY, Records
from webhookproxy.simulator.recovery import Recovery
from webhookproxy.simulator.samples import compact
from webhookproxy.simulator.wire import Line, RawFrame
from webhookproxy.simulator.world import World

_REMEMBERED = 2_000
_MASK_ABOVE = 12
# How late at most an event comes to a socket whose order differs.
_LATE_SECONDS = 0.2


@dataclass
class Odd:
    """How a second socket differs from the first one, on some servers."""

    # No second socket is accepted.
    refuses: bool = False
    # These events are sent to each new socket alone.
    replays: int = 0
    # Each socket gets texts of its own, or the events in an order of its own.
    texts: bool = False
    order: bool = False


@dataclass(frozen=True)
class Link:
    """One accepted socket: python-engineio's object and the websocket under it."""

    engine_id: str
    engine: Any
    line: Line


class Company:
    """The company of one token; every socket of the token hears every event."""

    def __init__(self, token: str, world: World) -> None:
        self.mask = f"{token[:4]}…{token[-4:]}" if len(token) > _MASK_ABOVE else "…"
        self.world = world
        self.links: dict[str, Link] = {}
        self.refused = False
        # Whether a new socket ends those that are open, as some servers do.
        self.one_socket = False
        self.odd = Odd()
        self._random = Random(1)  # noqa: S311
        self._late: set[asyncio.Task[None]] = set()
        self.handshakes = 0
        self.accepted = 0
        self._silent_until = 0.0
        self._seq = 0
        self._unheard = 0
        self.records = Records()
        self.recovery = Recovery()
        self.recordings = Recordings()
        self._emitted: Counter[str] = Counter()
        self._remembered: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)

    @property
    def silent(self) -> bool:
        """Return whether the world's events go nowhere now."""
        return time.monotonic() < self._silent_until

    def silence(self, seconds: float) -> None:
        """Let the world's events go nowhere for `seconds`; 0 ends a silence."""
        self._silent_until = time.monotonic() + seconds

    async def emit(self, name: str, arguments: Sequence[str]) -> None:
        """Send the event `name`, its arguments given as JSON texts, to every socket.

        The history of a call is on record then, heard or not.
        """
        if name == HISTORY and arguments:
            self.records.add(arguments[0])
        await self.send([f"42[{','.join((compact(name), *arguments))}]"], name)

    async def send(self, frames: Sequence[str | bytes], name: str | None = None) -> None:
        """Send websocket frames as they are to every socket; they are counted as `name`."""
        if name is not None:
            frames = [self.recovery.keep(str(frames[0])), *frames[1:]]
        if not self.links:
            self._unheard += 1
            return
        self._seq += 1
        self._emitted[name or "(raw)"] += 1
        self._remembered.append({"seq": self._seq, "event": name, "frame": frames[0]})
        for link in list(self.links.values()):
            if self.odd.order:
                late = asyncio.create_task(self._send_late(link, frames))
                self._late.add(late)
                late.add_done_callback(self._late.discard)
            else:
                await self._send_to(link, frames)

    async def greet(self, link: Link) -> None:
        """Send to a new socket alone what it did not hear, if the server does so."""
        for number in range(self.odd.replays):
            await self._send_to(link, [f'42["agent-is-idle",{{"state":{number}}}]'])

    async def _send_late(self, link: Link, frames: Sequence[str | bytes]) -> None:
        await asyncio.sleep(self._random.random() * _LATE_SECONDS)
        await self._send_to(link, frames)

    async def _send_to(self, link: Link, frames: Sequence[str | bytes]) -> None:
        for frame in frames:
            if self.odd.texts and isinstance(frame, str) and frame.endswith("}]"):
                frame = f'{frame[:-2]},"socket":"{link.engine_id}"}}]'
            # A socket whose client stopped answering closes itself during a send.
            if not link.engine.closed:
                await link.engine.send(RawFrame(frame))

    def waiting(self) -> int:
        """Return how many frames the slowest socket has not taken yet."""
        return max((link.engine.queue.qsize() for link in self.links.values()), default=0)

    def emitted_since(self, seq: int) -> list[dict[str, Any]]:
        """Return the frames emitted after number `seq`, of the last 2,000."""
        return [entry for entry in self._remembered if entry["seq"] > seq]

    def state(self) -> dict[str, Any]:
        """Return the counts, without the token."""
        return {
            "token": self.mask,
            "sockets": len(self.links),
            "handshakes": self.handshakes,
            "accepted": self.accepted,
            "refused": self.refused,
            "silent": self.silent,
            "seq": self._seq,
            "emitted": dict(self._emitted),
            "unheard": self._unheard,
            "recovered": self.recovery.recovered,
            "rest": self.records.state(),
            "recordings": self.recordings.state(),
        }
