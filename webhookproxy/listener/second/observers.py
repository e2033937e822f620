"""All second sockets of this process: opens those that are asked for, and writes what was seen."""

from __future__ import annotations

import logging

import gevent
from gevent.event import Event
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.broadcast import Broadcast
from webhookproxy.database.clock import ms_now
from webhookproxy.database.fence import Fence, Fenced
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.listener.registry import Registry
from webhookproxy.listener.second.observer import Observer
from webhookproxy.listener.second.report import Report, begin, write
from webhookproxy.models.companies import Company

logger = logging.getLogger(__name__)

WRITE_SECONDS = 30.0
# How soon a write that the database did not take is tried again.
RETRY_SECONDS = 5.0
STOP_SECONDS = 1.0


class Observers:
    """Owns the observers of the companies that asked for a second socket."""

    def __init__(
        self, store: Store, reading: Engine, registry: Registry, broadcast: Broadcast
    ) -> None:
        self._store = store
        self._reading = reading
        self._registry = registry
        self._broadcast = broadcast
        self._fence: Fence | None = None
        self._asked: set[int] = set()
        self._observers: dict[int, Observer] = {}
        # What was written last, by company.
        self._written: dict[int, Report] = {}
        self._due = Event()
        self._stopping = False
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def start(self, fence: Fence) -> None:
        """Begin as the owner with this fence."""
        self._fence, self._stopping = fence, False
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "second_sockets"

    def apply(self, company: Company) -> None:
        """Follow what a company asks for; called after the registry followed it."""
        supervisor = self._registry.supervisors.get(company.id)
        observer = self._observers.get(company.id)
        if not company.observe_second or supervisor is None:
            self.forget(company.id)
            return
        # One that ended is read again: it may have been asked for again.
        if observer and (observer.supervisor is not supervisor or observer.report.is_over):
            self.forget(company.id)
        self._asked.add(company.id)
        self._due.set()

    def forget(self, company_id: int) -> None:
        """Close the second socket of a company, if it has one."""
        self._asked.discard(company_id)
        self._written.pop(company_id, None)
        if (observer := self._observers.pop(company_id, None)) is not None:
            observer.stop()

    def stop(self) -> None:
        """Close every second socket and write what was seen; waits STOP_SECONDS at most."""
        if self._greenlet is None:
            return
        self._stopping = True
        self._asked.clear()
        for each in self._observers.values():
            each.stop()
        self._due.set()
        self._greenlet.join(STOP_SECONDS)
        # One that waits for the database for longer would go on beside the next one.
        self._greenlet.kill(block=False)
        self._greenlet = None
        self._observers.clear()
        self._written.clear()

    def _run(self) -> None:
        while True:
            is_last = self._stopping
            self._due.clear()
            pause = self._follow()
            if is_last:
                return
            self._due.wait(pause)

    def _follow(self) -> float:
        """Open what is asked for and write what was seen; return how many seconds to wait."""
        try:
            self._open_those_asked_for()
            self._write()
        except (SQLAlchemyError, StoreUnavailable):
            return RETRY_SECONDS
        except Fenced:
            # The sockets end soon, and these with them.
            logger.warning("second sockets: another process owns the sockets")
        except Exception:  # a bug of one company must not end the counts of all
            logger.exception("the second sockets cannot be followed")
        return WRITE_SECONDS

    def _open_those_asked_for(self) -> None:
        for company_id in sorted(self._asked - set(self._observers)):
            report = begin(self._store, self._reading, company_id, self._fence, ms_now())
            supervisor = self._registry.supervisors.get(company_id)
            # It may have changed its mind meanwhile.
            if supervisor is None or report is None or company_id not in self._asked:
                continue
            observer = Observer(supervisor, self._registry.handshakes, report, self._due.set)
            self._observers[company_id], self._written[company_id] = observer, report
            observer.start()

    def _write(self) -> None:
        """Write what changed since the last time; forget those whose row was deleted."""
        reports = {
            company_id: report
            for company_id, each in self._observers.items()
            if (report := each.report) != self._written.get(company_id)
        }
        if not reports:
            return
        gone = write(self._store, list(reports.values()), self._fence, ms_now())
        self._written.update(reports)
        for company_id in reports:
            self._broadcast.tell(company_id)
        for company_id in gone & set(self._observers):
            self.forget(company_id)
            # It asked again: from the beginning.
            self._asked.add(company_id)
            self._due.set()
