"""A small part of the data of bench/million, on both databases, as the product stores it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bench.million.week import WEBHOOKS, make
from tests.support import postgresql
from tests.support.application import KEYS

EVENTS = 300


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'million.sqlite'}"
        return
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    with server.database(empty=True) as url:
        yield url


@pytest.mark.slow
def test_every_event_has_its_deliveries_and_the_totals_add_up(url: str) -> None:
    make({**KEYS, "DATABASE_URL": url, "ALLOW_PRIVATE_TARGETS": "1"}, EVENTS)
    engine = sa.create_engine(url)
    with engine.connect() as connection:

        def number(query: str) -> int:
            return int(connection.execute(sa.text(query)).scalar_one())

        assert number("SELECT COUNT(*) FROM events") == EVENTS
        assert number("SELECT COUNT(*) FROM deliveries") == EVENTS * WEBHOOKS
        assert number("SELECT COUNT(DISTINCT public_id) FROM events") == EVENTS
        kept_back = number("SELECT COUNT(*) FROM deliveries WHERE state = 'filtered'")
        assert number("SELECT SUM(created) FROM webhook_health") == EVENTS * WEBHOOKS - kept_back
        waiting = number("SELECT COUNT(*) FROM deliveries WHERE ended_ms IS NULL")
        ended = "delivered + refused + expired + cancelled + simulated"
        assert number(f"SELECT SUM(created - ({ended})) FROM webhook_health") == waiting > 0
        # A delivery belongs to a webhook of its event's company.
        assert not number(
            "SELECT COUNT(*) FROM deliveries d JOIN events e ON e.id = d.event_id"
            " JOIN webhooks w ON w.id = d.webhook_id WHERE w.company_id <> e.company_id"
        )
        tried = number("SELECT SUM(attempts) FROM deliveries")
        assert number("SELECT COUNT(*) FROM attempts") == tried
    engine.dispose()
