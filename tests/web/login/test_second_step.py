"""The second page of the door: a code, after the right password."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from time_machine import Traveller

from tests.support.application import rows
from tests.web.conftest import PASSWORD
from tests.web.support.authenticator import (
    ANA,
    PAGE,
    STEP,
    code_of,
    give_password,
    turn_on,
    wrong_code,
)
from tests.web.support.browser import Browser, planted_session
from webhookproxy.models.accounts.sign_ins import PENDING_LIFETIME

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def key(ana: Browser) -> str:
    """The key in the app of Ana, who turned it on in the step before."""
    return turn_on(ana)[0]


@pytest.fixture
def paper(clock: Traveller, ana: Browser) -> list[str]:
    """Ana's recovery codes; the code she turned it on with is a minute old."""
    codes = turn_on(ana)[1]
    clock.shift(60)
    return codes


@pytest.fixture
def later(clock: Traveller, key: str) -> str:
    """The key, a minute after it was turned on."""
    clock.shift(60)
    return key


def test_the_right_code_opens_the_door_and_leads_where_one_was_going(
    later: str, visitor: Browser
) -> None:
    visitor.get("/empresas", 303)
    give_password(visitor)
    page = visitor.get(STEP).text
    assert "Falta o código" in page
    answer = visitor.post(STEP, code=f" {code_of(later)[:3]} {code_of(later)[3:]} ")
    assert answer.location == "/empresas"
    visitor.get("/empresas")


@pytest.mark.parametrize("planted", ["//evil.com", "/\\evil.com", "https://evil.com"])
def test_a_planted_target_leads_home(planted: str, later: str, visitor: Browser) -> None:
    give_password(visitor)
    with visitor.client.session_transaction() as session:
        session["next"] = planted
    assert visitor.post(STEP, code=code_of(later)).location == "/"


def test_whoever_has_none_is_let_in_by_the_password_alone(
    key: str, log_in: Callable[..., Browser]
) -> None:
    assert key
    log_in("eva@exemplo.com.br").get("/")


def test_without_a_password_there_is_no_such_page(ana: Browser, visitor: Browser) -> None:
    assert visitor.get(STEP, 303).location == "/entrar"
    assert visitor.post(STEP, code="000000").location == "/entrar"
    assert ana.get(STEP, 303).location == "/"


def test_a_code_works_once(app: Flask, clock: Traveller, later: str, visitor: Browser) -> None:
    code = code_of(later)
    give_password(visitor)
    visitor.post(STEP, code=code)
    thief = Browser(app)
    give_password(thief)
    assert "já foi usado" in thief.post(STEP, 200, code=code).text
    assert thief.get("/", 303).location == "/entrar"
    clock.shift(30)
    # The same code is valid for one more step, if it was not used.
    assert "já foi usado" in thief.post(STEP, 200, code=code).text
    thief.post(STEP, 303, code=code_of(later))


def test_the_code_that_turned_it_on_is_used_up(key: str, visitor: Browser) -> None:
    give_password(visitor)
    visitor.post(STEP, 200, code=code_of(key))
    visitor.get("/", 303)


@pytest.mark.parametrize(("steps", "status"), [(-2, 200), (-1, 303), (0, 303), (1, 303), (2, 200)])
def test_a_clock_may_be_one_step_off(
    steps: int, status: int, clock: Traveller, key: str, visitor: Browser
) -> None:
    clock.shift(120)
    give_password(visitor)
    visitor.post(STEP, status, code=code_of(key, steps))


def test_after_a_fast_clock_no_older_code_is_taken(
    app: Flask, later: str, visitor: Browser
) -> None:
    give_password(visitor)
    visitor.post(STEP, 303, code=code_of(later, 1))
    second = Browser(app)
    give_password(second)
    for steps in (-1, 0, 1):
        second.post(STEP, 200, code=code_of(later, steps))


def test_each_recovery_code_opens_the_door_once_and_says_how_many_are_left(
    app: Flask, clock: Traveller, paper: list[str]
) -> None:
    for number, code in enumerate(paper, 1):
        browser = Browser(app)
        give_password(browser)
        assert browser.post(STEP, recovery=code).location == "/"
        said = ["Você entrou com o último código", "Resta 1.", f"Restam {10 - number}."]
        assert said[min(10 - number, 2)] in browser.get("/").text
        # Once each, and so slowly that nothing is counted as guessing.
        clock.shift(300)
        give_password(Browser(app))
    thief = Browser(app)
    give_password(thief)
    for code in paper[:3]:
        assert "já foi usado" in thief.post(STEP, 200, recovery=code).text
    assert rows(app, "SELECT 1 FROM recovery_codes") == []


def test_a_recovery_code_may_be_typed_as_it_is_read(paper: list[str], visitor: Browser) -> None:
    typed = paper[0].upper().replace("-", "  ").replace("O", "0").replace("L", "1")
    give_password(visitor)
    visitor.post(STEP, 303, recovery=typed)


def test_the_code_of_somebody_else_is_worth_nothing(
    clock: Traveller, later: str, log_in: Callable[..., Browser], visitor: Browser
) -> None:
    other, codes = turn_on(log_in("eva@exemplo.com.br"))
    clock.shift(60)
    give_password(visitor)
    assert code_of(other) != code_of(later)
    visitor.post(STEP, 200, code=code_of(other))
    visitor.post(STEP, 200, recovery=codes[0])


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "😀"])
def test_what_is_no_code_is_refused_with_the_one_answer(
    code: str, later: str, visitor: Browser
) -> None:
    assert later
    give_password(visitor)
    assert "O código não confere, ou já foi usado" in visitor.post(STEP, 200, code=code).text


def test_wrong_used_and_recovery_codes_get_the_same_answer(key: str, visitor: Browser) -> None:
    def said(**fields: Any) -> str:
        page = visitor.post(STEP, 200, **fields).text
        found = re.search(r'role="alert".*?</ul>', page, re.DOTALL)
        assert found
        return found[0]

    give_password(visitor)
    assert said(code=wrong_code(key)) == said(code=code_of(key)) == said(recovery="a" * 16)


def test_the_login_that_waits_ends_after_five_minutes(
    clock: Traveller, later: str, visitor: Browser
) -> None:
    give_password(visitor)
    clock.shift(PENDING_LIFETIME.total_seconds() + 1)
    assert visitor.post(STEP, code=code_of(later)).location == "/entrar"
    assert "acabou: entre de novo" in visitor.get("/entrar").text
    visitor.get("/", 303)


def test_a_new_password_ends_a_login_that_waits(later: str, ana: Browser, visitor: Browser) -> None:
    give_password(visitor)
    fresh = "outra senha bem comprida"
    ana.post("/conta", current=PASSWORD, password=fresh, repeated=fresh)
    assert visitor.post(STEP, code=code_of(later)).location == "/entrar"


def test_a_waiting_login_is_finished_once(app: Flask, clock: Traveller, later: str) -> None:
    """A cookie that was copied between the two pages is worth nothing after the second."""
    victim, thief = Browser(app), Browser(app)
    give_password(victim)
    copied = victim.client.get_cookie("session")
    assert copied is not None
    thief.client.set_cookie("session", copied.value)
    thief.get(STEP)
    victim.post(STEP, code=code_of(later))
    clock.shift(30)
    assert thief.get(STEP, 303).location == "/entrar"
    assert thief.get("/", 303).location == "/entrar"


def test_a_double_click_does_not_lose_the_login(app: Flask, later: str, visitor: Browser) -> None:
    """The second answer comes last, to a request with the cookie of before."""
    give_password(visitor)
    visitor.get(STEP)
    fields = {"csrf_token": visitor.token(), "code": code_of(later)}
    before = visitor.client.get_cookie("session")
    assert before is not None
    second = Browser(app)
    second.client.set_cookie("session", before.value)
    visitor.send(STEP, fields, 303)
    answer = second.send(STEP, fields, 303)
    assert answer.location == "/entrar"
    assert "Set-Cookie" not in answer.headers
    assert visitor.get("/entrar", 303).location == "/"


def test_a_session_that_was_planted_gets_nothing_by_the_password_nor_by_the_code(
    app: Flask, later: str
) -> None:
    planted, victim = planted_session(app)
    give_password(victim)
    assert planted.get(STEP, 303).location == "/entrar"
    victim.get(STEP)
    with victim.client.session_transaction() as session:
        half, token = session["pending"], session["csrf_token"]
    victim.post(STEP, code=code_of(later))
    victim.get("/conta")
    with victim.client.session_transaction() as session:
        assert half not in session.values()
        assert session["csrf_token"] != token
    assert planted.get("/", 303).location == "/entrar"


def test_what_waits_is_stored_as_a_hash(app: Flask, key: str, visitor: Browser) -> None:
    assert key
    give_password(visitor)
    with visitor.client.session_transaction() as session:
        half = session["pending"]
    ((stored,),) = rows(app, "SELECT key_hash FROM pending_sign_ins")
    assert stored != half


def test_it_is_written_down_who_came_in_how(
    app: Flask, clock: Traveller, later: str, ana: Browser, visitor: Browser
) -> None:
    query = "SELECT action, who, detail FROM audit ORDER BY id DESC LIMIT 1"
    give_password(visitor)
    assert rows(app, query) == [("second_factor_changed", ANA, "on")]
    visitor.post(STEP, 200, code=wrong_code(later))
    assert rows(app, query) == [("login_refused", ANA, "second factor")]
    visitor.post(STEP, code=code_of(later))
    assert rows(app, query) == [("login", ANA, "")]
    assert "senha certa, código do segundo fator errado" in ana.get("/auditoria").text
    assert clock is not None
    assert PAGE in ana.get("/conta").text


def test_a_recovery_code_is_written_down_without_itself(
    app: Flask, paper: list[str], ana: Browser, visitor: Browser
) -> None:
    give_password(visitor)
    visitor.post(STEP, recovery=paper[0])
    ((detail,),) = rows(app, "SELECT detail FROM audit ORDER BY id DESC LIMIT 1")
    assert detail == "recovery code, 9 left"
    assert "com um código de recuperação; restavam 9" in ana.get("/auditoria").text
