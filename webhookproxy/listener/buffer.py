"""What was taken from the sockets and waits to be stored, in bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from itertools import islice

from gevent.event import Event

from webhookproxy.database.fence import SHARDS, shard_of
from webhookproxy.listener.routes import Arrival, Taken

# What may wait for the store: beyond either bound the sockets are not read, and TCP pushes back.
BUFFER_EVENTS = 20_000
BUFFER_CHARACTERS = 64 * 1024 * 1024
# A full buffer takes events again when it is filled to this part: soon, because a socket that is
# not read for long may be lost.
ACCEPT_AGAIN = 0.95
# Events of lost shards that may wait for the next start, which commits them as one group.
REFUSED_MAX = 1_000


class Buffer:
    """Events that wait to be stored, in order; it says when no more may be read.

    It may hold one of so many `parts` of what a process may.
    """

    def __init__(self, parts: int = 1) -> None:
        self._parts = parts
        self._waiting: deque[Taken] = deque()
        self._characters = 0
        self._accepting = Event()
        self._accepting.set()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def oldest_ms(self) -> int:
        """When the oldest event came, in wall milliseconds; 0 if there is none."""
        return self._waiting[0].received_ms if self._waiting else 0

    def put(self, taken: Taken) -> None:
        """Append an event; a full buffer takes it too, but says that it is full."""
        self._waiting.append(taken)
        self._characters += len(taken.text)
        if len(self._waiting) >= BUFFER_EVENTS // self._parts or (
            self._characters >= BUFFER_CHARACTERS // self._parts
        ):
            self._accepting.clear()

    def pop(self) -> Taken:
        """Remove and return the oldest event; there must be one."""
        taken = self._waiting.popleft()
        self._characters -= len(taken.text)
        return taken

    def since(self, index: int) -> list[Taken]:
        """Return what was put after the first `index` events, which are still there."""
        return list(islice(self._waiting, index, None))

    def replace(self, events: Iterable[Taken]) -> None:
        """Forget everything, and put these. Never yields."""
        self.clear()
        for each in events:
            self.put(each)

    def keep(self, shards: Collection[int]) -> None:
        """Forget the events of all other shards. Never yields."""
        if len(shards) < SHARDS:
            self.replace([each for each in self._waiting if shard_of(each.company_id) in shards])

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self._characters = 0
        self._accepting.set()

    def accept_again(self) -> None:
        """Let the sockets be read again, once a group or so fits in."""
        few = len(self) * self._parts < BUFFER_EVENTS * ACCEPT_AGAIN
        if few and self._characters * self._parts < BUFFER_CHARACTERS * ACCEPT_AGAIN:
            self._accepting.set()

    def wait_until_accepting(self, timeout: float) -> bool:
        """Wait while it is full, `timeout` seconds at most; return whether it is not."""
        return self._accepting.is_set() or bool(self._accepting.wait(timeout))


class Unwritten:
    """Events that were read and are not committed yet.

    `group` is the one whose turn it is. What could not be written, because another process had
    taken its shard, waits apart until this process owns shards again.
    """

    def __init__(self) -> None:
        self.group: list[Arrival] = []
        self._refused: list[Arrival] = []

    def __len__(self) -> int:
        return len(self.group) + len(self._refused)

    @property
    def oldest_ms(self) -> int:
        """When the oldest event came, in wall milliseconds; 0 if there is none."""
        return min((each.received_ms for each in [*self._refused, *self.group]), default=0)

    def set_aside(self, lost: Collection[int]) -> bool:
        """Set the events of lost shards aside; return whether those of others may be written."""
        refused, self.group = self.group, []
        for each in refused:
            is_lost = shard_of(each.company_id) in lost
            (self._refused if is_lost else self.group).append(each)
        return len(lost) < SHARDS and len(self._refused) < REFUSED_MAX

    def keep(self, shards: Collection[int]) -> None:
        """Have the events of these shards be written, and forget all others."""
        # In place: it may be the group that is being refused at this moment. What was refused
        # before is older.
        both = [*self._refused, *self.group]
        self.group[:] = [each for each in both if shard_of(each.company_id) in shards]
        self._refused = []

    def clear(self) -> None:
        """Forget everything."""
        self.group.clear()
        self._refused.clear()
