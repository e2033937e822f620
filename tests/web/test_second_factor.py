"""The second factor: turned on, asked for at the login, lost, and turned off again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import time_machine
from flask import Flask

from tests.web.browser import Browser
from tests.web.conftest import PASSWORD
from tests.world import rows

ANA = "ana@exemplo.com.br"
PAGE = "/conta/segundo-fator"
# In the middle of a step of 30 s, so that a test does not run over its edge.
NOW = datetime(2026, 11, 25, 13, 0, 15, tzinfo=UTC)


@pytest.fixture
def clock() -> Any:
    """The time, which stands still until `shift` is called."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def key_on(page: str) -> str:
    found = re.search(r'id="chave"[^>]*>([A-Z2-7 ]+)<', page)
    assert found, page
    return found[1].replace(" ", "")


def codes_on(page: str) -> list[str]:
    found = re.search(r'id="codigos"[^>]*>([^<]+)<', page)
    assert found, page
    return found[1].split()


def code_of(key: str, steps: int = 0) -> str:
    """What the app shows now, or so many steps later."""
    return pyotp.TOTP(key).at(datetime.now(UTC) + timedelta(seconds=30 * steps))


def turn_on(browser: Browser) -> tuple[str, list[str]]:
    """The key and the recovery codes."""
    browser.post(PAGE, current=PASSWORD)
    key = key_on(browser.get(PAGE).text)
    return key, codes_on(browser.post(PAGE, 200, code=code_of(key)).text)


def half(browser: Browser, email: str = ANA) -> None:
    """Give the password, and be asked for the code."""
    answer = browser.post("/entrar", email=email, password=PASSWORD)
    assert answer.location == "/entrar/codigo"


def test_turned_on_it_is_asked_for_at_the_next_login(
    clock: time_machine.Traveller, app: Flask, ana: Browser, nobody: Browser
) -> None:
    key, codes = turn_on(ana)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[a-z2-7]{4}(-[a-z2-7]{4}){3}", code) for code in codes)
    assert "Ligado" in ana.get("/conta").text
    clock.shift(30)
    half(nobody)
    assert "Falta o código" in nobody.get("/entrar/codigo").text
    answer = nobody.post("/entrar/codigo", code=code_of(key))
    assert answer.location == "/"
    nobody.get("/")
