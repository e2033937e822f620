"""New data keys: everything encrypted again while a server runs, and a start that is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pyotp
import pytest
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from tests.delivery.lanes_world import sending
from tests.support.application import (
    KEYS,
    TOKEN,
    application,
    make_company,
    make_webhook,
    rows,
    store_of,
)
from tests.support.receiver import Receiver
from tests.web.support.sockets import execute
from webhookproxy import models
from webhookproxy.config.keys import ConfigError
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.events.contract import signature
from webhookproxy.extensions import db
from webhookproxy.maintenance import rotation
from webhookproxy.maintenance.keycheck import check_keys
from webhookproxy.maintenance.rotation import Rotated, rotate_keys
from webhookproxy.models import Company, SecondFactor, Webhook, schema
from webhookproxy.models.accounts.people import create_user
from webhookproxy.models.accounts.second_factors import begin
from webhookproxy.models.types import Secret
from webhookproxy.rules import Refused

OLD = KEYS["DATA_KEYS"]
NEW = "n" * 40
URL = "http://127.0.0.1:4009/"
SECRET_COLUMNS = [
    f"{table.name}.{column.name}"
    for table in schema().tables.values()
    for column in table.columns
    if isinstance(column.type, Secret)
]


@contextmanager
def keyed(url: str, folder: Path, keys: str) -> Iterator[Flask]:
    with application(url, folder, DATA_KEYS=keys) as app:
        yield app


@pytest.fixture
def filled(database_url: str, tmp_path: Path) -> str:
    """The URL of a database whose secrets the old key encrypts: 5 companies, 5 webhooks, a user."""
    with keyed(database_url, tmp_path, OLD) as app:
        for number in range(5):
            company = make_company(app, token=f"{TOKEN}-{number}")
            make_webhook(
                app,
                company,
                URL,
                authorization="canary-auth",
                secret="canary-secret",
                headers=(("X-Key", "canary-own"),),
            )
        store_of(app).session(begin_second_factor)
        store_of(app).session(keep_session)
    return database_url


def begin_second_factor(session: Session) -> None:
    user = create_user(session, "ana@exemplo.com.br", "hash", admin=True)
    begin(session, user.id, "a login")


def keep_session(session: Session) -> None:
    session.get_one(models.Connection, 3).session = "canary-session"


def stored(app: Flask) -> dict[str, list[str]]:
    """Return every secret as it is stored, by its column."""
    return {
        name: [
            row[0]
            for row in rows(app, 'SELECT "{1}" FROM {0} ORDER BY 1'.format(*name.split(".")))
            if row[0] is not None
        ]
        for name in SECRET_COLUMNS
    }


def test_after_a_rotation_the_new_key_alone_opens_everything(filled: str, tmp_path: Path) -> None:
    with keyed(filled, tmp_path, f"{NEW},{OLD}") as app:
        before = stored(app)
        # 5 tokens, 5 times 3 of the webhooks, a second factor, a session, the row that checks the
        # keys.
        assert rotate_keys(store_of(app)) == Rotated(done=23)
        after = stored(app)
        assert not {*chain(*before.values())} & {*chain(*after.values())}
        assert rotate_keys(store_of(app)) == Rotated(already=23)
        assert stored(app) == after
    with keyed(filled, tmp_path, NEW) as app, app.app_context():
        check_keys(app)
        tokens = [each.token for each in db.session.query(Company).order_by(Company.id)]
        assert tokens == [f"{TOKEN}-{number}" for number in range(5)]
        webhook = db.session.get_one(Webhook, 1)
        assert pyotp.TOTP(db.session.get_one(SecondFactor, 1).key).now()
        assert (webhook.authorization, webhook.secret) == ("canary-auth", "canary-secret")
        assert webhook.headers == "X-Key: canary-own"
        assert db.session.get_one(models.Connection, 3).session == "canary-session"


def test_a_token_is_still_known_when_the_old_key_is_gone(filled: str, tmp_path: Path) -> None:
    with keyed(filled, tmp_path, f"{NEW},{OLD}") as app:
        rotate_keys(store_of(app))
    with keyed(filled, tmp_path, NEW) as app, pytest.raises(Refused, match="already registered"):
        make_company(app, token=f"{TOKEN}-3")


def test_a_rotation_that_is_cut_short_goes_on_where_it_stopped(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)
    batches = rotation._rotate_batch
    left = [1, 2, 3, 4]

    def failing(connection: Connection, **values: Any) -> Any:
        if not left:
            raise StoreUnavailable("full")
        left.pop()
        return batches(connection, **values)

    monkeypatch.setattr(rotation, "_rotate_batch", failing)
    with (
        keyed(filled, tmp_path, f"{NEW},{OLD}") as app,
        pytest.raises(StoreUnavailable),
    ):
        rotate_keys(store_of(app))
    monkeypatch.setattr(rotation, "_rotate_batch", batches)
    # The old key must not be removed yet, and the start says so.
    with keyed(filled, tmp_path, NEW) as app, pytest.raises(ConfigError):
        check_keys(app)
    with keyed(filled, tmp_path, f"{NEW},{OLD}") as app:
        again = rotate_keys(store_of(app))
        assert (again.done + again.already, again.closed) == (23, 0)
        assert 0 < again.already < 23
    with keyed(filled, tmp_path, NEW) as app:
        check_keys(app)


def test_what_somebody_saves_meanwhile_is_not_overwritten(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotated = rotation._with_newest_key

    with keyed(filled, tmp_path, f"{NEW},{OLD}") as app:

        def slow(row: Any, *others: Any) -> dict[str, str]:
            changed = rotated(row, *others)
            if "token" in changed and row["id"] == 1:
                # Like another process between the read and the write, on PostgreSQL.
                raced.append(row["token"])
                connection = connections[0]
                connection.execute(text("UPDATE companies SET token = 'f1:newer' WHERE id = 1"))
            return changed

        batch = rotation._rotate_batch

        def watched(connection: Connection, **values: Any) -> Any:
            connections[:] = [connection]
            return batch(connection, **values)

        raced: list[str] = []
        connections: list[Connection] = []
        monkeypatch.setattr(rotation, "_with_newest_key", slow)
        monkeypatch.setattr(rotation, "_rotate_batch", watched)
        rotate_keys(store_of(app))
        assert len(raced) == 1
        assert rows(app, "SELECT token FROM companies WHERE id = 1")[0][0] == "f1:newer"


def test_a_server_goes_on_sending_while_its_secrets_are_rotated(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 1)
    with keyed(database_url, tmp_path, f"{NEW},{OLD}") as app, sending(app) as half:
        with Receiver() as receiver:
            for number in range(4):
                half.webhook(receiver.url(f"/{number}"), secret="canary-secret")
            half.arrive(20)
            rotate_keys(half.store)
            half.notice()
            half.arrive(20)
            receiver.wait_for(160)
        for each in receiver.requests:
            expected = signature("canary-secret", each.body)
            assert each.headers["X-Signature-SHA256"] == expected


def test_what_no_key_opens_is_left_and_told(filled: str, tmp_path: Path) -> None:
    with keyed(filled, tmp_path, f"{NEW},{OLD}") as app:
        execute(app, "UPDATE companies SET token = 'f1:lost' WHERE id = 2")
        result = app.test_cli_runner().invoke(args=["keys", "rotate"])
        assert result.exit_code == 1
        assert result.stdout == (
            "22 secrets are encrypted with the newest key now, 0 were before.\n"
        )
        assert result.stderr.startswith("Error: None of the DATA_KEYS opens 1 stored secrets")
        assert result.stderr.count("\n") == 1
        assert rows(app, "SELECT token FROM companies WHERE id = 2")[0][0] == "f1:lost"


def test_the_command_says_how_many_and_that_the_old_key_may_go(filled: str, tmp_path: Path) -> None:
    with keyed(filled, tmp_path, f"{NEW},{OLD}") as app:
        result = app.test_cli_runner().invoke(args=["keys", "rotate"])
        assert result.stdout.startswith("23 secrets are encrypted with the newest key now")
        assert "You can remove the older keys" in result.stderr
        (entry,) = rows(app, "SELECT who, action, detail FROM audit WHERE action = 'keys_rotated'")
        assert tuple(entry) == ("cli", "keys_rotated", "23")
    with keyed(filled, tmp_path, NEW) as app:
        result = app.test_cli_runner().invoke(args=["keys", "rotate"])
        assert result.stdout.endswith("23 were before.\n")
        assert result.stderr == ""


def test_a_database_that_is_not_ready_stops_no_start(tmp_path: Path) -> None:
    for url in (
        f"sqlite:///{tmp_path}/empty.sqlite",
        "sqlite:////nonexistent/a.sqlite",
        "postgresql://user:canary@127.0.0.1:4009/name",
    ):
        with keyed(url, tmp_path, NEW) as app:
            check_keys(app)


def start(*words: str, url: str, keys: str) -> subprocess.CompletedProcess[str]:
    """Run one of our programs as an administrator does."""
    environ = {**os.environ, **KEYS, "DATA_KEYS": keys, "DATABASE_URL": url, "PORT": "0"}
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=Path(__file__).resolve().parents[2],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        ("flask", "status"),
        pytest.param(("flask", "company", "list"), marks=pytest.mark.slow),
        pytest.param(("flask", "db", "upgrade"), marks=pytest.mark.slow),
        ("gunicorn", "-c", "gunicorn.conf.py", "--bind=127.0.0.1:0", "wsgi:app"),
    ],
    ids=" ".join,
)
def test_nothing_starts_with_other_keys(words: tuple[str, ...], sqlite_url: str) -> None:
    done = start(*words, url=sqlite_url, keys=NEW)
    assert done.returncode != 0
    said = [line for line in (done.stdout + done.stderr).splitlines() if "webhookproxy: " in line]
    assert len(said) == 1
    assert "None of the DATA_KEYS opens the secrets in this database" in said[0]
    if words[0] == "flask":
        assert (done.returncode, done.stdout, done.stderr) == (4, "", f"{said[0]}\n")


def test_a_command_starts_with_the_right_keys(sqlite_url: str) -> None:
    assert start("flask", "status", url=sqlite_url, keys=f"{NEW},{OLD}").returncode == 0
