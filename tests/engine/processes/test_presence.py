"""What a process writes of itself, and how long the rows of others stay."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from tests.support.application import rows, store_of
from tests.web.support.sockets import execute
from webhookproxy.counts import Durations
from webhookproxy.delivery.outcomes.tally import Tally
from webhookproxy.engine.health import Counts, Health
from webhookproxy.engine.processes import load, presence
from webhookproxy.engine.processes.load import LoadMeter
from webhookproxy.engine.processes.presence import FORGET_MS, Presence
from webhookproxy.models.installation.processes import Role
from webhookproxy.version import __version__

MINUTE_MS = 60_000


@pytest.fixture(autouse=True)
def beats_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, no second beat is due."""
    monkeypatch.setattr(presence, "BEAT_SECONDS", 3_600.0)


class Playing:
    """A process whose role and counts the test changes."""

    def __init__(self, app: Flask, name: str = "host:1:a") -> None:
        self.role = Role.PAGES
        self.counts = Counts(0, Tally(), Durations())
        health = Health(0, True, 4, 3, 0, 0)
        self.presence = Presence(
            store_of(app), name, lambda: self.role, lambda: health, lambda: self.counts
        )


def written(app: Flask) -> dict[str, Any]:
    """Return the only row."""
    (row,) = rows(app, "SELECT * FROM processes")
    return dict(row._mapping)


def test_a_process_writes_who_it_is_and_a_change_of_its_role_at_once(any_app: Flask) -> None:
    playing = Playing(any_app)
    assert playing.presence.step()
    row = written(any_app)
    assert (row["name"], row["pid"], row["version"]) == ("host:1:a", os.getpid(), __version__)
    assert (row["role"], row["sockets_wished"], row["sockets_connected"]) == ("pages", 4, 3)
    assert row["started_at"] <= row["seen_at"] == row["role_since"]
    assert not playing.presence.step()

    earlier = row["seen_at"] - MINUTE_MS
    execute(any_app, f"UPDATE processes SET seen_at = {earlier}, role_since = {earlier}")
    playing.role = Role.OWNER
    assert playing.presence.step()
    owner = written(any_app)
    assert owner["role"] == "owner"
    assert owner["role_since"] >= row["role_since"]
    assert owner["started_at"] == row["started_at"]
    assert not playing.presence.step()


def test_a_row_is_written_again_in_time_and_keeps_since_when_the_role_lasts(
    any_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "BEAT_SECONDS", 0.0)
    playing = Playing(any_app)
    assert playing.presence.step()
    earlier = written(any_app)["seen_at"] - MINUTE_MS
    execute(any_app, f"UPDATE processes SET seen_at = {earlier}, role_since = {earlier}")
    assert playing.presence.step()
    row = written(any_app)
    assert row["role_since"] == earlier
    assert row["seen_at"] >= earlier + MINUTE_MS


def test_the_dead_are_forgotten_and_who_ends_takes_its_own_row_away(any_app: Flask) -> None:
    for name in ("old", "future", "silent"):
        assert Playing(any_app, name).presence.step()
    for name, change in (
        ("old", -2 * FORGET_MS),
        ("future", 2 * FORGET_MS),
        ("silent", -MINUTE_MS),
    ):
        execute(
            any_app,
            "UPDATE processes SET seen_at = seen_at + :by WHERE name = :n",
            by=change,
            n=name,
        )
    ending = Playing(any_app, "ending")
    assert ending.presence.step()
    names = "SELECT name FROM processes ORDER BY name"
    assert [row.name for row in rows(any_app, names)] == ["ending", "silent"]
    ending.presence.leave()
    assert [row.name for row in rows(any_app, names)] == ["silent"]


def test_nothing_is_written_before_the_schema_has_its_table(app: Flask) -> None:
    playing = Playing(app)
    store_of(app).run(
        lambda connection: (
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'")) and None
        )
    )
    assert playing.presence.step()
    playing.presence.leave()
    assert rows(app, "SELECT * FROM processes") == []
    # It is tried again, and not only at the next beat.
    assert playing.presence.step()


def test_the_load_is_that_since_the_last_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    now, tally = [100.0], Tally()
    monkeypatch.setattr(time, "process_time", lambda: now[0] / 4)
    counts = [Counts(7, tally, Durations())]
    meter = LoadMeter(lambda: counts[0], lambda: now[0])
    now[0] += 10
    counts[0] = Counts(57, tally, Durations())
    for _ in range(20):
        tally.delivered.add(3)
    found = meter.measure()
    assert (found.events_per_second, found.deliveries_per_second, found.core_share) == (5, 2, 0.25)
    assert found.memory_bytes is None or found.memory_bytes > 1_000_000
    now[0] += 10
    assert meter.measure().events_per_second == 0


def test_memory_that_no_one_tells_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_STATM", load._STATM / "none")
    assert load.memory_bytes() is None
