"""The listening half of a server, in the test's own process."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flask import Flask
from sqlalchemy.orm import Session

from tests.support.application import make_company, rows, store_of, wait_until
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.database.fence import SHARD, Fence
from webhookproxy.database.ownership.lease import Ownership
from webhookproxy.database.ownership.locks import lock_for
from webhookproxy.engine.shares.hand_over import HandOver
from webhookproxy.engine.shares.relay import Relay
from webhookproxy.listener import connection
from webhookproxy.listener.handover.agreement import Agreement
from webhookproxy.listener.intake import Feed
from webhookproxy.logs.console import Console
from webhookproxy.models.companies import (
    delete_company,
    edit_company,
    find_company,
    wish_connection,
)
from webhookproxy.models.deliveries.tables import Due


class Listening:
    """A relay that owns the sockets; what it would send is kept in `dues`."""

    def __init__(self, app: Flask, simulator: SimulatorProcess, console: Console) -> None:
        self.app = app
        self.simulator = simulator
        self.dues: list[Due] = []
        self.fenced = 0
        store = store_of(app)
        self.ownership = Ownership(store, lock_for(app.config["SQLALCHEMY_DATABASE_URI"]))
        self.relay = Relay(app, store, console, self._on_fenced)
        self.relay.lanes.offer = self._offer  # type: ignore[method-assign]
        self.status = self.relay.status
        self.intake = self.relay.intake
        self.registry = self.relay.registry
        self.hand_over = HandOver(Agreement(store, self.relay.reading, SHARD), self.registry)

    def begin(self, handed: Collection[int] = ()) -> None:
        """Become the owner; of `handed` it has sockets since before the last one ended."""
        assert self.ownership.take()
        assert self.ownership.fence is not None
        self.status.start(self.ownership.fence, handed)
        self.relay.start(self.ownership.fence, continued=())

    def end(self) -> None:
        """Close the sockets and let go."""
        assert self.relay.stop(5.0, self.hand_over)
        self.ownership.release()

    def company(self, token: str, **fields: Any) -> int:
        """A company that is wished connected; its number."""
        given = {"socket_url": self.simulator.url, "connected": True, **fields}
        number = make_company(self.app, token=token, **given)
        self.notice()
        return number

    def connected(self, token: str, **fields: Any) -> int:
        """The same, once it is connected."""
        number = self.company(token, **fields)
        self.wait_for_state(number, "connected")
        return number

    def notice(self) -> None:
        """Look for changes that any process made, as the engine does twice a second."""
        self.relay.follow_changes()

    def feed(self, company_id: int = 1) -> Feed:
        """A way into the intake, as a company's socket has it."""
        return Feed(self.intake, company_id, "…", hide_credentials=True)

    def wish(self, company_id: int, *, connected: bool) -> None:
        """What the button does."""

        def job(session: Session) -> None:
            wish_connection(session, find_company(session, company_id), connected=connected)

        store_of(self.app).session(job)
        self.notice()

    def edit(self, company_id: int, **fields: Any) -> None:
        """What the form does."""

        def job(session: Session) -> None:
            company = find_company(session, company_id)
            policy = self.app.extensions["policy"]
            edit_company(session, company, replace(company.input(), **fields), policy)

        store_of(self.app).session(job)
        self.notice()

    def delete(self, company_id: int) -> None:
        """What the command does."""
        store_of(self.app).session(
            lambda session: delete_company(session, find_company(session, company_id))
        )
        self.registry.forget(company_id)

    def connection(self, company_id: int) -> Any:
        """The row of the fact."""
        return rows(self.app, "SELECT * FROM connections WHERE company_id = :id", id=company_id)[0]

    def gaps(self, company_id: int) -> list[tuple[str, bool]]:
        """Reason of each gap, oldest first, and whether it has ended."""
        found = rows(
            self.app, "SELECT * FROM gaps WHERE company_id = :id ORDER BY id", id=company_id
        )
        return [(gap.reason, gap.ended_at is not None) for gap in found]

    def events(self) -> list[Any]:
        """Every stored event, in the order of arrival."""
        return rows(self.app, "SELECT * FROM events ORDER BY id")

    def wait_for_events(self, count: int, seconds: float = 20.0) -> list[Any]:
        """The events, once so many are stored."""
        wait_until(lambda: len(self.events()) >= count, seconds, f"{count} events are stored")
        return self.events()

    def wait_for_state(self, company_id: int, state: str, seconds: float = 20.0) -> Any:
        """The row of the fact, once the state is this one."""

        def row() -> Any:
            found = self.connection(company_id)
            return found if found.state == state else None

        return wait_until(row, seconds, f"company_{company_id} is {state}")

    def _offer(self, dues: Iterable[Due]) -> None:
        self.dues += dues

    def _on_fenced(self, _fence: Fence) -> None:
        self.fenced += 1


@contextmanager
def listening(app: Flask, simulator: SimulatorProcess, *, owns: bool = True) -> Iterator[Listening]:
    """A listening half that owns the sockets, or does not yet."""
    # However long a busy machine needs to open a connection, that is no gap.
    opening = patch.object(connection, "OPENING_MS", 600_000)
    with opening, Path(os.devnull).open("wb") as nowhere:
        console = Console(nowhere.fileno(), logging.INFO, 200)
        half = Listening(app, simulator, console)
        if owns:
            half.begin()
        try:
            yield half
        finally:
            half.end()
            console.close()


def now_ms() -> float:
    """Wall time in milliseconds, as the rows have it."""
    return time.time() * 1000
