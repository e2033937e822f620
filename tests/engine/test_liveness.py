"""Whether events are stored, as any process can tell; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import make_url, text

from tests.support.application import application, make_company, store_of
from tests.support.databases import own
from tests.web.support.sockets import execute
from webhookproxy.database.clock import database_clock
from webhookproxy.database.fence import shares_of
from webhookproxy.database.ownership.lease import Ownership
from webhookproxy.database.ownership.locks import lock_for
from webhookproxy.engine.liveness import Storing, storing
from webhookproxy.extensions import db
from webhookproxy.reasons import StoringReason


@pytest.fixture
def app(any_app: Flask) -> Flask:
    return any_app


@pytest.fixture
def owner(app: Flask) -> Iterator[Ownership]:
    """Store an owner of the sockets with a fresh heartbeat."""
    ownership = Ownership(store_of(app), lock_for(app.config["SQLALCHEMY_DATABASE_URI"]))
    assert ownership.take()
    ownership.beat()
    yield ownership
    ownership.release()


def ask(app: Flask, *, here: bool = True) -> Storing:
    with app.app_context():
        return storing(db.session(), here=here)


@pytest.mark.usefixtures("owner")
def test_an_owner_that_lives_and_complains_of_nothing_stores(app: Flask) -> None:
    found = ask(app)
    assert (found.ok, found.since) == (True, None)


def test_other_processes_learn_from_the_lease_that_the_owner_cannot_store(
    app: Flask, owner: Ownership
) -> None:
    owner.beat(failing_since=1_700_000_000.5)
    found = ask(app)
    assert (found.ok, found.reason) == (False, StoringReason.DATABASE_REFUSES)
    assert found.since is not None
    assert found.since.timestamp() == 1_700_000_000.5
    assert "parou de gravar às 10:13" in found.words.filled(since="às 10:13").what
    owner.beat()
    assert ask(app).ok


@pytest.mark.usefixtures("owner")
def test_the_owners_own_process_knows_it_before_the_lease_says_so(app: Flask) -> None:
    assert ask(app, here=False).reason is StoringReason.DATABASE_REFUSES


def test_a_silent_owner_stores_nothing_since_it_was_heard_of(app: Flask, owner: Ownership) -> None:
    assert owner.fence is not None
    store_of(app).run(
        lambda connection: (
            connection.execute(text("UPDATE leases SET heartbeat_at = heartbeat_at - 11000"))
            and None
        )
    )
    found = ask(app)
    assert found.reason is StoringReason.NO_OWNER
    assert found.since is not None


def test_a_silent_owner_of_some_shards_is_told_with_their_companies(app: Flask) -> None:
    first, second = shares_of(2)
    for name in ("1", "2", "3"):
        make_company(app, name=name, token=f"canary-token-{name}", connected=True)
    make_company(app, name="4", token="canary-token-4")
    clock = database_clock(make_url(app.config["DATABASE_URL"]).get_backend_name())
    # However slow the machine is, such an owner lives.
    lives = f"UPDATE leases SET failing_since = NULL, heartbeat_at = {clock} + 600000"
    own(app, first)
    execute(app, lives)
    found = ask(app)
    assert (found.missing, found.companies, found.since) == (second.shards, 2, None)
    own(app, second)
    execute(app, lives)
    assert ask(app).ok
    execute(app, f"UPDATE leases SET heartbeat_at = {clock} - 60000 WHERE shard % 2 = 1")
    found = ask(app)
    assert found.words.what.startswith("2 empresas sem conexão: nenhum processo cuida delas")
    assert found.since is not None
    # An owner that lives and cannot store is worse: everyone's database is the same.
    execute(app, "UPDATE leases SET failing_since = 1700000000500 WHERE shard = 4")
    assert ask(app).reason is StoringReason.DATABASE_REFUSES
    execute(app, lives)
    assert ask(app).ok


def test_without_an_owner_nothing_is_stored(app: Flask) -> None:
    found = ask(app)
    assert (found.reason, found.since) == (StoringReason.NO_OWNER, None)


def test_a_database_that_cannot_be_read_is_a_reason_and_no_error(tmp_path: Path) -> None:
    with application(f"sqlite:///{tmp_path / 'empty.sqlite'}", tmp_path) as app:
        assert ask(app).reason is StoringReason.DATABASE_GONE
