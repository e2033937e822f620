"""A user's authenticator app, and the paper with the recovery codes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pyotp

from tests.web.conftest import PASSWORD
from tests.web.support.browser import Browser

ANA = "ana@exemplo.com.br"
BETO = "beto@exemplo.com.br"
PAGE = "/conta/segundo-fator"
STEP = "/entrar/codigo"


def key_on(page: str) -> str:
    """The key that the page shows."""
    found = re.search(r'id="chave"[^>]*>([A-Z2-7 ]+)<', page)
    assert found, page
    return found[1].replace(" ", "")


def codes_on(page: str) -> list[str]:
    """The recovery codes that the page shows."""
    found = re.search(r'id="codigos"[^>]*>([^<]+)<', page)
    assert found, page
    return found[1].split()


def code_of(key: str, steps: int = 0) -> str:
    """What the app shows now, or so many steps of 30 s later."""
    return pyotp.TOTP(key).at(datetime.now(UTC) + timedelta(seconds=30 * steps))


def wrong_code(key: str) -> str:
    """A code that is none of the three that are good now."""
    good = {code_of(key, steps) for steps in (-1, 0, 1)}
    return next(code for code in ("111111", "222222", "333333", "444444") if code not in good)


def begin(browser: Browser) -> str:
    """The key, which the second factor is not asked with before the first code."""
    browser.post(PAGE, current=PASSWORD)
    return key_on(browser.get(PAGE).text)


def turn_on(browser: Browser) -> tuple[str, list[str]]:
    """The key and the recovery codes."""
    key = begin(browser)
    return key, codes_on(browser.post(PAGE, 200, code=code_of(key)).text)


def give_password(browser: Browser, email: str = ANA) -> None:
    """Do the first half of a login."""
    answer = browser.post("/entrar", email=email, password=PASSWORD)
    assert answer.location == STEP, answer.location
