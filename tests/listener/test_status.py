"""The states of connections as they are written, on both databases."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.application import make_company, rows, store_of
from tests.support.databases import own_all
from webhookproxy.broadcast import Broadcast
from webhookproxy.database.fence import Fenced, shard_of
from webhookproxy.listener.status import Status, StatusWriter
from webhookproxy.reasons import ConnectionReason, ConnectionState

CONNECTED = (ConnectionState.CONNECTED, ConnectionReason.ACCEPTED)
REFUSED = (ConnectionState.TOKEN_REFUSED, ConnectionReason.KICKED)
LOST = (ConnectionState.RECONNECTING, ConnectionReason.KICKED)
NEW_TOKEN = (ConnectionState.CONNECTING, ConnectionReason.TOKEN_CHANGED)


@pytest.fixture
def writer(any_app: Flask) -> StatusWriter:
    """A writer of the process that owns the sockets."""
    writer = StatusWriter(store_of(any_app), Broadcast())
    writer.start(own_all(any_app))
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
    writer = StatusWriter(store_of(any_app), Broadcast())
    writer.start(own_all(any_app))
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


def test_states_of_a_shard_that_another_process_took_are_left_to_it(any_app: Flask) -> None:
    fence = own_all(any_app)
    companies = [make_company(any_app, token=f"shard-{number}-0001") for number in range(3)]
    lost = companies[1]
    change(any_app, f"UPDATE leases SET fence = fence + 1 WHERE shard = {shard_of(lost)}")
    writer = StatusWriter(store_of(any_app), Broadcast())
    writer.start(fence.of_companies([companies[0], companies[2]]))
    writer._fence = fence
    for company in companies:
        writer.put(Status(company, *CONNECTED, 1_000))
    assert writer.drain(20)
    found = rows(any_app, "SELECT state, fence FROM connections ORDER BY company_id")
    assert [tuple(row) for row in found] == [
        ("connected", 1),
        ("disconnected", 0),
        ("connected", 1),
    ]


def test_a_new_owner_opens_the_gaps_of_its_shards_from_their_last_heartbeats(
    any_app: Flask,
) -> None:
    fence = own_all(any_app)
    first, second = (
        make_company(any_app, token=f"shard-{number}-0001", connected=True) for number in range(2)
    )
    change(any_app, "UPDATE connections SET state = 'connected', since = 1")
    for company, at in ((first, 10_000), (second, 20_000)):
        change(any_app, f"UPDATE leases SET heartbeat_at = {at} WHERE shard = {shard_of(company)}")
    writer, found = StatusWriter(store_of(any_app), Broadcast()), []
    for part in (fence.of_company(first), fence):
        writer.start(part)
        gaps = rows(any_app, "SELECT company_id, started_at FROM gaps ORDER BY id")
        found.append([tuple(gap) for gap in gaps])
    assert found == [[(first, 10_000)], [(first, 10_000), (second, 20_000)]]
    change(any_app, f"UPDATE leases SET fence = fence + 1 WHERE shard = {shard_of(second)}")
    with pytest.raises(Fenced):
        writer.start(fence)


def change(app: Flask, statement: str) -> None:
    store_of(app).run(lambda connection: connection.exec_driver_sql(statement) and None)
