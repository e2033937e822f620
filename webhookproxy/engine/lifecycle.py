"""The running whole: owns the lease, the sockets and the lanes; starts, stops and wakes them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

import gevent
from flask import Flask
from gevent.event import Event
from gevent.lock import RLock
from sqlalchemy import Engine as Database
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, joinedload

from webhookproxy.broadcast import Broadcast
from webhookproxy.database.lease import Ownership, lock_for
from webhookproxy.database.store import Fenced, Store, StoreUnavailable
from webhookproxy.delivery.lanes.pool import Lanes
from webhookproxy.engine.background_jobs import Chore, chores
from webhookproxy.engine.health import Health, LoopWatch
from webhookproxy.extensions import db
from webhookproxy.listener.intake import Intake
from webhookproxy.listener.registry import Registry
from webhookproxy.listener.routes import Routes
from webhookproxy.listener.status import StatusWriter
from webhookproxy.logs.console import Console
from webhookproxy.models import Company, Webhook
from webhookproxy.models.installation.changes import acts_between, changes_since
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy

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
        config = app.config
        url = config["SQLALCHEMY_DATABASE_URI"]
        with app.app_context():
            self._reading: Database = db.engine
        self._store = store
        self._ownership = Ownership(store, lock_for(url))
        policy: Policy = app.extensions["policy"]
        resolver = Resolver()
        self._broadcast: Broadcast = app.extensions["broadcast"]
        tell = self._broadcast.tell
        self._status = StatusWriter(store, tell)
        self._routes = Routes()
        self._lanes = Lanes(
            store,
            self._reading,
            console,
            policy,
            resolver,
            config["RETENTION_DAYS"] * 24,
            self._lose,
            tell=tell,
        )
        self._intake = Intake(
            store, self._routes, console, self._lanes.offer, self._lose, tell=tell
        )
        self._registry = Registry(self._intake, self._status, console, policy, resolver)
        self._chores = chores(config, store, self._reading, self._lanes, app.extensions["search"])
        self._wake = Event()
        self._stopping = False
        self._lost = False
        # The class of the error that the last step ended with: said once, not at every tick.
        self._trouble = ""
        self._revision = 0
        self._beaten = 0.0
        self._loop = LoopWatch()
        self._lock = RLock()
        self._greenlets: list[gevent.Greenlet[..., None]] = []

    def start(self) -> None:
        """Begin to own the sockets, or to wait for them; returns at once."""
        runs: dict[str, Callable[[], None]] = {"run": self._run, "watch": self._loop.watch}
        for chore in self._chores:
            runs[type(chore).__name__.lower()] = partial(self._keep_at, chore)
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
        wished, connected = self._registry.counts()
        return Health(
            owner=self._ownership.fence is not None,
            storing=self._failing_since() is None,
            sockets_wished=wished,
            sockets_connected=connected,
            buffered=self._intake.waiting,
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
            if not self._ownership.beat(self._failing_since()):
                self._lost = True
                return False
        self._follow_changes()
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
        self._status.fence = fence
        self._status.inherit()
        self._ownership.beat()
        self._beaten = time.monotonic()
        continued = self._ownership.continued
        self._intake.start(fence, continued=continued)
        self._lanes.start(fence, continued=continued)
        self._registry.begin()
        with Session(self._reading) as session:
            self._revision, _ = changes_since(session, 0)
            live = select(Company.id).where(Company.deleted_at.is_(None)).order_by(Company.id)
            for company_id in session.scalars(live).all():
                self._follow(session, company_id)

    def _stand_down(self, timeout: float) -> bool:
        """Close the sockets, finish what is in hand, and let the next process own them."""
        until = time.monotonic() + timeout
        owned = self._ownership.fence is not None
        ended = self._registry.stop(min(5.0, timeout))
        if owned and not self._lost:
            ended = self._intake.drain(max(0.0, until - time.monotonic() - 2.0)) and ended
        ended = self._lanes.stop(max(0.0, until - time.monotonic() - 1.0)) and ended
        self._status.drain(max(0.0, until - time.monotonic()))
        self._ownership.release()
        self._lost = False
        return ended

    def _follow_changes(self) -> None:
        """Read anew what any process changed since the last look."""
        with Session(self._reading) as session:
            revision, changed = changes_since(session, self._revision)
            for company_id in sorted(changed):
                self._follow(session, company_id)
            if changed:
                self._lanes.attend(acts_between(session, self._revision, revision))
            # Only now: what the database did not give is asked for again at the next tick.
            self._revision = revision

    def _follow(self, session: Session, company_id: int) -> None:
        """Make everything match one company as it is stored now."""
        try:
            company = session.get(Company, company_id, options=[joinedload(Company.connection)])
            if company is None or company.deleted_at is not None:
                self._registry.forget(company_id)
            if company is not None:
                self._apply(session, company)
        except SQLAlchemyError:
            raise
        except Exception:  # such as a secret that no key opens: the others must not wait for it
            logger.exception("company_%d cannot be followed", company_id)

    def _apply(self, session: Session, company: Company) -> None:
        rows = session.scalars(
            select(Webhook)
            .where(Webhook.company_id == company.id)
            .options(joinedload(Webhook.health))
        ).all()
        deleted = company.deleted_at is not None
        live = [each for each in rows if each.deleted_at is None and not deleted]
        gone = [each.id for each in rows if each.deleted_at is not None or deleted]
        self._routes.apply(company.id, live)
        self._lanes.apply(live, gone)
        self._registry.apply(company)

    def _failing_since(self) -> float | None:
        # The intake speaks for itself: on a full disk its rows may fail and a heartbeat fit.
        times = (self._intake.failing_since, self._store.failing_since)
        return min((each for each in times if each is not None), default=None)

    def _lose(self, fence: int) -> None:
        """Take notice, from a writer, that this fence is the lease's no longer."""
        if fence == self._ownership.fence:
            self._lost = True
            self._wake.set()

    def _keep_at(self, chore: Chore) -> None:
        while not self._stopping:
            if self._ownership.fence is not None:
                self._guarded(chore.step)
            gevent.sleep(chore.pause)


def _log_death(greenlet: gevent.Greenlet[..., None]) -> None:
    logger.error("%s died", greenlet.name, exc_info=greenlet.exc_info)
