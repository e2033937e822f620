"""The index of a running server: filled soon, emptied by the purge."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.engine.test_lifecycle import emit, running, wait_until_connected
from tests.search.searching import Searching
from tests.support.application import make_company, rows, store_of, wait_until
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.models.companies import delete_company, find_company


@pytest.mark.slow
def test_what_arrives_is_indexed_soon_and_goes_with_its_company(
    search: Searching, simulator: SimulatorProcess
) -> None:
    app, token = search.app, f"searched-token-{search.reading.dialect.name}"
    company = make_company(app, simulator.url, token, connected=True)
    with running(app) as engine:
        wait_until_connected(engine)
        emit(simulator, token, 5)
        wait_until(lambda: rows(app, "SELECT COUNT(*) FROM events")[0][0] >= 5)
        names: dict[str, Any] = {"companies": frozenset({company}), "name": "x"}
        assert len(search.ask(**names).ids) == 5
        wait_until(lambda: len(search.kept("events")) >= 5, 20, "the events are indexed")
        # The newest event of all is never purged.
        other = make_company(app, simulator.url, f"{token}-other", connected=True)
        wait_until_connected(engine, 2)
        emit(simulator, f"{token}-other")
        wait_until(lambda: len(search.kept("events")) >= 6, 20, "this one too")

        def job(session: Session) -> None:
            delete_company(session, find_company(session, company))

        store_of(app).session(job)
        wait_until(
            lambda: {row[1] for row in search.kept("values")} == {other}, 20.0, "they are gone"
        )
        assert search.find(**names) == []
