"""Who is listed as living, and as the owner of the sockets."""

from __future__ import annotations

from flask import Flask
from sqlalchemy.orm import Session

from tests.engine.processes.playing import process
from tests.web.support.sockets import execute, owner
from webhookproxy.engine.owners import read_owners
from webhookproxy.engine.processes.listing import SILENT_MS, is_oldest, list_processes
from webhookproxy.extensions import db


def test_the_owner_comes_first_then_who_lives_then_who_is_silent(any_app: Flask) -> None:
    owner(any_app)
    execute(any_app, "UPDATE leases SET holder = 'owner'")
    # It froze a moment ago.
    execute(
        any_app,
        "UPDATE leases SET holder = 'stuck', heartbeat_at = heartbeat_at - 600000 WHERE shard > 31",
    )
    process(any_app, "stuck", "owner", started_ago_ms=500)
    process(any_app, "silent", "owner", ago_ms=SILENT_MS + 5_000, started_ago_ms=9_000_000)
    process(any_app, "standby", "standby", started_ago_ms=8_000_000)
    # It was frozen, and has not seen that another one followed.
    process(any_app, "frozen", "owner", started_ago_ms=7_000_000)
    process(any_app, "owner", "owner", started_ago_ms=1_000)
    with any_app.app_context(), Session(db.engine) as session:
        found = list_processes(session, read_owners(session))
        names = [each.process.name for each in found]
        assert names == ["owner", "standby", "frozen", "silent", "stuck"]
        assert [each.role for each in found] == ["owner", "standby", "pages", "pages", "owner"]
        assert [each.lives for each in found] == [True, True, True, False, False]
        assert [each.is_owner for each in found] == [True, False, False, False, False]


def test_the_oldest_of_those_that_live_is_known(any_app: Flask) -> None:
    with any_app.app_context():
        reading = db.engine
    assert is_oldest(reading, "new")
    process(any_app, "silent", "owner", ago_ms=SILENT_MS + 5_000, started_ago_ms=9_000)
    assert is_oldest(reading, "new")
    process(any_app, "new", "standby", started_ago_ms=1_000)
    process(any_app, "old", "pages", started_ago_ms=2_000)
    assert (is_oldest(reading, "old"), is_oldest(reading, "new")) == (True, False)
