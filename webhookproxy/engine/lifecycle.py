"""The engine: everything of this process that is not a page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import gevent
from flask import Flask
from gevent.event import Event

from webhookproxy.broadcast import Broadcast
from webhookproxy.database.clock import keep_looking
from webhookproxy.database.fence import Share, shares_of
from webhookproxy.database.notices import notices_on
from webhookproxy.database.ownership.lease import name_of_this_process
from webhookproxy.database.ownership.locks import locks_for
from webhookproxy.database.store import Store
from webhookproxy.delivery.outcomes.tally import total
from webhookproxy.engine.background_jobs import installation_jobs, share_jobs
from webhookproxy.engine.guarded import Guarded
from webhookproxy.engine.health import Counts, Health, LoopWatch
from webhookproxy.engine.processes.presence import Presence
from webhookproxy.engine.shares.placement import Placement
from webhookproxy.engine.shares.read_once import News
from webhookproxy.engine.shares.runner import STOP_SECONDS, ShareRunner
from webhookproxy.engine.shares.spared import Job, Spared, asked_together
from webhookproxy.extensions import db
from webhookproxy.logs.console import Console
from webhookproxy.models.installation.processes import Role

logger = logging.getLogger(__name__)

# How long a stop waits until this process is off the list of those that run.
LEAVE_SECONDS = 1.0


class Engine:
    """Runs a relay for each share that this process owns, and the jobs behind them."""

    def __init__(
        self,
        app: Flask,
        store: Store,
        console: Console,
        on_replaced: Callable[[], None] = lambda: None,
    ) -> None:
        self._broadcast: Broadcast = app.extensions["broadcast"]
        url, count = app.config["OWN_SESSION_URL"], app.config["SHARES"]
        with app.app_context():
            self._reading = db.engine
        self._store = store
        holder, most = name_of_this_process(), app.config["SHARDS_MAX"]
        self._placement = Placement(self._reading, holder, count, most, self._taken)
        self._news = News(self._reading, count)
        shares = shares_of(count)
        self.runners = [
            ShareRunner(app, store, console, share, lock, self._placement, self._news, on_replaced)
            for share, lock in zip(shares, locks_for(url, shares), strict=True)
        ]
        self._installation = installation_jobs(app, self.runners[0].relay, name=holder)
        gone = self._installation.indexer.gone
        self._jobs = [(each, share_jobs(app, each.relay, gone=gone)) for each in self.runners]
        several = self._jobs[0][1] if count > 1 else ()
        self._concerned: dict[type[Job], Callable[[], Collection[int]]] = {
            type(each): asked_together(each) for each in several
        }
        self._notices = notices_on(url, self._broadcast)
        self._presence = Presence(store, holder, self.role, self.health, self.counts)
        self._stopping = False
        self._stopped = Event()
        self._loop = LoopWatch()
        self._greenlets: dict[str, gevent.Greenlet[..., None]] = {}

    def start(self) -> None:
        """Begin to own shares, or to wait for them; returns at once."""
        runs: dict[str, Callable[[], None]] = {
            "watch": self._loop.watch,
            "clock": partial(keep_looking, self._reading, self._stopped),
            "presence": partial(self._keep_at, self._presence),
            "placement": partial(self._keep_at, self._placement),
        }
        if self._notices is not None:
            runs["notices"] = self._notices.run
        for runner, jobs in self._jobs:
            number = runner.share.number
            runs[_name("run", number)] = runner.run
            runs[_name("heartbeat", number)] = runner.heartbeat.run
            for job in jobs:
                name = _name(type(job).__name__.lower(), number)
                runs[name] = partial(self._keep_at, self._spared(job, runner.share), runner)
        for each in self._installation.of_owner():
            runs[type(each).__name__.lower()] = partial(self._keep_at, each, self.runners[0])
        # For a time without the sockets.
        runs["lastword"] = partial(self._keep_at, self._installation.last_word)
        for name, run in runs.items():
            greenlet = self._greenlets[name] = gevent.Greenlet(run)
            greenlet.name = f"engine_{name}"
            greenlet.link_exception(_log_death)
            greenlet.start()

    def wake(self) -> None:
        """Look for changes now; called after a page of this process changed something."""
        self._news.forget()
        for each in self.runners:
            each.wake()

    def stop(self, timeout: float = STOP_SECONDS) -> bool:
        """Finish what is in hand, close the sockets, let go; return whether all ended in time.

        Called twice, the second call waits for the first and does nothing else.
        """
        first, self._stopping = not self._stopping, True
        if not first:
            self._stopped.wait(timeout)
            return True
        self._broadcast.close()
        ended = self._stop_all(timeout)
        gevent.killall(list(self._greenlets.values()), block=False)
        _leave(self._presence)
        self._stopped.set()
        return ended

    def role(self) -> Role:
        """What this process does with the sockets now."""
        roles = {each.role for each in self.runners}
        return next(each for each in (Role.OWNER, Role.STANDBY, Role.PAGES) if each in roles)

    def health(self) -> Health:
        """How the engine is now."""
        relays = [each.relay for each in self.runners]
        sockets = [each.registry.counts() for each in relays]
        owned = [each for each in self.runners if each.role is Role.OWNER]
        return Health(
            shards=sum(len(each.share.shards) for each in owned),
            storing=all(each.failing_since() is None for each in relays),
            sockets_wished=sum(wished for wished, _ in sockets),
            sockets_connected=sum(connected for _, connected in sockets),
            buffered=sum(each.intake.waiting for each in relays),
            loop_lag_ms=self._loop.lag_ms,
        )

    def counts(self) -> Counts:
        """What this process did since it started."""
        relays = [each.relay for each in self.runners]
        stored = sum(each.intake.journal.stored for each in relays)
        tally = total([each.lanes.results.tally for each in relays])
        return Counts(stored, tally, self._store.commits)

    def _taken(self) -> list[int]:
        return [each.share.number for each in self.runners if each.is_taken]

    def _stop_all(self, timeout: float) -> bool:
        """Give all shares back at the same time."""
        stopping = []
        for each in self.runners:
            loop = self._greenlets.get(_name("run", each.share.number))
            greenlet: gevent.Greenlet[..., bool] = gevent.Greenlet(each.stop, timeout, loop)
            greenlet.name = _name("engine_stop", each.share.number)
            greenlet.link_exception(_log_death)
            greenlet.start()
            stopping.append(greenlet)
        gevent.joinall(stopping)
        return all(each.value for each in stopping)

    def _spared(self, job: Job, share: Share) -> Job:
        """Return the job without the steps in which it has nothing to do."""
        concerned = self._concerned.get(type(job))
        return job if concerned is None else Spared(job, share, concerned)

    def _keep_at(self, job: Job, runner: ShareRunner | None = None) -> None:
        """Run a job until this process stops; one of a share only while it is owned here."""
        guarded = Guarded((lambda: None) if runner is None else runner.heartbeat.lose)
        while not self._stopping:
            if runner is None or runner.is_up:
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


def _log_death(greenlet: gevent.Greenlet[..., Any]) -> None:
    logger.error("%s died", greenlet.name, exc_info=greenlet.exc_info)


def _name(of: str, number: int) -> str:
    """Return the name of a greenlet of a share; that of the first share has no number."""
    return f"{of}_{number}" if number else of
