"""A login holds for twelve hours, four of them idle; of its key the database has the hash only."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.world import rows, store_of
from webhookproxy.models.people import User, create_user, delete_user, set_password
from webhookproxy.models.sign_ins import (
    IDLE,
    LIFETIME,
    SEEN_STEP,
    SignIn,
    saw,
    sign_in,
    sign_out,
    sign_out_everywhere,
    signed_in,
)

MOMENT = timedelta(seconds=30)


@pytest.fixture
def user(app: Flask) -> int:
    """Somebody who may log in."""
    return store_of(app).session(
        lambda session: create_user(session, "ana@exemplo.com.br", "-", admin=True).id
    )


def enter(app: Flask, user: int) -> str:
    return store_of(app).session(lambda session: sign_in(session, user))


def age(app: Flask, key: str, *, created: timedelta, seen: timedelta) -> None:
    """Let a login have begun, and have been used, so long ago."""

    def job(session: Session) -> None:
        row = session.get_one(SignIn, hashlib.sha256(key.encode()).hexdigest())
        now = datetime.now(UTC)
        row.created_at, row.seen_at = now - created, now - seen

    store_of(app).session(job)


def holds(app: Flask, key: str) -> bool:
    return store_of(app).session(lambda session: signed_in(session, key) is not None)


def is_stale(app: Flask, key: str) -> bool:
    def job(session: Session) -> bool:
        found = signed_in(session, key)
        assert found is not None
        return found[1]

    return store_of(app).session(job)


def test_a_login_gives_its_user_and_another_key_nobody(app: Flask, user: int) -> None:
    key = enter(app, user)

    def job(session: Session) -> int:
        found = signed_in(session, key)
        assert found is not None
        return found[0].id

    assert store_of(app).session(job) == user
    assert not holds(app, key + "x")
    assert not holds(app, "")


def test_the_database_has_only_the_hash_of_a_key(app: Flask, user: int) -> None:
    key = enter(app, user)
    ((stored,),) = rows(app, "SELECT key_hash FROM sign_ins")
    assert stored == hashlib.sha256(key.encode()).hexdigest()
    for row in rows(app, "SELECT * FROM sign_ins"):
        assert key not in map(str, row)
    assert not holds(app, stored)


def test_a_key_cannot_be_guessed(app: Flask, user: int) -> None:
    keys = {enter(app, user) for _ in range(20)}
    assert len(keys) == 20
    # 32 random bytes in base64.
    assert min(map(len, keys)) >= 43


@pytest.mark.parametrize(
    ("created", "seen", "expected"),
    [
        (LIFETIME - MOMENT, MOMENT, True),
        (LIFETIME + MOMENT, MOMENT, False),
        (IDLE + MOMENT, IDLE - MOMENT, True),
        (IDLE + MOMENT, IDLE + MOMENT, False),
    ],
)
def test_a_login_ends_by_age_and_by_idleness(
    created: timedelta, seen: timedelta, expected: bool, app: Flask, user: int
) -> None:
    key = enter(app, user)
    age(app, key, created=created, seen=seen)
    assert holds(app, key) is expected


def test_a_login_is_used_no_longer_than_a_day_at_work() -> None:
    assert timedelta(hours=12) == LIFETIME
    assert timedelta(hours=4) == IDLE


def test_use_is_noted_seldom_and_keeps_a_login_alive(app: Flask, user: int) -> None:
    key = enter(app, user)
    assert not is_stale(app, key)
    age(app, key, created=IDLE, seen=SEEN_STEP + MOMENT)
    assert is_stale(app, key)
    store_of(app).session(lambda session: saw(session, key))
    assert not is_stale(app, key)


def test_use_does_not_make_a_login_younger(app: Flask, user: int) -> None:
    key = enter(app, user)
    age(app, key, created=LIFETIME + MOMENT, seen=MOMENT)
    store_of(app).session(lambda session: saw(session, key))
    assert not holds(app, key)


def test_logging_out_ends_one_login_and_no_other(app: Flask, user: int) -> None:
    first, second = enter(app, user), enter(app, user)
    store_of(app).session(lambda session: sign_out(session, first))
    assert not holds(app, first)
    assert holds(app, second)


def test_every_login_of_one_user_can_be_ended_but_one(app: Flask, user: int) -> None:
    other = store_of(app).session(
        lambda session: create_user(session, "beto@exemplo.com.br", "-", admin=False).id
    )
    kept, ended, of_other = enter(app, user), enter(app, user), enter(app, other)
    store_of(app).session(lambda session: sign_out_everywhere(session, user, but=kept))
    assert [holds(app, key) for key in (kept, ended, of_other)] == [True, False, True]
    store_of(app).session(lambda session: sign_out_everywhere(session, user))
    assert [holds(app, key) for key in (kept, of_other)] == [False, True]


def test_a_new_password_ends_every_login(app: Flask, user: int) -> None:
    key = enter(app, user)
    store_of(app).session(
        lambda session: set_password(session, session.get_one(User, user), "new", but=None)
    )
    assert not holds(app, key)


def test_with_a_user_the_logins_go(app: Flask, user: int) -> None:
    store_of(app).session(
        lambda session: create_user(session, "eva@exemplo.com.br", "-", admin=True).id
    )
    key = enter(app, user)
    store_of(app).session(lambda session: delete_user(session, session.get(User, user)))
    assert not holds(app, key)
    assert not rows(app, "SELECT 1 FROM sign_ins")


def test_a_login_removes_those_that_are_over(app: Flask, user: int) -> None:
    old, young = enter(app, user), enter(app, user)
    age(app, old, created=LIFETIME + MOMENT, seen=MOMENT)
    enter(app, user)
    assert len(rows(app, "SELECT 1 FROM sign_ins")) == 2
    assert holds(app, young)
