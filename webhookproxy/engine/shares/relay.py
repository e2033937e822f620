"""Every part between the sockets and the receivers, connected with each other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import gevent
from flask import Flask
from sqlalchemy import Engine as Database
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, joinedload

from webhookproxy.broadcast import Broadcast
from webhookproxy.database.clock import seconds_now, utc_now
from webhookproxy.database.fence import WHOLE, Fence, Share
from webhookproxy.database.store import Store
from webhookproxy.delivery.lanes.pool import Lanes
from webhookproxy.engine.shares.hand_over import HandOver
from webhookproxy.extensions import db
from webhookproxy.listener.handshakes import Handshakes
from webhookproxy.listener.intake import Intake
from webhookproxy.listener.registry import Registry
from webhookproxy.listener.routes import Routes
from webhookproxy.listener.second.observers import Observers
from webhookproxy.listener.status import StatusWriter
from webhookproxy.logs.console import Console
from webhookproxy.models import Company, Connection, Webhook
from webhookproxy.models.installation.changes import changes_since, delivery_actions_between
from webhookproxy.models.recordings import links_of
from webhookproxy.models.webhooks import secrets_later
from webhookproxy.network.dial import shared_resolver, sockets_resolver
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import ConnectionState

logger = logging.getLogger(__name__)

# At a stop: how long before its end receivers are no longer waited for, so that the sockets close
# and the last events are committed in time.
SOCKETS_SECONDS = 3.0
# A socket may have ended beside its successor's for another reason, so after this time a second one
# is tried again.
ONE_SOCKET_LASTS = timedelta(days=7)


class Relay:
    """What runs only in the process that owns a share; tests build it as the engine does."""

    def __init__(
        self,
        app: Flask,
        store: Store,
        console: Console,
        on_fenced: Callable[[Fence], None],
        clock: Callable[[], float] = seconds_now,
        share: Share = WHOLE,
    ) -> None:
        self.share = share
        policy: Policy = app.extensions["policy"]
        broadcast: Broadcast = app.extensions["broadcast"]
        with app.app_context():
            self.reading: Database = db.engine
        self._links_of = partial(
            links_of,
            public_url=app.config["PUBLIC_URL"].rstrip("/"),
            retention_days=app.config["RETENTION_DAYS"],
        )
        self.store = store
        self.status = StatusWriter(store, broadcast)
        self.routes = Routes()
        self.lanes = Lanes(
            store,
            self.reading,
            console,
            policy,
            shared_resolver(),
            app.config["RETENTION_DAYS"] * 24,
            on_fenced,
            clock,
            broadcast.tell,
        )
        self.intake = Intake(
            store, self.routes, console, self.lanes, broadcast, on_fenced, share.count
        )
        handshakes = Handshakes(policy, sockets_resolver(), share.count)
        self.registry = Registry(self.intake, self.status, console, handshakes)
        self.observers = Observers(store, self.reading, self.registry, broadcast)
        self.is_running = False
        # The one that it runs with, or last ran with.
        self.fence: Fence | None = None
        # The last change that was followed.
        self.revision = 0

    def open_ahead(self) -> None:
        """Open a socket for each company of the share that the owner has one of, beside it.

        What they bring waits for `start`; nothing is written until then.
        """
        self.status.hold()
        self.intake.hold()
        self.registry.begin(ahead=True)
        old = utc_now() - ONE_SOCKET_LASTS
        connected = select(Connection.company_id).where(
            Connection.state == ConnectionState.CONNECTED.value,
            # A second socket would end the owner's: these are opened when it is closed.
            or_(Connection.one_socket_at.is_(None), Connection.one_socket_at < old),
        )
        with Session(self.reading) as session:
            for company_id in filter(self.share.has, session.scalars(connected).all()):
                with _others_go_on("company", company_id):
                    self._open_ahead(session, company_id)
                gevent.sleep(0)

    def close_ahead(self) -> None:
        """Close the sockets that were opened ahead, and forget what they brought."""
        self.registry.stop(1.0)
        self.intake.hold()

    def start(self, fence: Fence, *, continued: Collection[int]) -> None:
        """Begin as the owner with this fence, and follow every company of the share.

        `continued` are the shards that no other process owned since this one last did.
        """
        self.is_running = True
        self.fence = fence
        self.intake.start(fence, continued=continued)
        self.lanes.start(fence, continued=continued)
        self.registry.begin(continued=continued)
        self.observers.start(fence)
        with Session(self.reading) as session:
            self.revision, _ = changes_since(session, 0)
            live = select(Company.id).where(Company.deleted_at.is_(None)).order_by(Company.id)
            for company_id in filter(self.share.has, session.scalars(live).all()):
                self._follow(session, company_id)
                # SQLite does not yield: thousands of companies must not hold up a heartbeat.
                gevent.sleep(0)
        self.intake.release()

    def follow_changes(self) -> None:
        """Read again what any process changed since the last look."""
        with Session(self.reading) as session:
            revision, changed = changes_since(session, self.revision)
            for company_id in sorted(filter(self.share.has, changed)):
                self._follow(session, company_id)
                gevent.sleep(0)
            if changed:
                self.lanes.attend(delivery_actions_between(session, self.revision, revision))
            # Only now: what the database did not give is asked for again at the next tick.
            self.revision = revision

    def stop(self, timeout: float, hand_over: HandOver | None) -> bool:
        """Finish what is in hand and close the sockets; return whether all ended in time.

        With `hand_over` the lease is still this process's. Then the receivers are waited for
        first, and for a successor to open its sockets, while ours go on being read and stored.
        Without it the sockets close first.
        """
        until = time.monotonic() + timeout
        self.is_running = False
        self.observers.stop()

        def left(reserve: float = 0.0) -> float:
            return max(0.0, until - reserve - time.monotonic())

        if hand_over is not None:
            ended = self.lanes.stop(left(SOCKETS_SECONDS))
            handed = hand_over.companies(left(SOCKETS_SECONDS))
            ended = self.registry.stop(min(left(), 1.0), handed) and ended
            stored = self.intake.drain(left(0.5))
            hand_over.close(handed if stored else frozenset())
            ended = stored and ended
        else:
            ended = self.registry.stop(min(left(), 1.0))
            ended = self.lanes.stop(left(1.0)) and ended
        self.status.drain(left())
        return ended

    def failing_since(self) -> float | None:
        """Return the wall second since which events cannot be stored; None if they can."""
        # The intake speaks for itself: on a full disk its rows may fail and a heartbeat fit.
        times = (self.intake.failing_since, self.store.failing_since)
        return min((each for each in times if each is not None), default=None)

    def _open_ahead(self, session: Session, company_id: int) -> None:
        company = _company(session, company_id)
        if company is not None and company.should_connect and company.deleted_at is None:
            self._listen(session, company)

    def _follow(self, session: Session, company_id: int) -> None:
        """Make everything match one company as it is stored now."""
        with _others_go_on("company", company_id):
            company = _company(session, company_id)
            if company is None or company.deleted_at is not None:
                self.registry.forget(company_id)
                self.observers.forget(company_id)
            if company is not None:
                self._apply(session, company)

    def _apply(self, session: Session, company: Company) -> None:
        live, ended = self._listen(session, company)
        self.observers.apply(company)
        self.lanes.apply([], [each.id for each in ended])
        for webhook in live:
            # What is due to one that cannot be followed waits.
            with _others_go_on("webhook", webhook.id):
                self.lanes.apply([webhook], [])

    def _listen(self, session: Session, company: Company) -> tuple[list[Webhook], list[Webhook]]:
        """Have a company's events go to its webhooks, and its socket be as it is wished.

        Returns the webhooks that live, and those that are deleted or whose company is.
        """
        rows = _webhooks(session, company.id)
        deleted = company.deleted_at is not None
        live = [each for each in rows if each.deleted_at is None and not deleted]
        # The routes first: an event may come as soon as there is a socket.
        self.routes.apply(company.id, live, self._links_of(company))
        self.registry.apply(company)
        return live, [each for each in rows if each not in live]


@contextmanager
def _others_go_on(kind: str, number: int) -> Iterator[None]:
    """Say it if one cannot be followed, such as one with a secret that no key opens.

    Raises what the database raises: that is no fault of this one.
    """
    try:
        yield
    except SQLAlchemyError:
        raise
    except Exception:
        logger.exception("%s_%d cannot be followed", kind, number)


def _company(session: Session, company_id: int) -> Company | None:
    return session.get(Company, company_id, options=[joinedload(Company.connection)])


def _webhooks(session: Session, company_id: int) -> Sequence[Webhook]:
    """Return the webhooks of a company; a secret that no key opens raises when it is asked for."""
    query = (
        select(Webhook).where(Webhook.company_id == company_id).options(joinedload(Webhook.health))
    )
    try:
        return session.scalars(query).all()
    except SQLAlchemyError:
        raise
    except Exception:
        return session.scalars(query.options(*secrets_later())).all()
