"""The engine: runs the relay while this process has the lease."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

import gevent
from flask import Flask
from gevent.event import Event

from webhookproxy.broadcast import Broadcast
from webhookproxy.database.clock import keep_looking
from webhookproxy.database.fence import SHARD, Fence
from webhookproxy.database.lease import Ownership, lock_for
from webhookproxy.database.notices import notices_on
from webhookproxy.database.store import Store
from webhookproxy.engine.background_jobs import Job, background_jobs
from webhookproxy.engine.guarded import Guarded
from webhookproxy.engine.hand_over import HandOver
from webhookproxy.engine.health import Counts, Health, LoopWatch
from webhookproxy.engine.heartbeat import Heartbeat
from webhookproxy.engine.last_word import LastWord
from webhookproxy.engine.processes.presence import Presence
from webhookproxy.engine.relay import Relay
from webhookproxy.engine.successor import Successor
from webhookproxy.listener.handover.agreement import Agreement
from webhookproxy.logs.console import Console
from webhookproxy.models.installation.processes import Role

logger = logging.getLogger(__name__)

# How often an owner looks for changes made by other processes, in seconds.
TICK = 0.5
# From SIGTERM to the end: a dyno is killed after 30 s.
STOP_SECONDS = 16.0
# How long a stop waits for the step that is running; it may read a database that is slow.
STEP_SECONDS = 2.0
# The sockets of a former owner are closed at once. What it was sending gets a second to end: no
# one else may own the sockets yet, and then what was answered is not sent again.
LOST_SECONDS = 2.0
# How long a stop waits until this process is off the list of those that run.
LEAVE_SECONDS = 1.0
# How long a new owner waits with its first heartbeat for what its sockets brought before.
AHEAD_SECONDS = 5.0


class Engine:
    """Everything of this process that is not a page."""

    def __init__(
        self,
        app: Flask,
        store: Store,
        console: Console,
        on_replaced: Callable[[], None] = lambda: None,
    ) -> None:
        self._broadcast: Broadcast = app.extensions["broadcast"]
        self._relay = Relay(app, store, console, self._lose)
        self._jobs = background_jobs(app, self._relay)
        self._notices = notices_on(app.config["OWN_SESSION_URL"], self._broadcast)
        self._wake = Event()
        ownership = Ownership(store, lock_for(app.config["OWN_SESSION_URL"]))
        agreement = Agreement(store, self._relay.reading)
        self._hand_over = HandOver(agreement, self._relay.registry)
        # Called when another process has sockets of its own and this one can end.
        self._on_replaced = on_replaced
        self._replaced = False
        takes_over: bool = app.config["TAKE_OVER"]
        self._successor = Successor(self._relay, agreement, ownership.holder, takes_over=takes_over)
        self._heartbeat = Heartbeat(
            ownership,
            self._relay.failing_since,
            self._wake.set,
            self._close_sockets,
            self._successor.another_is_chosen,
            self._relay.status.drain,
        )
        self._presence = Presence(store, ownership.holder, self.role, self.health, self.counts)
        self._guarded = Guarded(self._heartbeat.lose)
        # The fence that the relay runs with; None while it does not run.
        self._running: Fence | None = None
        # Whether the relay follows all companies: what a job stored before would be due to no
        # webhook.
        self._is_up = False
        self._stopping = False
        self._stopped = Event()
        self._loop = LoopWatch()
        self._greenlets: dict[str, gevent.Greenlet[..., None]] = {}

    def start(self) -> None:
        """Begin to own the sockets, or to wait for them; returns at once."""
        runs: dict[str, Callable[[], None]] = {
            "run": self._run,
            "heartbeat": self._heartbeat.run,
            "watch": self._loop.watch,
            "clock": partial(keep_looking, self._relay.reading, self._stopped),
        }
        if self._notices is not None:
            runs["notices"] = self._notices.run
        for job in (*self._jobs, self._presence):
            runs[type(job).__name__.lower()] = partial(self._keep_at, job)
        for name, run in runs.items():
            greenlet = self._greenlets[name] = gevent.Greenlet(run)
            greenlet.name = f"engine_{name}"
            greenlet.link_exception(_log_death)
            greenlet.start()

    def wake(self) -> None:
        """Look for changes now; called after a page of this process changed something."""
        self._wake.set()

    def stop(self, timeout: float = STOP_SECONDS) -> bool:
        """Finish what is in hand, close the sockets, let go; return whether all ended in time.

        Called twice, the second call waits for the first and does nothing else.
        """
        first, self._stopping = not self._stopping, True
        if not first:
            self._stopped.wait(timeout)
            return True
        until = time.monotonic() + timeout
        self._broadcast.close()
        self._wake.set()
        if (loop := self._greenlets.get("run")) is not None:
            # A step that hangs must not keep the sockets from being closed.
            loop.join(min(STEP_SECONDS, timeout))
            loop.kill(block=False)
        self._successor.give_up()
        ended = self._stand_down(max(0.0, until - time.monotonic()))
        gevent.killall(list(self._greenlets.values()), block=False)
        _leave(self._presence)
        self._stopped.set()
        return ended

    def role(self) -> Role:
        """What this process does with the sockets now."""
        if self._heartbeat.fence is not None:
            return Role.OWNER
        return Role.STANDBY if self._heartbeat.waits else Role.PAGES

    def health(self) -> Health:
        """How the engine is now."""
        wished, connected = self._relay.registry.counts()
        return Health(
            owner=self._heartbeat.fence is not None,
            storing=self._relay.failing_since() is None,
            sockets_wished=wished,
            sockets_connected=connected,
            buffered=self._relay.intake.waiting,
            loop_lag_ms=self._loop.lag_ms,
        )

    def counts(self) -> Counts:
        """What this process did since it started."""
        relay = self._relay
        return Counts(relay.intake.journal.stored, relay.lanes.results.tally, relay.store.commits)

    def _run(self) -> None:
        while not self._stopping:
            self._guarded.run(self._step)
            self._wake.wait(self._successor.pause or TICK)
            self._wake.clear()

    def _step(self) -> None:
        fence = self._heartbeat.fence
        if self._heartbeat.lost:
            self._stand_down(LOST_SECONDS)
        elif fence is not None and fence != self._running:
            self._stand_up(fence)
        elif fence is not None:
            self._relay.follow_changes()
            if self._hand_over.look(fence.number(SHARD)) and not self._replaced:
                self._replaced = True
                self._on_replaced()
        elif self._heartbeat.waits:
            self._successor.step()
            if self._successor.is_ahead:
                self._heartbeat.hurry()

    def _stand_up(self, fence: Fence) -> None:
        """Start what only the owner runs."""
        self._running = fence
        ahead = self._successor.is_ahead
        try:
            self._relay.status.start(fence, self._successor.take_over())
            if not ahead:
                self._heartbeat.begin()
            self._relay.start(fence, continued=self._heartbeat.continued)
            if ahead:
                # If this process dies, the gap begins at the last heartbeat: not before what was
                # heard ahead is stored.
                self._relay.intake.drain(AHEAD_SECONDS)
                self._heartbeat.begin()
            self._is_up = True
        except Exception:
            if ahead:
                self._relay.close_ahead()
            # Half an owner would be none: the lease is taken again, and all begins from there.
            self._stand_down(timeout=1.0)
            raise

    def _stand_down(self, timeout: float) -> bool:
        """Finish what is in hand and close the sockets, and let the next process own them."""
        until = time.monotonic() + timeout
        self._is_up = False
        hand_over = None
        if self._running is not None and not self._heartbeat.lost:
            hand_over = self._hand_over
            hand_over.offer(self._running.number(SHARD))
        ended = self._relay.stop(timeout, hand_over)
        self._running = None
        self._heartbeat.give_back(max(1.0, until - time.monotonic()))
        return ended

    def _lose(self, fence: Fence) -> None:
        """Take notice, from a writer, that a shard of this fence has another owner."""
        if fence == self._heartbeat.fence:
            self._heartbeat.lose()

    def _close_sockets(self) -> None:
        """Close the sockets at once: another process opens its own. Never waits."""
        self._relay.registry.ask_stop()
        self._wake.set()

    def _keep_at(self, job: Job) -> None:
        guarded = Guarded(self._heartbeat.lose)
        while not self._stopping:
            # These two are for a time, or a process, without the sockets.
            if self._is_up or isinstance(job, LastWord | Presence):
                guarded.run(job.step)
            gevent.sleep(job.pause)


def _leave(presence: Presence) -> None:
    """Take this process off the list of those that run, if the database takes it in time."""
    leaving = gevent.Greenlet(presence.leave)
    leaving.name = "engine_leave"
    leaving.link_exception(_log_death)
    leaving.start()
    leaving.join(LEAVE_SECONDS)
    leaving.kill(block=False)


def _log_death(greenlet: gevent.Greenlet[..., None]) -> None:
    logger.error("%s died", greenlet.name, exc_info=greenlet.exc_info)
