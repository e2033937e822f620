"""Tells open pages that something of a company changed; knows no database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import Event

# A browser keeps at most a few streams open, and hidden tabs none: so many serve a small team.
LISTENERS_MAX = 100


def nobody(_company_id: int) -> None:
    """Where no pages are served, as in commands, nobody is told."""


class TooMany(Exception):
    """There are LISTENERS_MAX open pages already."""


class Listener:
    """One open page: told at least once after each change, however many there were."""

    def __init__(self, companies: frozenset[int] | None) -> None:
        # None listens to every company.
        self.companies = companies
        self._changed = Event()

    def tell(self, company_id: int) -> None:
        """Wake the page if it shows this company."""
        if self.companies is None or company_id in self.companies:
            self._changed.set()

    def wake(self) -> None:
        """Wake the page whatever it shows."""
        self._changed.set()

    def wait(self, seconds: float) -> bool:
        """Whether anything changed within so many seconds."""
        changed = bool(self._changed.wait(seconds))
        self._changed.clear()
        return changed


class Broadcast:
    """All open pages of this process. A page holds one flag, so nothing here grows."""

    def __init__(self) -> None:
        self.closed = False
        self._listeners: set[Listener] = set()

    @property
    def full(self) -> bool:
        """Whether LISTENERS_MAX pages are open."""
        return len(self._listeners) >= LISTENERS_MAX

    @contextmanager
    def listen(self, companies: frozenset[int] | None) -> Iterator[Listener]:
        """A listener for as long as the page is open; TooMany beyond the bound."""
        if self.full:
            raise TooMany
        listener = Listener(companies)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def tell(self, company_id: int) -> None:
        """Something of this company was committed; costs next to nothing when nobody looks."""
        for listener in self._listeners:
            listener.tell(company_id)

    def close(self) -> None:
        """End every open page's stream: a streaming page would hold the worker past its grace."""
        self.closed = True
        for listener in self._listeners:
            listener.wake()
