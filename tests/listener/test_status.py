"""The states of connections as they are written, on both databases."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import Connection

from tests.support.application import make_company, rows, store_of
from webhookproxy.broadcast import Broadcast
from webhookproxy.listener.status import Status, StatusWriter
from webhookproxy.reasons import ConnectionReason, ConnectionState

CONNECTED = (ConnectionState.CONNECTED, ConnectionReason.ACCEPTED)
REFUSED = (ConnectionState.TOKEN_REFUSED, ConnectionReason.KICKED)
LOST = (ConnectionState.RECONNECTING, ConnectionReason.KICKED)
NEW_TOKEN = (ConnectionState.CONNECTING, ConnectionReason.TOKEN_CHANGED)


@pytest.fixture
def writer(any_app: Flask) -> StatusWriter:
    """A writer of the process that owns the sockets."""

    def own(connection: Connection) -> None:
        connection.exec_driver_sql(
            "INSERT INTO leases (shard, fence, holder, heartbeat_at, last_event_id,"
            " last_delivery_id) VALUES (0, 1, 'host:1', 0, 0, 0)"
        )

    store_of(any_app).run(own)
    writer = StatusWriter(store_of(any_app), Broadcast())
    writer.start(1)
    return writer


def test_a_new_token_that_is_refused_at_once_is_refused_since_then(
    any_app: Flask, writer: StatusWriter
) -> None:
    company = make_company(any_app, connected=True)
    for at, (state, reason) in ((1_000, REFUSED), (2_000, NEW_TOKEN), (3_000, REFUSED)):
        # All three share a commit.
        writer.put(Status(company, state, reason, at))
    assert writer.drain(20)
    row = rows(any_app, "SELECT state, since FROM connections")[0]
    assert tuple(row) == ("token_refused", 3_000)


def test_each_state_is_written_with_its_beginning_and_its_gap(any_app: Flask) -> None:
    company = make_company(any_app, connected=True)
    store_of(any_app).run(
        lambda connection: (
            connection.exec_driver_sql(
                "INSERT INTO leases (shard, fence, holder, heartbeat_at, last_event_id,"
                " last_delivery_id) VALUES (0, 1, 'host:1', 0, 0, 0)"
            )
            and None
        )
    )
    writer = StatusWriter(store_of(any_app), Broadcast())
    writer.start(1)
    seen = []
    for at, (state, reason), gap in (
        (1_000, CONNECTED, "close"),
        (2_000, LOST, "open"),
        (3_000, LOST, None),
        (4_000, REFUSED, None),
        (5_000, LOST, None),
        (6_000, REFUSED, None),
        (7_000, NEW_TOKEN, None),
        (8_000, REFUSED, None),
        (9_000, CONNECTED, "close"),
    ):
        writer.put(Status(company, state, reason, at, gap=gap))
        assert writer.drain(20), f"{state} is not written"
        row = rows(any_app, "SELECT state, since FROM connections")[0]
        assert row.state == state.value
        seen.append(row.since)
    assert seen == [1_000, 2_000, 2_000, 4_000, 5_000, 4_000, 7_000, 8_000, 9_000]
    gaps = rows(any_app, "SELECT started_at, ended_at FROM gaps")
    assert [tuple(gap) for gap in gaps] == [(2_000, 9_000)]
