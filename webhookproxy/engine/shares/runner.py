"""One share of the companies in one process: waits for it, owns it, and gives it back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import gevent
from flask import Flask
from gevent.event import Event

from webhookproxy.database.fence import Fence, Share
from webhookproxy.database.ownership.lease import Ownership
from webhookproxy.database.ownership.locks import Lock
from webhookproxy.database.store import Store
from webhookproxy.engine.guarded import Guarded
from webhookproxy.engine.shares.hand_over import HandOver
from webhookproxy.engine.shares.heartbeat import Heartbeat
from webhookproxy.engine.shares.placement import Placement
from webhookproxy.engine.shares.read_once import News
from webhookproxy.engine.shares.relay import Relay
from webhookproxy.engine.shares.successor import Successor
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
# How long a new owner waits with its first heartbeat for what its sockets brought before.
AHEAD_SECONDS = 5.0


class ShareRunner:
    """What this process does for one share, whether it owns it or not."""

    def __init__(
        self,
        app: Flask,
        store: Store,
        console: Console,
        share: Share,
        lock: Lock,
        placement: Placement,
        news: News,
        on_replaced: Callable[[], None],
    ) -> None:
        self.share = share
        self._placement = placement
        self._news = news
        self.relay = Relay(app, store, console, self._lose, share=share)
        self._wake = Event()
        ownership = Ownership(store, lock, share, placement.holder)
        agreement = Agreement(store, self.relay.reading, share.number, news.states)
        self._hand_over = HandOver(agreement, self.relay.registry)
        # Called when another process has sockets of its own, and this one can end.
        self._on_replaced = on_replaced
        self._replaced = False
        takes_over: bool = app.config["TAKE_OVER"]
        self.successor = Successor(self.relay, agreement, placement, takes_over=takes_over)
        self.heartbeat = Heartbeat(
            ownership,
            self.relay.failing_since,
            self._wake.set,
            self._close_sockets,
            self._try_to_take,
            self.relay.status.drain,
            share,
        )
        self._guarded = Guarded(self.heartbeat.lose)
        # The fence that the relay runs with; None while it does not run.
        self._running: Fence | None = None
        # Whether the relay follows all companies: what a job stored before would be due to no
        # webhook.
        self.is_up = False
        self._stopping = False
        # Whether the share is being given to another process, while this one goes on.
        self._giving = False

    @property
    def is_taken(self) -> bool:
        """Return whether this process owns the share, or opens its sockets to own it soon."""
        return self.heartbeat.fence is not None or self.successor.is_ahead

    @property
    def role(self) -> Role:
        """What this process does with the share now."""
        if self.heartbeat.fence is not None:
            return Role.OWNER
        return Role.STANDBY if self._waits else Role.PAGES

    def run(self) -> None:
        """Own the share, or wait for it, until `stop`."""
        while not self._stopping:
            self._guarded.run(self._step)
            self._wake.wait(self.successor.pause or TICK)
            self._wake.clear()

    def wake(self) -> None:
        """Look for changes now."""
        self._wake.set()

    def stop(self, timeout: float, loop: gevent.Greenlet[..., None] | None) -> bool:
        """Finish what is in hand, close the sockets, let go; return whether all ended in time.

        `loop` is the greenlet of `run`, if there is one.
        """
        until = time.monotonic() + timeout
        self._stopping = True
        self._wake.set()
        if loop is not None:
            # A step that hangs must not keep the sockets from being closed.
            loop.join(timeout if self._giving else min(STEP_SECONDS, timeout))
            loop.kill(block=False)
        self.successor.give_up()
        return self._stand_down(max(0.0, until - time.monotonic()))

    @property
    def _waits(self) -> bool:
        """Whether this process would own the share, and another one does."""
        return self.heartbeat.waits and self._placement.takes_part

    def _step(self) -> None:
        fence = self.heartbeat.fence
        if self.heartbeat.lost:
            self._stand_down(LOST_SECONDS)
        elif fence is not None and fence != self._running:
            self._stand_up(fence)
        elif fence is not None:
            if self._news.may_follow(self.relay.revision):
                self.relay.follow_changes()
            if self._hand_over.look(fence.number(self.share.number)):
                self._follow_successor()
        elif self._waits:
            self.successor.step()
            if self.successor.is_ahead:
                self.heartbeat.hurry()

    def _follow_successor(self) -> None:
        """End: with the only share the whole process does, otherwise what it does for this one."""
        if not self.share.is_whole:
            self._giving = True
            try:
                self._stand_down(STOP_SECONDS)
                self.successor.let_another()
            finally:
                self._giving = False
        elif not self._replaced:
            self._replaced = True
            self._on_replaced()

    def _stand_up(self, fence: Fence) -> None:
        """Start what only the owner runs."""
        self._running = fence
        ahead = self.successor.is_ahead
        try:
            self.relay.status.start(fence, self.successor.take_over())
            if not ahead:
                self.heartbeat.begin()
            self.relay.start(fence, continued=self.heartbeat.continued)
            if ahead:
                # If this process dies, the gap begins at the last heartbeat: not before what was
                # heard ahead is stored.
                self.relay.intake.drain(AHEAD_SECONDS)
                self.heartbeat.begin()
            self.is_up = True
        except Exception:
            if ahead:
                self.relay.close_ahead()
            # Half an owner would be none: the lease is taken again, and all begins from there.
            self._stand_down(timeout=1.0)
            raise

    def _stand_down(self, timeout: float) -> bool:
        """Finish what is in hand and close the sockets, and let the next process own them."""
        until = time.monotonic() + timeout
        self.is_up = False
        hand_over = None
        if self._running is not None and not self.heartbeat.lost:
            hand_over = self._hand_over
            hand_over.offer(self._running.number(self.share.number))
        ended = self.relay.stop(timeout, hand_over)
        self._running = None
        self.heartbeat.give_back(max(1.0, until - time.monotonic()))
        return ended

    def _try_to_take(self, attempt: Callable[[], bool]) -> bool:
        # A share that was given back is not taken again while the others are.
        if self._stopping or self.successor.another_is_chosen():
            return False
        return self._placement.take(self.share.number, attempt)

    def _lose(self, fence: Fence) -> None:
        """Take notice, from a writer, that a shard of this fence has another owner."""
        if fence == self.heartbeat.fence:
            self.heartbeat.lose()

    def _close_sockets(self) -> None:
        """Close the sockets at once: another process opens its own. Never waits."""
        self.relay.registry.ask_stop()
        self._wake.set()
