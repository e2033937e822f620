"""A user's own second factor: turned on, turned off, lost, and never shown to others."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

import pyotp
import pytest
from flask import Flask
from sqlalchemy import Connection, delete
from time_machine import Traveller

from tests.support.application import rows, store_of
from tests.web.conftest import PASSWORD
from tests.web.support.authenticator import (
    ANA,
    BETO,
    PAGE,
    STEP,
    begin,
    code_of,
    codes_on,
    give_password,
    key_on,
    turn_on,
    wrong_code,
)
from tests.web.support.browser import Browser
from webhookproxy.models import RecoveryCode
from webhookproxy.models.accounts.one_time_codes import app_address, qr_code, recovery_hash
from webhookproxy.models.accounts.second_factors import TO_CONFIRM

pytestmark = pytest.mark.usefixtures("clock")

OFF, RENEW = f"{PAGE}/desligar", f"{PAGE}/codigos"
RESET = "/usuarios/user_2/segundo-fator"


def changes(app: Flask) -> list[Any]:
    """What the audit has about second factors."""
    query = "SELECT who, subject, detail FROM audit WHERE action = 'second_factor_changed'"
    return rows(app, f"{query} ORDER BY id")


def test_it_is_turned_on_by_a_first_code_and_the_recovery_codes_are_shown_once(
    app: Flask, ana: Browser
) -> None:
    assert "Desligado" in ana.get("/conta").text
    key, codes = turn_on(ana)
    assert re.fullmatch("[A-Z2-7]{32}", key)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[a-z2-7]{4}(-[a-z2-7]{4}){3}", code) for code in codes)
    assert "Ligado" in ana.get("/conta").text
    page = ana.get(PAGE).text
    assert "Restam 10 códigos" in page
    assert not [each for each in (key, *codes) if each in page]
    assert changes(app) == [(ANA, "", "on")]
    assert "ligado" in ana.get("/auditoria").text


def test_the_drawing_says_what_the_key_says(ana: Browser) -> None:
    key = begin(ana)
    page = ana.get(PAGE).text
    assert "Aponte a câmera para este QR code" in page
    assert "Não consigo ler o QR code" in page
    found = re.search(r'<img src="([^"]+)"', page)
    assert found
    assert unquote(found[1].replace("&#39;", "'")) == unquote(qr_code(key, ANA, "webhookproxy"))
    app = pyotp.parse_uri(app_address(key, ANA, "webhookproxy"))
    assert (app.secret, app.name, app.issuer) == (key, ANA, "webhookproxy")


def test_the_key_is_in_one_page_that_nobody_keeps_and_the_drawing_has_no_address(
    ana: Browser,
) -> None:
    key = begin(ana)
    answer = ana.get(PAGE)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "img-src 'self' data:" in answer.headers["Content-Security-Policy"]
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', answer.text)
    assert [each[:5] for each in addresses if "svg%2" in each or "svg+" in each].count("data:") == 1
    assert not [each for each in addresses if key in each]
    with ana.client.session_transaction() as session:
        assert key not in str(dict(session))


def test_it_needs_the_password(app: Flask, ana: Browser) -> None:
    answer = ana.post(PAGE, 200, current="wrong password")
    assert "A senha não confere" in answer.text
    assert "chave" not in ana.get(PAGE).text
    assert rows(app, "SELECT 1 FROM second_factors") == []


def test_guessing_the_password_there_is_slowed_down(ana: Browser) -> None:
    for _ in range(5):
        ana.post(PAGE, 200, current="wrong password")
    ana.post(PAGE, 429, current=PASSWORD)


def test_a_wrong_first_code_turns_nothing_on(ana: Browser, visitor: Browser) -> None:
    key = begin(ana)
    page = ana.post(PAGE, 200, code=wrong_code(key)).text
    assert "O código não confere" in page
    assert key_on(page) == key
    assert visitor.post("/entrar", email=ANA, password=PASSWORD).location == "/"


def test_the_key_is_shown_to_the_login_that_gave_the_password_and_to_no_other(
    ana: Browser, visitor: Browser
) -> None:
    key = begin(ana)
    visitor.post("/entrar", email=ANA, password=PASSWORD)
    page = visitor.get(PAGE).text
    assert "Para termos certeza de que é você" in page
    assert "chave" not in page
    assert "Para termos certeza" in visitor.post(PAGE, 200, code=code_of(key)).text


def test_after_ten_minutes_one_begins_anew(clock: Traveller, ana: Browser) -> None:
    key = begin(ana)
    clock.shift(TO_CONFIRM.total_seconds() + 1)
    assert "Para termos certeza" in ana.post(PAGE, 200, code=code_of(key)).text
    assert begin(ana) != key


def test_turning_it_on_ends_every_other_session(ana: Browser, visitor: Browser) -> None:
    visitor.post("/entrar", email=ANA, password=PASSWORD)
    turn_on(ana)
    ana.get("/")
    assert visitor.get("/", 303).location == "/entrar"


def test_a_second_click_does_not_make_other_codes(app: Flask, ana: Browser) -> None:
    key, _ = turn_on(ana)
    before = rows(app, "SELECT code_hash FROM recovery_codes")
    assert ana.post(PAGE, code=code_of(key)).location == PAGE
    assert "Se não copiou os códigos" in ana.get(PAGE).text
    assert rows(app, "SELECT code_hash FROM recovery_codes") == before


@pytest.mark.parametrize("with_paper", [False, True])
def test_it_is_turned_off_with_the_password_and_a_code(
    with_paper: bool, app: Flask, clock: Traveller, ana: Browser, visitor: Browser
) -> None:
    key, codes = turn_on(ana)
    clock.shift(60)
    give_password(visitor)
    visitor.post(STEP, code=code_of(key))
    clock.shift(60)
    proof: dict[str, Any] = {"recovery": codes[0]} if with_paper else {"code": code_of(key)}
    assert ana.post(OFF, current=PASSWORD, **proof).location == "/conta"
    page = ana.get("/conta").text
    assert "O segundo fator foi desligado" in page
    assert "Desligado" in page
    assert visitor.get("/", 303).location == "/entrar"
    assert visitor.post("/entrar", email=ANA, password=PASSWORD).location == "/"
    assert rows(app, "SELECT 1 FROM recovery_codes") == []
    assert changes(app)[-1] == (ANA, "", "off")


@pytest.mark.parametrize("page", [OFF, RENEW])
def test_neither_the_password_alone_nor_a_code_alone_changes_anything(
    page: str, app: Flask, clock: Traveller, ana: Browser
) -> None:
    key, codes = turn_on(ana)
    clock.shift(60)
    before = rows(app, "SELECT code_hash FROM recovery_codes ORDER BY 1")
    wrong = "wrong password"
    assert "A senha não confere" in ana.post(page, 200, current=wrong, code=code_of(key)).text
    assert "já foi usado" in ana.post(page, 200, current=PASSWORD, code=wrong_code(key)).text
    clock.shift(60)
    assert "já foi usado" in ana.post(page, 200, current=PASSWORD, recovery="x" * 16).text
    answer = ana.post(page, 200, current=wrong, recovery=codes[0]).text
    assert "A senha não confere" in answer
    assert codes[0] not in answer
    assert rows(app, "SELECT code_hash FROM recovery_codes ORDER BY 1") == before
    assert changes(app) == [(ANA, "", "on")]


def test_new_recovery_codes_take_the_place_of_the_old_ones(
    app: Flask, clock: Traveller, ana: Browser, visitor: Browser
) -> None:
    _, old = turn_on(ana)
    page = ana.post(RENEW, 200, current=PASSWORD, recovery=old[0]).text
    new = codes_on(page)
    assert "Os anteriores não valem mais" in page
    assert not {*old} & {*new}
    assert len(rows(app, "SELECT 1 FROM recovery_codes")) == 10
    assert changes(app)[-1] == (ANA, "", "codes")
    give_password(visitor)
    visitor.post(STEP, 200, recovery=old[1])
    clock.shift(60)
    visitor.post(STEP, 303, recovery=new[1])


@pytest.mark.parametrize("page", [OFF, RENEW])
def test_where_it_is_off_the_pages_say_so(page: str, ana: Browser) -> None:
    assert "O segundo fator está desligado" in ana.get(page).text
    assert "já foi usado" not in ana.get(page).text
    ana.post(page, 200, current=PASSWORD, code="123456")


def test_a_new_password_leaves_it_on(clock: Traveller, ana: Browser, visitor: Browser) -> None:
    turn_on(ana)
    clock.shift(60)
    fresh = "outra senha bem comprida"
    ana.post("/conta", current=PASSWORD, password=fresh, repeated=fresh)
    assert visitor.post("/entrar", email=ANA, password=fresh).location == STEP


def test_an_administrator_turns_it_off_for_whoever_lost_it(
    app: Flask, ana: Browser, beto: Browser, visitor: Browser
) -> None:
    turn_on(beto)
    assert "Segundo fator" in ana.get("/usuarios").text
    assert RESET in ana.get("/usuarios/user_2").text
    assert "só depois de ter certeza" in ana.get(RESET).text
    give_password(visitor, BETO)
    assert ana.post(RESET).location == "/usuarios/user_2"
    page = ana.get("/usuarios/user_2").text
    assert f"O segundo fator de {BETO} foi desligado" in page
    assert beto.get("/", 303).location == "/entrar"
    # A visitor who had given only the password must give it again.
    assert visitor.get(STEP, 303).location == "/entrar"
    assert beto.post("/entrar", email=BETO, password=PASSWORD).location == "/"
    assert changes(app)[-1] == (ANA, BETO, "reset")
    assert "desligado, porque a pessoa o perdeu" in ana.get("/auditoria").text
    ana.post(RESET)
    assert "já estava desligado" in ana.get("/usuarios/user_2").text
    assert len(changes(app)) == 2


def test_an_administrator_does_not_get_round_their_own(ana: Browser, visitor: Browser) -> None:
    turn_on(ana)
    address = "/usuarios/user_1/segundo-fator"
    assert "com a senha e um código" in ana.get(address).text
    ana.post(address, 200)
    give_password(visitor)


def test_an_operator_does_not_turn_off_anybodys(
    ana: Browser, beto: Browser, log_in: Callable[..., Browser]
) -> None:
    turn_on(ana)
    beto.get("/usuarios/user_1/segundo-fator", 403)
    beto.post("/usuarios/user_1/segundo-fator", 403)
    assert log_in("eva@exemplo.com.br")
    assert "Ligado" in ana.get("/conta").text


def test_few_recovery_codes_are_a_warning_and_none_an_alarm(app: Flask, ana: Browser) -> None:
    _, codes = turn_on(ana)
    for left, said in ((3, "Restam 3 códigos"), (1, "Resta 1 código"), (0, "Não resta nenhum")):
        kept = [recovery_hash(code) for code in codes[:left]]
        gone = delete(RecoveryCode).where(RecoveryCode.code_hash.not_in(kept))
        store_of(app).run(partial(execute, gone))
        assert said in ana.get(PAGE).text


def execute(statement: Any, connection: Connection) -> None:
    connection.execute(statement)
