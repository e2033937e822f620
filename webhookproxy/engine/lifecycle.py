"""The engine: holds the lease, and runs the relay while it does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

import gevent
from flask import Flask
from gevent.event import Event
from gevent.lock import RLock
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.broadcast import Broadcast
from webhookproxy.database.lease import Ownership, lock_for
from webhookproxy.database.store import Fenced, Store, StoreUnavailable
from webhookproxy.engine.background_jobs import Job, background_jobs
from webhookproxy.engine.health import Health, LoopWatch
from webhookproxy.engine.relay import Relay
from webhookproxy.logs.console import Console

logger = logging.getLogger(__name__)

# How often a process that does not own the sockets tries to, and an owner looks for changes made
# by other processes, in seconds.
TICK = 0.5
BEAT_SECONDS = 2.0
# From SIGTERM to the end: a dyno is killed after 30 s.
STOP_SECONDS = 16.0
# An owner no more has its sockets closed at once. What it was sending gets a second to end: nobody
# else may own them yet, and then what was answered is not sent again.
LOST_SECONDS = 2.0


class Engine:
    """Everything of this process that is not a page."""

    def __init__(self, app: Flask, store: Store, console: Console) -> None:
        self._broadcast: Broadcast = app.extensions["broadcast"]
        self._ownership = Ownership(store, lock_for(app.config["OWN_SESSION_URL"]))
        self._relay = Relay(app, store, console, self._lose)
        self._jobs = background_jobs(app, self._relay)
        self._wake = Event()
        self._stopping = False
        self._lost = False
        # The class of the error that the last step ended with: said once, not at every tick.
        self._trouble = ""
        self._beaten = 0.0
        self._loop = LoopWatch()
        self._lock = RLock()
        self._greenlets: list[gevent.Greenlet[..., None]] = []

    def start(self) -> None:
        """Begin to own the sockets, or to wait for them; returns at once."""
        runs: dict[str, Callable[[], None]] = {"run": self._run, "watch": self._loop.watch}
        for job in self._jobs:
            runs[type(job).__name__.lower()] = partial(self._keep_at, job)
        for name, run in runs.items():
            greenlet = gevent.Greenlet(run)
            greenlet.name = f"engine_{name}"
            greenlet.link_exception(_log_death)
            greenlet.start()
            self._greenlets.append(greenlet)

    def wake(self) -> None:
        """Look for changes now; called after a page of this process changed something."""
        self._wake.set()

    def stop(self, timeout: float = STOP_SECONDS) -> bool:
        """Stop taking events, finish what is in hand, let go; whether all of it ended in time.

        Called twice, the second call waits for the first and does nothing else.
        """
        first, self._stopping = not self._stopping, True
        self._broadcast.close()
        self._wake.set()
        with self._lock:
            if not first:
                return True
            ended = self._stand_down(timeout)
            gevent.killall(self._greenlets, block=False)
            return ended

    def health(self) -> Health:
        """How the engine is now."""
        wished, connected = self._relay.registry.counts()
        return Health(
            owner=self._ownership.fence is not None,
            storing=self._relay.failing_since() is None,
            sockets_wished=wished,
            sockets_connected=connected,
            buffered=self._relay.intake.waiting,
            loop_lag_ms=self._loop.lag_ms,
        )

    def _run(self) -> None:
        said_waiting = False
        while not self._stopping:
            with self._lock:
                owner = self._guarded(self._step)
            if not owner and not said_waiting and not self._stopping and not self._trouble:
                said_waiting = True
                logger.info("another process owns the sockets: this one serves pages and waits")
            said_waiting = said_waiting and not owner
            self._wake.wait(TICK)
            self._wake.clear()

    def _guarded(self, step: Callable[[], bool]) -> bool:
        """Run a step; whatever fails in it is tried again at the next tick."""
        trouble = ""
        try:
            return step()
        except (StoreUnavailable, SQLAlchemyError) as error:
            trouble = type(error).__name__
            if trouble != self._trouble:
                logger.warning(
                    "the engine waits for the database (%s): is it reachable, and was"
                    " `flask db upgrade` run?",
                    trouble,
                )
        except Fenced:
            self._lost = True
        except OSError as error:
            trouble = type(error).__name__
            if trouble != self._trouble:
                logger.error("cannot write %s: let this process write its folder", error.filename)
        except Exception as error:  # a bug in one step must not end the engine
            trouble = type(error).__name__
            if trouble != self._trouble:
                logger.exception("a step of the engine failed, and is tried again")
        finally:
            self._trouble = trouble
        return self._ownership.fence is not None

    def _step(self) -> bool:
        """One tick; whether this process owns the sockets after it."""
        if self._stopping:
            return False
        if self._lost:
            logger.error("another process took the sockets over: letting go of them")
            self._stand_down(timeout=LOST_SECONDS)
        if self._ownership.fence is None:
            return self._stand_up()
        if time.monotonic() - self._beaten >= BEAT_SECONDS:
            self._beaten = time.monotonic()
            if not self._ownership.beat(self._relay.failing_since()):
                self._lost = True
                return False
        self._relay.follow_changes()
        return True

    def _stand_up(self) -> bool:
        """Become the owner, if nobody is."""
        if not self._ownership.take():
            return False
        fence = self._ownership.fence
        if fence is None:
            return False
        logger.info("this process owns the sockets now")
        try:
            self._start_owned(fence)
        except BaseException:
            # Half an owner would be none: the next tick begins anew.
            self._stand_down(timeout=1.0)
            raise
        return True

    def _start_owned(self, fence: int) -> None:
        """Start what only the owner runs."""
        self._relay.status.start(fence)
        self._ownership.beat()
        self._beaten = time.monotonic()
        self._relay.start(fence, continued=self._ownership.continued)

    def _stand_down(self, timeout: float) -> bool:
        """Close the sockets, finish what is in hand, and let the next process own them."""
        owned = self._ownership.fence is not None
        ended = self._relay.stop(timeout, drain=owned and not self._lost)
        self._ownership.release()
        self._lost = False
        return ended

    def _lose(self, fence: int) -> None:
        """Take notice, from a writer, that this fence is the lease's no longer."""
        if fence == self._ownership.fence:
            self._lost = True
            self._wake.set()

    def _keep_at(self, job: Job) -> None:
        while not self._stopping:
            if self._ownership.fence is not None:
                self._guarded(job.step)
            gevent.sleep(job.pause)


def _log_death(greenlet: gevent.Greenlet[..., None]) -> None:
    logger.error("%s died", greenlet.name, exc_info=greenlet.exc_info)
