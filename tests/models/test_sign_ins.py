"""Logins: their ends, and their stored form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.models.conftest import ANA, do
from tests.support.application import application, rows, store_of
from webhookproxy.models.accounts.people import create_user, delete_user, find_user
from webhookproxy.models.accounts.sign_ins import (
    IDLE,
    LIFETIME,
    SEEN_STEP,
    set_password,
    sign_in,
    sign_out,
    sign_out_everywhere,
    signed_in,
    touch_sign_in,
)


def found(app: Flask, key: str) -> tuple[str, bool] | None:
    """Return the user logged in with this key, and whether it is time to note the use."""

    def job(session: Session) -> tuple[str, bool] | None:
        row = signed_in(session, key)
        return None if row is None else (row[0].email, row[1])

    answer: tuple[str, bool] | None = do(app, job)
    return answer


def age(app: Flask, column: str, by: timedelta) -> None:
    """Make every login older by `by`."""
    milliseconds = int(by.total_seconds() * 1000)
    statement = text(f"UPDATE sign_ins SET {column} = {column} - :by")
    store_of(app).run(lambda connection: connection.execute(statement, {"by": milliseconds}))


def test_the_key_opens_and_only_its_hash_is_stored(app: Flask, ana: int) -> None:
    key = do(app, lambda s: sign_in(s, ana))
    assert found(app, key) == (ANA, False)
    assert found(app, key + "x") is None
    assert key not in str(rows(app, "SELECT * FROM sign_ins"))


def test_every_login_has_a_key_of_its_own_and_ends_alone(app: Flask, ana: int) -> None:
    first, second = (do(app, lambda s: sign_in(s, ana)) for _ in range(2))
    assert first != second
    do(app, lambda s: sign_out(s, first))
    assert found(app, first) is None
    assert found(app, second) is not None


def test_a_login_ends_after_its_lifetime_however_much_it_is_used(app: Flask, ana: int) -> None:
    key = do(app, lambda s: sign_in(s, ana))
    age(app, "created_at", LIFETIME - timedelta(minutes=1))
    assert found(app, key) is not None
    age(app, "created_at", timedelta(minutes=2))
    do(app, lambda s: touch_sign_in(s, key))
    assert found(app, key) is None


def test_a_login_that_is_not_used_ends_sooner_and_use_keeps_it(app: Flask, ana: int) -> None:
    key = do(app, lambda s: sign_in(s, ana))
    age(app, "seen_at", SEEN_STEP + timedelta(seconds=1))
    assert found(app, key) == (ANA, True)
    do(app, lambda s: touch_sign_in(s, key))
    assert found(app, key) == (ANA, False)
    age(app, "seen_at", IDLE + timedelta(seconds=1))
    assert found(app, key) is None


def test_logins_that_are_over_go_with_the_next_one(app: Flask, ana: int) -> None:
    do(app, lambda s: sign_in(s, ana))
    age(app, "created_at", LIFETIME + timedelta(seconds=1))
    do(app, lambda s: sign_in(s, ana))
    assert len(rows(app, "SELECT 1 FROM sign_ins")) == 1


def test_a_new_password_ends_every_login_but_the_one_that_is_named(app: Flask, ana: int) -> None:
    kept, gone = (do(app, lambda s: sign_in(s, ana)) for _ in range(2))
    do(app, lambda s: set_password(s, find_user(s, ANA), "other", but=kept))
    assert found(app, kept) is not None
    assert found(app, gone) is None
    do(app, lambda s: sign_out_everywhere(s, ana))
    assert found(app, kept) is None


def test_only_that_users_logins_end(app: Flask, ana: int) -> None:
    eva = do(app, lambda s: create_user(s, "eva@exemplo.com.br", "hash", admin=True).id)
    key = do(app, lambda s: sign_in(s, eva))
    do(app, lambda s: sign_out_everywhere(s, ana))
    assert found(app, key) is not None


def test_a_deleted_users_logins_are_gone(app: Flask, ana: int) -> None:
    do(app, lambda s: create_user(s, "eva@exemplo.com.br", "hash", admin=True).id)
    key = do(app, lambda s: sign_in(s, ana))
    do(app, lambda s: delete_user(s, find_user(s, ANA)))
    assert found(app, key) is None
    assert not rows(app, "SELECT 1 FROM sign_ins")


def test_the_command_that_sets_a_password_ends_the_logins(app: Flask, ana: int) -> None:
    key = do(app, lambda s: sign_in(s, ana))
    words = "uma senha bem comprida\n"
    done = app.test_cli_runner().invoke(
        args=["user", "password", ANA, "--password-stdin"], input=words
    )
    assert done.exit_code == 0, done.output
    assert found(app, key) is None


def test_the_same_on_every_database(database_url: str, tmp_path: Any) -> None:
    with application(database_url, tmp_path) as app:
        ana = do(app, lambda s: create_user(s, ANA, "hash", admin=True).id)
        do(app, lambda s: create_user(s, "eva@exemplo.com.br", "hash", admin=True).id)
        key = do(app, lambda s: sign_in(s, ana))
        assert found(app, key) == (ANA, False)
        do(app, lambda s: delete_user(s, find_user(s, ANA)))
        assert found(app, key) is None
