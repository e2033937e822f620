"""Spares a job the steps in which there is nothing to do, where a process has several shares."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Protocol

from webhookproxy.database.fence import Share
from webhookproxy.engine.shares.read_once import ReadOnce

# A step is made after this time in any case: some things are due by the clock alone.
AT_LATEST_SECONDS = 15.0


class Job(Protocol):
    """One step at a time; `pause` is the number of seconds until the next."""

    @property
    def pause(self) -> float: ...
    def step(self) -> bool: ...


class ShareJob(Job, Protocol):
    """A job that each share has."""

    def concerned(self) -> Collection[int]:
        """Return the companies, of all shares, for which a step has something to do."""


class Spared:
    """A job of one of several shares.

    `concerned` returns the companies for which the job has something to do, as they were a moment
    ago: all shares of a process ask for them together.
    """

    def __init__(self, job: Job, share: Share, concerned: Callable[[], Collection[int]]) -> None:
        self._job = job
        self._share = share
        self._concerned = concerned
        # Whether the last step had something to do: then the next one sees whether it was all.
        self._goes_on = True
        self._next = 0.0

    @property
    def pause(self) -> float:
        """Seconds until the next step."""
        return self._job.pause

    def step(self) -> bool:
        """Do the job's step, if there is something to do; return what it returned."""
        is_due = any(map(self._share.has, self._concerned()))
        if not (is_due or self._goes_on or time.monotonic() >= self._next):
            return False
        # An error leaves it so, and the step is tried again.
        self._goes_on = True
        did = self._job.step()
        self._goes_on = is_due or did
        self._next = time.monotonic() + AT_LATEST_SECONDS
        return did


def asked_together(job: ShareJob) -> Callable[[], Collection[int]]:
    """Return what asks a job of any share for the companies of all of them, once for all."""
    return ReadOnce(job.concerned, job.pause / 2).get
