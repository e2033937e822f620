"""Two engines on one PostgreSQL share the companies: each owns its part, and none is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from flask import Flask

from tests.engine.test_lifecycle import running
from tests.support.application import (
    application,
    make_company,
    make_webhook,
    rows,
    store_of,
    wait_until,
)
from tests.support.receiver import Receiver
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.engine.shares import placement
from webhookproxy.models.companies import find_company, wish_connection

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]
COUNT = 4
SECONDS = 60.0


@contextmanager
def engine_on(url: str, folder: Path, **settings: str) -> Iterator[tuple[Flask, Engine]]:
    """Yield an engine of its own store that shares the work, as another process would."""
    given = {"SHARES": str(COUNT), **settings}
    with application(url, folder, **given) as app, running(app) as engine:
        yield app, engine


def wish(app: Flask, company: int) -> None:
    """Wish a company connected."""
    store_of(app).session(
        lambda session: wish_connection(session, find_company(session, company), connected=True)
    )


def owned(engine: Engine) -> set[int]:
    return {each.share.number for each in engine.runners if each.is_up}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "PAUSE", 0.2)
    monkeypatch.setattr(placement.Placement, "pause", 0.2)


def test_a_new_process_is_given_its_part_and_an_old_one_hands_over_what_it_has(
    postgresql_url: str, tmp_path: Path, simulator: SimulatorProcess, receiver: Receiver
) -> None:
    with ExitStack() as first_lives, ExitStack() as second_lives:
        app, first = first_lives.enter_context(engine_on(postgresql_url, tmp_path))
        tokens = [f"shared-token-{number:04}" for number in range(COUNT)]
        for token in tokens:
            # The webhook first: what arrives before it is followed is not for it.
            company = make_company(app, simulator.url, token)
            make_webhook(app, company, receiver.url())
            wish(app, company)
        sent: list[int] = []

        def emit() -> None:
            for token in tokens:
                sent.append(len(sent))
                body = {"number": sent[-1]}
                simulator.control("emit", token=token, event="x", args=[body])

        wait_until(lambda: owned(first) == set(range(COUNT)), SECONDS, "the first owns all")
        wait_until(lambda: first.health().sockets_connected == COUNT, SECONDS, "all are connected")
        emit()
        _, second = second_lives.enter_context(engine_on(postgresql_url, tmp_path))

        def is_shared() -> bool:
            emit()
            return len(owned(first)) == len(owned(second)) == COUNT // 2

        wait_until(is_shared, SECONDS, "each has its part")
        assert not owned(first) & owned(second)
        first_lives.close()

        def has_all() -> bool:
            emit()
            return len(owned(second)) == COUNT

        wait_until(has_all, SECONDS, "the second owns all")
        wait_until(lambda: len(receiver.requests) >= len(sent), SECONDS, "all has arrived")
        for token in tokens:
            assert simulator.state(token)["sockets"] == 1
        found = rows(app, "SELECT payload, COUNT(*) AS count FROM events GROUP BY payload")
        assert Counter(row.count for row in found) == {1: len(sent)}
        assert rows(app, "SELECT * FROM gaps") == []
