"""Before the disk is full the oldest finished events are removed, and waiting ones never."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from flask import Flask

from tests.delivery.lanes_world import Sending, sending
from tests.housekeeping.test_steps import URL, count, end
from tests.support.application import rows
from webhookproxy.database.connections import READERS
from webhookproxy.housekeeping import disk_space
from webhookproxy.housekeeping.disk_space import DiskSpace, DiskState, look
from webhookproxy.housekeeping.purge import Purge
from webhookproxy.reasons import DiskReason
from webhookproxy.rules.webhooks import WebhookState


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def half(app: Flask) -> Iterator[Sending]:
    with sending(app) as half:
        yield half


def state(half: Sending, limit: int = 0) -> DiskState:
    with half.reading.connect() as connection:
        return look(connection, limit)


def fill(half: Sending, events: int) -> list[int]:
    """Store finished events of about 2 KB each; return their numbers."""
    dues = half.store_events(events)
    end(half, dues)
    half.execute(f"UPDATE events SET payload = '{'x' * 2000}' WHERE length(payload) < 1000")
    return [due.id for due in dues]


def make_room(half: Sending, limit: int, rounds: int = 1) -> None:
    """Run until nothing is left to do, `rounds` times."""
    one = DiskSpace(half.store, half.reading, Purge(half.store), limit)
    for _ in range(rounds):
        one._looked = -disk_space.LOOK_SECONDS
        for _ in range(1000):
            if not one.step():
                break
        else:
            raise AssertionError("making room never comes to an end")


def left(half: Sending) -> list[int]:
    return [row[0] for row in rows(half.app, "SELECT event_id FROM deliveries ORDER BY id")]


def test_near_the_limit_the_oldest_finished_events_go_until_there_is_room(half: Sending) -> None:
    half.webhook(URL, state=WebhookState.PAUSED)
    before = fill(half, 1000)
    limit = state(half).data_bytes
    assert state(half, limit).reason is DiskReason.LIMIT_NEAR
    assert "limite deste servidor" in state(half, limit).words.what
    make_room(half, limit, rounds=3)
    now = state(half, limit)
    assert not now.alarm
    assert limit * 0.6 < now.data_bytes < limit * disk_space.ALARM_SHARE
    kept = left(half)
    assert kept == before[-len(kept) :]
    assert rows(half.app, "PRAGMA freelist_count")[0][0] == 0
    assert rows(half.app, "PRAGMA integrity_check")[0][0] == "ok"


def test_far_from_the_limit_nothing_goes(half: Sending) -> None:
    half.webhook(URL, state=WebhookState.PAUSED)
    fill(half, 100)
    make_room(half, state(half).data_bytes * 2)
    make_room(half, 0)
    assert len(left(half)) == 100


def test_what_waits_stays_however_little_room_there_is(half: Sending) -> None:
    half.webhook(URL, state=WebhookState.PAUSED)
    waiting = [due.id for due in half.store_events(300)]
    half.execute(f"UPDATE events SET payload = '{'x' * 2000}'")
    finished = fill(half, 300)
    make_room(half, 10_000, rounds=3)
    assert set(waiting) <= set(left(half))
    assert set(finished) & set(left(half)) <= {finished[-1]}


def test_a_nearly_full_disk_is_an_alarm_and_gets_pages_back(
    half: Sending, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    half.webhook(URL, state=WebhookState.PAUSED)
    fill(half, 1000)
    size = rows(half.app, "PRAGMA page_count")[0][0]
    free = {"bytes": 99}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000, 0, free["bytes"]))
    assert state(half).reason is DiskReason.DISK_NEARLY_FULL
    with caplog.at_level(logging.INFO, "webhookproxy.housekeeping.disk_space"):
        make_room(half, 0)
    # The last step may remove some too many.
    assert 600 < len(left(half)) < 900
    assert rows(half.app, "PRAGMA page_count")[0][0] < size * 0.9
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    free["bytes"] = 101
    make_room(half, 0)
    assert state(half).reason is DiskReason.ENOUGH
    assert len(left(half)) > 600


def test_a_disk_that_cannot_be_seen_is_no_alarm(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: object) -> Any:
        raise FileNotFoundError

    monkeypatch.setattr(shutil, "disk_usage", gone)
    assert state(half).free_bytes is None
    assert not state(half).alarm


@pytest.mark.postgresql
def test_postgresql_makes_room_once_for_each_time_that_it_outgrew_what_it_had(
    postgresql_app: Flask,
) -> None:
    with sending(postgresql_app) as half:
        half.webhook(URL, state=WebhookState.PAUSED)
        before = fill(half, 1000)
        limit = state(half).data_bytes
        one = DiskSpace(half.store, half.reading, Purge(half.store), limit)

        def rounds() -> None:
            one._looked = -disk_space.LOOK_SECONDS
            while one.step():
                pass

        rounds()
        # The space of removed rows may have been given back before.
        assert count(half, "events") == 1000
        while state(half).data_bytes <= limit:
            # The first rows may find room in the pages of an earlier test.
            fill(half, 1000)
        grown = count(half, "events")
        rounds()
        kept = count(half, "events")
        assert 0.5 * grown < kept < 0.95 * grown
        assert state(half, limit).alarm
        # PostgreSQL's own tables may have grown meanwhile, and each vacuum adds a little.
        outgrown = state(half).data_bytes > one._mark
        rounds()
        assert (count(half, "events") < kept) == outgrown
        assert before[0] not in left(half)


@pytest.mark.postgresql
def test_long_work_that_fails_leaves_no_connection_without_limits(postgresql_app: Flask) -> None:
    with sending(postgresql_app) as half:
        with pytest.raises(OSError, match="away"), disk_space._without_limits(half.reading):
            raise OSError("away")
        # The pool hands its connections out in turn.
        for _ in range(READERS):
            with half.reading.connect() as connection:
                shown = connection.exec_driver_sql("SHOW statement_timeout")
                assert shown.scalar_one() == "30s"
