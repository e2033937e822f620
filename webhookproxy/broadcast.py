"""Tells open pages that a company changed, without a database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gevent.event import Event

# Enough for a small team: a browser keeps a few streams open, and hidden tabs none.
LISTENERS_MAX = 100
PER_LOGIN = 10


def ignore_change(_company_id: int) -> None:
    """Do nothing: commands serve no pages."""


class TooMany(Exception):
    """LISTENERS_MAX pages are open already."""


class Listener:
    """One open page: woken at least once after each change."""

    def __init__(self, companies: frozenset[int] | None, login: str, told_at: float) -> None:
        # None listens to every company.
        self.companies = companies
        self.login = login
        # Whether a newer page of the same login took its place.
        self.replaced = False
        # When it was woken last, in monotonic seconds: what was drawn since is not old.
        self.woken_at = told_at
        self._changed = Event()

    def wake(self) -> None:
        """End the page's wait."""
        self.woken_at = time.monotonic()
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
        # Tells the other processes too; on SQLite their pages look by themselves.
        self.pass_on: Callable[[int], None] = ignore_change
        # Whether the other processes' changes are told here now.
        self.hears_others = False
        # When any company changed last, in monotonic seconds.
        self._told_at = 0.0
        # In the order in which they were opened.
        self._listeners: dict[Listener, None] = {}

    @property
    def full(self) -> bool:
        """Whether LISTENERS_MAX pages are open."""
        return len(self._listeners) >= LISTENERS_MAX

    @property
    def half_full(self) -> bool:
        """Whether half of LISTENERS_MAX pages are open."""
        return len(self._listeners) >= LISTENERS_MAX // 2

    @contextmanager
    def listen(self, companies: frozenset[int] | None, login: str) -> Iterator[Listener]:
        """Yield a listener while the page is open; raise TooMany beyond the bound.

        Of one login with more than PER_LOGIN pages the oldest is told to end.
        """
        if self.full:
            raise TooMany
        own = [each for each in self._listeners if each.login == login and not each.replaced]
        if len(own) >= PER_LOGIN:
            own[0].replaced = True
            own[0].wake()
        listener = Listener(companies, login, self._told_at)
        self._listeners[listener] = None
        try:
            yield listener
        finally:
            self._listeners.pop(listener, None)

    def tell(self, company_id: int) -> None:
        """Wake the pages that show this company, those of other processes too, after a commit."""
        self.tell_here(company_id)
        self.pass_on(company_id)

    def tell_here(self, company_id: int) -> None:
        """Wake the pages of this process that show this company."""
        self._told_at = time.monotonic()
        for listener in self._listeners:
            if listener.companies is None or company_id in listener.companies:
                listener.wake()

    def tell_all_here(self) -> None:
        """Wake every page of this process: no one knows which companies changed."""
        self._told_at = time.monotonic()
        for listener in self._listeners:
            listener.wake()

    def close(self) -> None:
        """End the stream of every page: one that streams on would delay the worker's stop."""
        self.closed = True
        self.tell_all_here()
