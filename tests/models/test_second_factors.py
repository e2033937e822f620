"""The stored second factor: each code works once, also for two logins at the same moment."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyotp
import pytest
from flask import Flask
from gevent.pool import Pool
from sqlalchemy.orm import Session

from tests.models.conftest import ANA, do
from tests.support.application import application, rows
from webhookproxy.models.accounts.one_time_codes import (
    STEP_SECONDS,
    matching_step,
    new_recovery_code,
    recovery_hash,
)
from webhookproxy.models.accounts.people import create_user, delete_user, find_user
from webhookproxy.models.accounts.second_factors import (
    Means,
    begin,
    begun,
    codes_left,
    confirm,
    on_since,
    prove,
    turn_off,
    users_with_it,
)
from webhookproxy.models.accounts.sign_ins import begin_sign_in, pending_user, sign_in, signed_in
from webhookproxy.rules import Refused

LOGIN = "the key of a login"


@pytest.fixture
def app(any_app: Flask) -> Flask:
    """On both kinds of database."""
    return any_app


def code_at(key: str, steps: int) -> str:
    return pyotp.TOTP(key).at(datetime.now(UTC), counter_offset=steps)


def turned_on(app: Flask, user_id: int) -> tuple[str, list[str]]:
    """Return the key and the recovery codes; the previous step is used up."""

    def job(session: Session) -> tuple[str, list[str]]:
        begin(session, user_id, LOGIN)
        factor = begun(session, user_id, LOGIN)
        assert factor is not None
        return factor.key, confirm(session, user_id, LOGIN, code_at(factor.key, -1))

    found: tuple[str, list[str]] = do(app, job)
    return found


def test_a_code_and_a_recovery_code_are_used_up(app: Flask, ana: int) -> None:
    key, codes = turned_on(app, ana)
    typed = [{"code": code_at(key, 1), "recovery": ""}, {"code": "", "recovery": codes[0]}]
    for means, each in zip((Means.APP, Means.RECOVERY_CODE), typed, strict=True):
        assert do(app, lambda s, each=each: prove(s, ana, **each)) is means
        assert do(app, lambda s, each=each: prove(s, ana, **each)) is None
    assert do(app, lambda s: codes_left(s, ana)) == 9


def two_at_once(app: Flask, other: Flask, job: Any) -> list[Any]:
    """Return the job's results in the stores of two processes."""
    pool = Pool(2)
    tries = [pool.spawn(do, each, job) for each in (app, other)]
    pool.join(timeout=60)
    return [each.get(block=False) for each in tries]


@pytest.mark.parametrize("with_paper", [False, True])
def test_of_two_processes_with_one_code_one_is_let_through(
    with_paper: bool, app: Flask, ana: int, database_url: str, tmp_path: Path
) -> None:
    key, codes = turned_on(app, ana)
    typed = {"code": "" if with_paper else code_at(key, 1), "recovery": codes[0] * with_paper}
    with application(database_url, tmp_path) as other:
        answers = two_at_once(app, other, lambda s: prove(s, ana, **typed))
    assert sorted(answer is None for answer in answers) == [False, True]


@pytest.mark.postgresql
def test_also_if_both_read_before_either_writes(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite the second one's transaction does not begin before the first one's is over."""
    meeting = [os.pipe(), os.pipe()]
    places = iter([0, 1])

    def meet(*given: Any) -> int | None:
        place = next(places)
        os.write(meeting[1 - place][1], b"x")
        os.read(meeting[place][0], 1)
        return matching_step(*given)

    with (
        application(postgresql_url, tmp_path) as app,
        application(postgresql_url, tmp_path) as other,
    ):
        ana = do(app, lambda s: create_user(s, ANA, "hash", admin=True).id)
        code = code_at(turned_on(app, ana)[0], 1)
        monkeypatch.setattr("webhookproxy.models.accounts.second_factors.matching_step", meet)
        answers = two_at_once(app, other, lambda s: prove(s, ana, code=code, recovery=""))
    assert sorted(answer is None for answer in answers) == [False, True]
    for ends in meeting:
        for end in ends:
            os.close(end)


def test_it_cannot_be_begun_anew_while_it_is_on(app: Flask, ana: int) -> None:
    key, _ = turned_on(app, ana)
    with pytest.raises(Refused, match="on already"):
        do(app, lambda s: begin(s, ana, LOGIN))
    assert do(app, lambda s: prove(s, ana, code=code_at(key, 0), recovery="")) is Means.APP


def test_what_was_begun_is_asked_of_nobody(app: Flask, ana: int) -> None:
    do(app, lambda s: begin(s, ana, LOGIN))
    assert do(app, lambda s: on_since(s, ana)) is None
    assert do(app, users_with_it) == frozenset()
    with pytest.raises(Refused, match="time to confirm"):
        do(app, lambda s: confirm(s, ana, "another login", "123456"))


def test_the_code_of_what_was_only_begun_proves_nothing(app: Flask, ana: int) -> None:
    """Otherwise a password alone would make recovery codes for a second factor that is off."""

    def job(session: Session) -> Means | None:
        begin(session, ana, LOGIN)
        factor = begun(session, ana, LOGIN)
        assert factor is not None
        return prove(session, ana, code=code_at(factor.key, 0), recovery="")

    assert do(app, job) is None


def test_what_is_on_is_not_confirmed_again(app: Flask, ana: int) -> None:
    """Otherwise a code alone would make new recovery codes."""
    key, _ = turned_on(app, ana)
    with pytest.raises(Refused, match="time to confirm"):
        do(app, lambda s: confirm(s, ana, LOGIN, code_at(key, 1)))


def test_turned_off_nothing_is_left_and_every_login_ends(app: Flask, ana: int) -> None:
    turned_on(app, ana)
    whole, half = do(app, lambda s: (sign_in(s, ana), begin_sign_in(s, ana)))
    assert do(app, lambda s: turn_off(s, ana, but=None)) is True
    assert do(app, lambda s: signed_in(s, whole)) is None
    assert do(app, lambda s: pending_user(s, half)) is None
    for table in ("second_factors", "recovery_codes"):
        assert rows(app, f"SELECT 1 FROM {table}") == []


def test_where_it_was_off_turning_it_off_ends_no_login(app: Flask, ana: int) -> None:
    key = do(app, lambda s: sign_in(s, ana))
    assert do(app, lambda s: turn_off(s, ana, but=None)) is False
    assert do(app, lambda s: signed_in(s, key)) is not None


def test_it_goes_with_its_user(app: Flask, ana: int) -> None:
    turned_on(app, ana)
    do(app, lambda s: begin_sign_in(s, ana))
    do(app, lambda s: create_user(s, "eva@exemplo.com.br", "hash", admin=True).id)
    do(app, lambda s: delete_user(s, find_user(s, ANA)))
    for table in ("second_factors", "recovery_codes", "pending_sign_ins"):
        assert rows(app, f"SELECT 1 FROM {table}") == []


def test_a_login_and_half_of_one_are_not_taken_for_each_other(app: Flask, ana: int) -> None:
    whole, half = do(app, lambda s: (sign_in(s, ana), begin_sign_in(s, ana)))
    assert do(app, lambda s: signed_in(s, half)) is None
    assert do(app, lambda s: pending_user(s, whole)) is None


def test_the_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, its last six digits; the key is "12345678901234567890"."""
    key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037")):
        now = datetime.fromtimestamp(seconds, UTC)
        assert matching_step(key, code, now) == seconds // STEP_SECONDS


def test_a_recovery_code_has_eighty_bits() -> None:
    codes = {new_recovery_code() for _ in range(50)}
    assert len(codes) == 50
    assert {len(code.replace("-", "")) * 5 for code in codes} == {80}
    assert len({recovery_hash(code) for code in codes}) == 50
