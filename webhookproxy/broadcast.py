"""Tells open pages that a company changed, without a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import Event

# Enough for a small team: a browser keeps a few streams open, and hidden tabs none.
LISTENERS_MAX = 100


def ignore_change(_company_id: int) -> None:
    """Do nothing: commands serve no pages."""


class TooMany(Exception):
    """LISTENERS_MAX pages are open already."""


class Listener:
    """One open page: woken at least once after each change."""

    def __init__(self, companies: frozenset[int] | None) -> None:
        # None listens to every company.
        self.companies = companies
        self._changed = Event()

    def wake(self) -> None:
        """End the page's wait."""
        self._changed.set()

    def wait(self, seconds: float) -> bool:
        """Return whether the page was woken within `seconds`."""
        changed = bool(self._changed.wait(seconds))
        self._changed.clear()
        return changed


class Broadcast:
    """All open pages of this process; a page holds one flag, so nothing grows."""

    def __init__(self) -> None:
        self.closed = False
        self._listeners: set[Listener] = set()

    @property
    def full(self) -> bool:
        """Whether LISTENERS_MAX pages are open."""
        return len(self._listeners) >= LISTENERS_MAX

    @contextmanager
    def listen(self, companies: frozenset[int] | None) -> Iterator[Listener]:
        """Yield a listener while the page is open; raise TooMany beyond the bound."""
        if self.full:
            raise TooMany
        listener = Listener(companies)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def tell(self, company_id: int) -> None:
        """Wake the pages that show this company, after a commit."""
        for listener in self._listeners:
            if listener.companies is None or company_id in listener.companies:
                listener.wake()

    def close(self) -> None:
        """End the stream of every page: one that streams on would delay the worker's stop."""
        self.closed = True
        for listener in self._listeners:
            listener.wake()
