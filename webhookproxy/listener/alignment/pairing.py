"""Decides which event of two sockets that are open side by side is new, and which is a copy.

Each socket brings a stretch of what was emitted. Texts repeat byte for byte, so a set of texts seen
would lose honest repeats. What can be known is for each text between which numbers a socket is in
its events (`copies.py`). The only thing that is not known from the beginning is which events of
the older socket were emitted before the younger one joined. An Engine.IO PING travels in the same
stream as the events, and one at most is under way: with the second PING a socket has passed
everything that the other one had brought before. No clock decides anything, and it does not matter
whether the two bring one order.

While the older socket lives it brings what is in doubt itself, so a copy in doubt is held. When it
ends, what it may not have brought is stored as a possible repeat: twice rather than never.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum

from webhookproxy.listener.alignment.copies import Copies, Progress
from webhookproxy.listener.alignment.order import Order

# Texts that are being counted: a socket that lags behind, or texts that find no pair. A PING looks
# at each of them, in 10 ms at most.
TEXTS_MAX = 8_000
# A PING may be under way, and the next one is sent after our answer to it.
PINGS_UNTIL_PASSED = 2


class Verdict(Enum):
    """What to do with an event."""

    STORE = "store"
    # It may be a copy of one that was stored, and no living socket would bring it again.
    STORE_IN_DOUBT = "store in doubt"
    DROP = "drop"
    # A copy, or new: the older socket brings it, or ended() names it.
    HOLD = "hold"


@dataclass(slots=True)
class _Socket:
    pings: int = 0
    # After this number of PINGs on the other socket, all that it brings was emitted after this one
    # joined; None before this one joined.
    complete_at: int | None = None
    # After this number of its PINGs it passed everything that an ended socket had brought.
    alone_at: int | None = None


class Pairing:
    """Compares two sockets; each of them may end, and another one may take its place."""

    def __init__(self) -> None:
        # How many copies both brought, how many only one did although both had to, and how many of
        # these came to a socket that had just joined.
        self.paired = self.unpaired = self.replayed = 0
        self.order = Order()
        # The older one first.
        self._sockets: dict[Hashable, _Socket] = {}
        self._counted: dict[Hashable, Copies] = {}
        # Of the younger sockets that ended: after this number of PINGs on the older one, all that
        # it brings was emitted after they joined.
        self._ended_complete_at = 0

    @property
    def is_full(self) -> bool:
        """Whether no more texts may be counted: the younger socket has to end."""
        return len(self._counted) > TEXTS_MAX

    def open(self, socket: Hashable) -> None:
        """Begin with a socket, before its first byte: what was brought before is not for it.

        The other one has joined, if there is one: this one begins later in the stream.
        """
        for each in self._sockets.values():
            if len(self._sockets) > 1 or each.complete_at is None:
                raise ValueError("a second socket is opened beside one that joined")
            # A socket that joins later brings only what was emitted after this one joined.
            each.complete_at = 0
        self._sockets[socket] = _Socket()
        for copies in self._counted.values():
            copies.of[socket] = Progress(copies.stored, max(copies.stored, copies.wanted))
            for progress in copies.of.values():
                progress.others_then = None

    def join(self, socket: Hashable) -> None:
        """Note that the server accepted a socket: it brings everything from some moment on."""
        other = self._other(socket)
        pings = 0 if other is None else self._sockets[other].pings
        self._sockets[socket].complete_at = pings + PINGS_UNTIL_PASSED

    def feed(self, socket: Hashable, text: Hashable) -> Verdict:
        """Take an event that a socket brought."""
        place = self.order.place(socket)
        other = self._other(socket)
        copies = self._counted.get(text)
        if copies is None:
            if other is None:
                return Verdict.STORE
            copies = self._counted[text] = self._begun(socket, text)
        mine = copies.of[socket]
        theirs = None if other is None else copies.of[other]
        mine.brought += 1
        if theirs is not None and not self._is_complete(socket):
            # It may have been emitted before the other one joined.
            theirs.most += 1
        if copies.wanted and self._sockets[socket].pings < self._ended_complete_at:
            copies.wanted += 1
        verdict = self._judged(socket, copies, mine, theirs)
        if theirs is None or other is None or not (mine.is_exact and theirs.is_exact):
            copies.places.clear()
        elif verdict is Verdict.STORE:
            copies.places.append(place)
        elif len(copies.places) == copies.stored - mine.low + 1:
            # All are known that the other one brought and this one did not: this is the first.
            self.order.pair({socket: place, other: copies.places.popleft()})
        self._forget_settled(copies)
        return verdict

    def ping(self, socket: Hashable) -> None:
        """Note a PING on a socket."""
        mine = self._sockets[socket]
        mine.pings += 1
        other = self._other(socket)
        is_alone = mine.alone_at is not None and mine.pings >= mine.alone_at
        for copies in list(self._counted.values()):
            if is_alone and copies.stored_at_end is not None:
                self._miss(copies, copies.of[socket].pass_everything(copies.stored_at_end))
                copies.stored_at_end, copies.wanted = None, 0
            if other is not None:
                self._pass(copies, copies.of[socket], copies.of[other])
            self._forget_settled(copies)
        if is_alone:
            mine.alone_at = None

    def end(self, socket: Hashable) -> list[Hashable]:
        """Note the end of a socket; return the texts to be stored that were held, in doubt."""
        is_older = self._is_older(socket)
        ended = self._sockets.pop(socket)
        if not is_older:
            self._ended_complete_at = max(self._ended_complete_at, ended.complete_at or 0)
        self.order.forget(socket)
        survivor = next(iter(self._sockets), None)
        if survivor is not None:
            alone = self._sockets[survivor]
            alone.alone_at = alone.pings + PINGS_UNTIL_PASSED
        needed = [
            copies.text
            for copies in self._counted.values()
            for _ in range(copies.end(socket, survivor, is_older=is_older))
        ]
        if survivor is None:
            self._counted.clear()
        return needed

    def _begun(self, socket: Hashable, text: Hashable) -> Copies:
        """Begin to count a text; every socket passed all events of it before."""
        copies = Copies(text, {each: Progress() for each in self._sockets})
        # Before its first PING: a server may tell a new socket how things are.
        copies.is_early = not self._is_older(socket) and self._sockets[socket].pings == 0
        return copies

    def _judged(
        self, socket: Hashable, copies: Copies, mine: Progress, theirs: Progress | None
    ) -> Verdict:
        if mine.low > copies.stored:
            copies.stored += 1
            return Verdict.STORE
        if mine.high > copies.stored and self._is_older(socket):
            copies.stored += 1
            if theirs is not None:
                theirs.most += 1
            return Verdict.STORE_IN_DOUBT
        self.paired += 1
        return Verdict.DROP if mine.high <= copies.stored else Verdict.HOLD

    def _is_complete(self, socket: Hashable) -> bool:
        """Return whether all that a socket brings was emitted after the other one joined."""
        other = self._other(socket)
        mark = None if other is None else self._sockets[other].complete_at
        return mark is not None and self._sockets[socket].pings >= mark

    def _pass(self, copies: Copies, mine: Progress, theirs: Progress) -> None:
        """Use what a PING tells: this socket passed what the other one had brought before."""
        then = mine.others_then
        if then is not None:
            self._miss(copies, mine.raise_to(theirs.least + then))
            theirs.most = max(theirs.least, min(theirs.most, mine.high - then))
        mine.others_then = theirs.brought

    def _miss(self, copies: Copies, missing: int) -> None:
        if not missing:
            return
        if copies.is_early:
            self.replayed += missing
        else:
            self.unpaired += missing
        copies.places.clear()

    def _forget_settled(self, copies: Copies) -> None:
        if copies.is_settled():
            self._counted.pop(copies.text, None)

    def _is_older(self, socket: Hashable) -> bool:
        return next(iter(self._sockets)) == socket

    def _other(self, socket: Hashable) -> Hashable | None:
        return next((each for each in self._sockets if each != socket), None)
