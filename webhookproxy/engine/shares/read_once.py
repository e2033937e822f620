"""Reads once for all shares of a process what each of them would otherwise read for itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Generic, TypeVar

from gevent.lock import RLock
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from webhookproxy.listener.handover.agreement import State, states_of
from webhookproxy.models.installation.changes import newest_change

T = TypeVar("T")

# How old what the shares of a process read together may be, in seconds.
SECONDS = 0.25


class ReadOnce(Generic[T]):
    """What `read` returned last: it is asked again if that was more than `seconds` ago."""

    def __init__(self, read: Callable[[], T], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._found: tuple[T, float] | None = None
        self._forgotten = 0
        # Those that ask at the same moment wait for one reading.
        self._turn = RLock()

    def get(self) -> T:
        """Return it. Raises what `read` raises, and then the next one asks again."""
        with self._turn:
            if self._found is None or time.monotonic() - self._found[1] > self._seconds:
                began, forgotten = time.monotonic(), self._forgotten
                value = self._read()
                self._found = (value, began) if forgotten == self._forgotten else None
                return value
            return self._found[0]

    def forget(self) -> None:
        """Have the next one ask again: something has changed now."""
        self._forgotten += 1
        self._found = None


class News:
    """What others changed, and what they say of the shares."""

    def __init__(self, reading: Engine, count: int) -> None:
        self._reading = reading
        # With one share there is nothing to spare.
        self._has_several = count > 1
        self._newest = ReadOnce(self._newest_change, SECONDS)
        self._states = ReadOnce(partial(states_of, reading, count), SECONDS)

    @property
    def states(self) -> Callable[[], Mapping[int, State]] | None:
        """What returns the state of each share's agreement; None with one share."""
        return self._states.get if self._has_several else None

    def may_follow(self, revision: int) -> bool:
        """Return whether a company may have been changed after this change."""
        return not self._has_several or self._newest.get() > revision

    def forget(self) -> None:
        """Have everything read again: something has changed now."""
        self._newest.forget()
        self._states.forget()

    def _newest_change(self) -> int:
        with Session(self._reading) as session:
            return newest_change(session)
