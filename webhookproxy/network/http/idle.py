"""The connections that are kept open between two requests."""

from __future__ import annotations

import time

import gevent

from webhookproxy.network import dial
from webhookproxy.network.http.link import Link

# Seconds; servers drop an idle connection after 60 (nginx: 75, Node: 5) without a word.
IDLE_SECONDS = 50.0


class IdleLinks:
    """At most `most` connections, each for IDLE_SECONDS."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._links: list[Link] = []
        self._sweeper: gevent.Greenlet[..., None] | None = None

    def __len__(self) -> int:
        return len(self._links)

    def take(self, origin: str) -> Link | None:
        """Return the connection to `origin` that was used last, if one is fit for use."""
        for place in range(len(self._links) - 1, -1, -1):
            if self._links[place].origin != origin:
                continue
            link = self._links.pop(place)
            if time.monotonic() - link.idle_since < IDLE_SECONDS and not dial.is_stale(link.sock):
                return link
            link.close()
        return None

    def keep(self, link: Link) -> None:
        """Keep a connection, or close it if there are enough."""
        if len(self._links) >= self._most:
            link.close()
            return
        link.idle_since = time.monotonic()
        self._links.append(link)
        if self._sweeper is None:
            self._sweeper = gevent.spawn_later(IDLE_SECONDS, self._sweep)

    def close(self) -> None:
        """Close all of them."""
        for link in self._links:
            link.close()
        self._links.clear()
        if self._sweeper is not None:
            self._sweeper.kill(block=False)
            self._sweeper = None

    def retire(self) -> None:
        """Close all of them, and keep none from now on."""
        self._most = 0
        self.close()

    def _sweep(self) -> None:
        """Close the ones not used again: a burst must not hold its descriptors without end."""
        oldest_kept = time.monotonic() - IDLE_SECONDS
        for link in self._links:
            if link.idle_since <= oldest_kept:
                link.close()
        self._links = [link for link in self._links if link.idle_since > oldest_kept]
        self._sweeper = gevent.spawn_later(IDLE_SECONDS, self._sweep) if self._links else None
