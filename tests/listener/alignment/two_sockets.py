"""A server with one stream and two sockets on it, played without a network."""

from __future__ import annotations

from collections import Counter, deque

from webhookproxy.listener.alignment.pairing import Pairing, Verdict

FIRST, SECOND = "first", "second"
JOINED, PING = "joined", "ping"


class Line:
    """What is under way to one socket: (kind, text, number of the event)."""

    def __init__(self) -> None:
        self.items: deque[tuple[str, str, int]] = deque()
        self.is_joined = self.heard = False


class Server:
    """Emits events to the sockets that joined; what they bring goes through a pairing."""

    def __init__(self) -> None:
        self.pairing = Pairing()
        self.lines: dict[str, Line] = {}
        self.emitted = 0
        # The numbers of the events that any socket brought, by text; what was stored; how many of
        # these in doubt.
        self.brought: dict[str, set[int]] = {}
        self.stored: Counter[str] = Counter()
        self.in_doubt: Counter[str] = Counter()
        # What the two sockets brought since the second one was opened: (socket, kind).
        self.log: list[tuple[str, str]] = []

    def begin(self) -> None:
        """Open both sockets."""
        for name in (FIRST, SECOND):
            self.open(name)
            self.join(name)
            self.read(name)

    def ping_both(self, times: int) -> None:
        for _ in range(times):
            for name in (FIRST, SECOND):
                self.ping(name)
                self.read(name)

    def open(self, name: str) -> None:
        """Open a socket, unless the other one did not hear yet that it joined."""
        heard = all(each.heard for each in self.lines.values())
        if name not in self.lines and heard:
            self.lines[name] = Line()
            self.pairing.open(name)

    def join(self, name: str) -> None:
        line = self.lines.get(name)
        if line is not None and not line.is_joined:
            line.is_joined = True
            line.items.append((JOINED, "", 0))

    def emit(self, text: str, *, only: str | None = None, swapped: str | None = None) -> None:
        """Emit an event to all sockets, or to one; to `swapped` it comes before the last one."""
        self.emitted += 1
        for name, line in self.lines.items():
            if not line.is_joined or only not in (None, name):
                continue
            last = line.items[-1] if line.items else None
            line.items.append((text, text, self.emitted))
            # Two with one text cannot be told apart, so their order is none.
            if name == swapped and last is not None and last[2] and last[1] != text:
                line.items[-1], line.items[-2] = line.items[-2], line.items[-1]

    def ping(self, name: str) -> None:
        """Send a PING, if the last one was answered."""
        line = self.lines.get(name)
        if line is not None and all(kind != PING for kind, _, _ in line.items):
            line.items.append((PING, "", 0))

    def read(self, name: str, most: int = 1_000) -> None:
        line = self.lines.get(name)
        while line is not None and line.items and most:
            most -= 1
            kind, text, number = line.items.popleft()
            self.log.append((name, kind))
            if kind == JOINED:
                line.heard = True
                self.pairing.join(name)
            elif number:
                self._take(name, text, number)
            else:
                self.pairing.ping(name)

    def end(self, name: str) -> None:
        """End a socket; what is under way to it is lost."""
        if self.lines.pop(name, None) is not None:
            for text in self.pairing.end(name):
                self.stored[str(text)] += 1
                self.in_doubt[str(text)] += 1

    def lost(self) -> dict[str, int]:
        return {
            text: len(numbers) - self.stored[text]
            for text, numbers in self.brought.items()
            if len(numbers) > self.stored[text]
        }

    def doubled_without_doubt(self) -> dict[str, int]:
        return {
            text: count
            for text, count in self.stored.items()
            if count - len(self.brought[text]) > self.in_doubt[text]
        }

    def _take(self, name: str, text: str, number: int) -> None:
        self.brought.setdefault(text, set()).add(number)
        verdict = self.pairing.feed(name, text)
        if verdict in (Verdict.STORE, Verdict.STORE_IN_DOUBT):
            self.stored[text] += 1
            self.in_doubt[text] += verdict is Verdict.STORE_IN_DOUBT


def history_needs(log: list[tuple[str, str]]) -> dict[str, int]:
    """Return how many events of each text have to be stored if the first socket ends now.

    A history is how many events of a text the first socket brought that were emitted before the
    second one joined. It fits if each socket had brought by its second PING whatever the other
    one had brought before. Of those that fit the one counts that needs most.
    """
    log = log[log.index((SECOND, JOINED)) + 1 :]
    needs = {}
    for text in {kind for _, kind in log} - {PING}:
        fitting = [before for before in range(len(log) + 1) if _fits(log, text, before)]
        first, second = (log.count((name, text)) for name in (FIRST, SECOND))
        needs[text] = max(max(first, before + second) for before in fitting)
    return needs


def _fits(log: list[tuple[str, str]], text: str, before: int) -> bool:
    firsts, seconds, pings = [0], [0], {FIRST: [0], SECOND: [0]}
    for name, kind in log:
        firsts.append(firsts[-1] + ((name, kind) == (FIRST, text)))
        seconds.append(seconds[-1] + ((name, kind) == (SECOND, text)))
        for each, counts in pings.items():
            counts.append(counts[-1] + ((each, PING) == (name, kind)))
    # By its second PING the first socket brought all that was emitted before the other one joined.
    last = next((at for at, count in enumerate(pings[FIRST]) if count == 2), len(log))
    if before > firsts[last]:
        return False
    return all(
        firsts[now] >= before + seconds[then]
        for now in range(len(log) + 1)
        for then in range(now)
        if pings[FIRST][now] - pings[FIRST][then] >= 2
    ) and all(
        before + seconds[now] >= firsts[then]
        for now in range(len(log) + 1)
        for then in range(now)
        if pings[SECOND][now] - pings[SECOND][then] >= 2
    )
