"""The door: the first administrator, logging in and out, one's own password."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from tests.conftest import DEPLOYED_HASHER
from tests.support.application import rows
from tests.web.conftest import PASSWORD, Place
from tests.web.support.browser import Browser, planted_session
from webhookproxy.models.accounts.one_time_codes import first_code
from webhookproxy.network.addresses import counted_as
from webhookproxy.web.login import passwords
from webhookproxy.web.login.sessions import is_own_page

OTHER_PASSWORD = "outra senha bem comprida"


def code_of(app: Flask) -> str:
    return first_code(app.config["SECRET_KEY"], datetime.now(UTC))


def first_fields(code: str, **changed: str) -> dict[str, Any]:
    return {
        "code": code,
        "email": "ana@exemplo.com.br",
        "password": PASSWORD,
        "repeated": PASSWORD,
        **changed,
    }


def new_password(current: str) -> dict[str, Any]:
    return {"current": current, "password": OTHER_PASSWORD, "repeated": OTHER_PASSWORD}


def test_the_first_visit_creates_the_administrator_with_the_code_of_the_console(
    app: Flask, visitor: Browser
) -> None:
    assert visitor.get("/", 303).location == "/entrar"
    assert visitor.get("/entrar", 303).location == "/primeiro-acesso"
    visitor.get("/primeiro-acesso")
    answer = visitor.post("/primeiro-acesso", **first_fields(code_of(app)))
    assert answer.location == "/"
    assert "Nenhuma empresa ainda" in visitor.get("/").text
    assert rows(app, "SELECT email, is_admin FROM users") == [("ana@exemplo.com.br", True)]


def test_the_address_of_the_console_fills_the_code_in(app: Flask, visitor: Browser) -> None:
    code = code_of(app)
    page = visitor.get(f"/primeiro-acesso?codigo={code}").text
    assert f'value="{code}"' in page
    assert 'value="&lt;b&gt;"' in visitor.get("/primeiro-acesso?codigo=<b>").text


def test_the_code_is_good_for_an_hour(app: Flask, visitor: Browser) -> None:
    def code_at(minutes: int) -> str:
        now = datetime.now(UTC) - timedelta(minutes=minutes)
        return first_code(app.config["SECRET_KEY"], now)

    answer = visitor.post("/primeiro-acesso", 200, **first_fields(code_at(62)))
    assert "flask user first-code" in answer.text
    visitor.post("/primeiro-acesso", **first_fields(code_at(59)))
    assert len(rows(app, "SELECT 1 FROM users")) == 1


def test_the_code_may_be_typed_with_spaces_and_in_capitals(app: Flask, visitor: Browser) -> None:
    typed = code_of(app).replace("-", " ").upper()
    visitor.post("/primeiro-acesso", **first_fields(typed))
    assert len(rows(app, "SELECT 1 FROM users")) == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"code": "0000-0000-0000-0000"}, "Este não é o código do console"),
        ({"email": "ana"}, "Isto não é um e-mail"),
        ({"password": "curta", "repeated": "curta"}, "A senha é curta demais"),
        ({"repeated": "outra coisa"}, "As duas senhas são diferentes"),
        ({"code": ""}, "Preencha este campo."),
    ],
)
def test_a_wrong_first_form_creates_nobody_and_says_why(
    changed: dict[str, str], said: str, app: Flask, visitor: Browser
) -> None:
    answer = visitor.post("/primeiro-acesso", 200, **{**first_fields(code_of(app)), **changed})
    assert said in answer.text
    assert PASSWORD not in answer.text
    assert not rows(app, "SELECT 1 FROM users")


def test_every_mistake_of_the_first_form_is_said_at_once(visitor: Browser) -> None:
    wrong = {"email": "ana", "password": "curta", "repeated": "outra"}
    fields = {**first_fields("0000-0000-0000-0000"), **wrong}
    page = visitor.post("/primeiro-acesso", 200, **fields).text
    assert "Nada foi salvo. Corrija os 4 pontos:" in page
    for field in ("code", "email", "password", "repeated"):
        assert f'<a href="#{field}">' in page, field


def test_a_login_that_fails_does_not_speak_of_saving(visitor: Browser, ana: Browser) -> None:
    page = visitor.post("/entrar", 200, email="ana@exemplo.com.br", password="x" * 12).text
    assert "<strong>Não foi possível entrar.</strong>" in page
    assert "Nada foi salvo" not in page
    wrong = {"current": "x", "password": "curta", "repeated": "outra"}
    page = ana.post("/conta", 200, **wrong).text
    assert "Corrija os 3 pontos" in page


@pytest.mark.usefixtures("ana")
def test_there_is_no_first_visit_once_there_is_a_user(app: Flask, visitor: Browser) -> None:
    assert visitor.get("/primeiro-acesso", 303).location == "/entrar"
    visitor.post("/primeiro-acesso", **first_fields(code_of(app), email="eva@exemplo.com.br"))
    assert len(rows(app, "SELECT 1 FROM users")) == 1


def test_guessing_the_code_is_slowed_down(app: Flask, visitor: Browser) -> None:
    for _ in range(5):
        visitor.post("/primeiro-acesso", 200, **first_fields("0000-0000-0000-0000"))
    answer = visitor.post("/primeiro-acesso", 429, **first_fields(code_of(app)))
    assert int(answer.headers["Retry-After"]) > 0
    assert "Muitas tentativas" in answer.text


@pytest.mark.usefixtures("ana")
def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(visitor: Browser) -> None:
    pages = [
        re.sub(
            r'value="[^"]*"', "", visitor.post("/entrar", 200, email=email, password="x" * 12).text
        )
        for email in ("ana@exemplo.com.br", "eva@exemplo.com.br")
    ]
    assert pages[0] == pages[1]
    assert "E-mail ou senha incorretos" in pages[0]


@pytest.mark.usefixtures("ana")
def test_an_unknown_user_costs_a_hash_too(
    visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopwatch would lie on a busy machine: what is counted is the work."""
    from webhookproxy.models.accounts.people import hasher
    from webhookproxy.web.login import passwords

    made: list[str] = []

    class Counting:
        def verify(self, password_hash: str, password: str) -> bool:
            made.append(password_hash)
            return real.verify(password_hash, password)

    real = hasher
    passwords._dummy_hash()
    monkeypatch.setattr(passwords, "hasher", Counting())
    for email in ("ana@exemplo.com.br", "eva@exemplo.com.br"):
        visitor.post("/entrar", 200, email=email, password="wrong password")
    assert len(made) == 2
    assert made[0].split("$")[3] == made[1].split("$")[3]


@pytest.mark.usefixtures("ana")
def test_guessing_a_password_is_slowed_down_and_nobody_else_is_locked_out(
    visitor: Browser,
) -> None:
    for _ in range(5):
        visitor.post("/entrar", None, email="eva@exemplo.com.br", password="wrong password")
    answer = visitor.post("/entrar", 429, email="eva@exemplo.com.br", password="wrong password")
    assert int(answer.headers["Retry-After"]) > 0
    visitor.post("/entrar", 303, email="ana@exemplo.com.br", password=PASSWORD)


def wrong(browser: Browser, email: str, address: str) -> int:
    """What a wrong password from there is answered with."""
    fields = {"email": email, "password": "wrong password", "csrf_token": browser.token()}
    return browser.client.post(
        "/entrar", data=fields, environ_overrides={"REMOTE_ADDR": address}
    ).status_code


@pytest.mark.usefixtures("ana")
def test_guesses_from_many_addresses_are_slowed_down_but_the_user_still_comes_in(
    app: Flask, visitor: Browser
) -> None:
    """Ana logged in from 127.0.0.1, so a guesser elsewhere cannot lock her out."""
    email = "ana@exemplo.com.br"
    answers = [wrong(visitor, email, f"10.0.0.{number}") for number in range(32)]
    assert answers[:29] == [200] * 29
    assert answers[-1] == 429
    visitor.post("/entrar", 303, email=email, password=PASSWORD)
    assert wrong(Browser(app), email, "10.0.1.1") == 429


@pytest.mark.usefixtures("ana")
def test_the_addresses_of_one_network_are_one(visitor: Browser) -> None:
    answers = [wrong(visitor, "ana@exemplo.com.br", f"2001:db8::{n:x}") for n in range(6)]
    assert answers == [200] * 5 + [429]
    assert wrong(visitor, "ana@exemplo.com.br", "2001:db8:0:1::1") == 200


@pytest.mark.usefixtures("ana")
def test_many_names_from_one_address_are_slowed_down(visitor: Browser) -> None:
    names = [f"eva{number}@exemplo.com.br" for number in range(21)]
    assert [wrong(visitor, name, "10.0.0.1") for name in names] == [200] * 20 + [429]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ("?", "?"),
    ],
)
def test_tries_are_counted_by_network(address: str, counted: str) -> None:
    assert counted_as(address) == counted


def test_a_refused_login_is_written_down_with_its_address_and_without_the_password(
    app: Flask, ana: Browser, visitor: Browser
) -> None:
    ana.get("/")
    wrong(visitor, "ana@exemplo.com.br", "2001:db8::7")
    query = "SELECT who, address, detail FROM audit WHERE action = 'login_refused'"
    assert rows(app, query) == [("ana@exemplo.com.br", "2001:db8::7", "")]


def test_the_key_of_the_session_is_new_at_each_login(ana: Browser, visitor: Browser) -> None:
    def key_of(browser: Browser) -> str:
        with browser.client.session_transaction() as session:
            return str(session["_user_id"])

    first = key_of(ana)
    ana.post("/sair")
    ana.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    visitor.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    assert len({first, key_of(ana), key_of(visitor)}) == 3


def test_a_form_of_before_the_login_is_worth_nothing_after_it(ana: Browser) -> None:
    old = ana.token()
    ana.post("/sair")
    ana.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    ana.send("/sair", {"csrf_token": old}, 400)
    ana.get("/")


@pytest.mark.usefixtures("ana")
@pytest.mark.parametrize("planted", ["//evil.com", "/\\evil.com", "https://evil.com"])
def test_a_planted_target_leads_home(planted: str, visitor: Browser) -> None:
    visitor.get("/entrar?next=" + planted)
    with visitor.client.session_transaction() as session:
        session["next"] = planted
    answer = visitor.post("/entrar?next=" + planted, email="ana@exemplo.com.br", password=PASSWORD)
    assert answer.location == "/"


def test_after_a_logout_a_copied_cookie_is_worth_nothing(app: Flask, ana: Browser) -> None:
    copied = ana.client.get_cookie("session")
    assert copied is not None
    ana.post("/sair")
    thief = Browser(app)
    thief.client.set_cookie("session", copied.value)
    assert thief.get("/", 303).location == "/entrar"


def test_a_new_password_ends_every_other_session(ana: Browser, visitor: Browser) -> None:
    visitor.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    given: dict[str, Any] = {
        "current": PASSWORD,
        "password": OTHER_PASSWORD,
        "repeated": OTHER_PASSWORD,
    }
    ana.post("/conta", **given)
    ana.get("/")
    assert visitor.get("/", 303).location == "/entrar"
    visitor.post("/entrar", 200, email="ana@exemplo.com.br", password=PASSWORD)
    visitor.post("/entrar", 303, email="ana@exemplo.com.br", password=OTHER_PASSWORD)


def test_a_new_password_needs_the_old_one(ana: Browser, visitor: Browser) -> None:
    given: dict[str, Any] = {
        "current": "wrong password",
        "password": OTHER_PASSWORD,
        "repeated": OTHER_PASSWORD,
    }
    assert "A senha atual não confere" in ana.post("/conta", 200, **given).text
    visitor.post("/entrar", 303, email="ana@exemplo.com.br", password=PASSWORD)


@pytest.mark.usefixtures("ana")
def test_a_session_that_was_there_before_the_login_is_not_the_one_after(app: Flask) -> None:
    """A planted cookie is worth nothing: the login makes a new key."""
    planted, victim = planted_session(app)
    victim.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    assert planted.get("/", 303).location == "/entrar"


@pytest.mark.usefixtures("ana")
def test_after_the_login_one_goes_where_one_was_going(place: Place, visitor: Browser) -> None:
    visitor.get(f"/empresas/company_{place.company}", 303)
    answer = visitor.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    assert answer.location == f"/empresas/company_{place.company}"


@pytest.mark.parametrize(
    "target",
    [
        "//evil.com",
        "///evil.com",
        "/\\evil.com",
        "\\\\evil.com",
        "https://evil.com",
        "http:evil.com",
        "javascript:alert(1)",
        "/\tevil.com",
        "/ evil.com",
        "/é",
        "",
        None,
        "evil.com",
    ],
)
def test_a_login_never_leads_to_another_site(target: object) -> None:
    assert not is_own_page(target)


@pytest.mark.parametrize("target", ["/", "/empresas", "/entregas?estado=falhou&webhook=webhook_1"])
def test_a_login_leads_to_pages_of_ours(target: str) -> None:
    assert is_own_page(target)


def test_an_old_hash_is_made_anew_at_the_login(
    app: Flask, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from argon2 import PasswordHasher
    from sqlalchemy.orm import Session

    from tests.support.application import store_of
    from webhookproxy.models.accounts.people import create_user

    monkeypatch.setattr(passwords, "hasher", DEPLOYED_HASHER)
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)

    def job(session: Session) -> None:
        create_user(session, "ana@exemplo.com.br", weak, admin=True)

    store_of(app).session(job)
    visitor.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    ((stored,),) = rows(app, "SELECT password_hash FROM users")
    assert stored != weak
    assert "m=19456" in stored
