"""The key and the recovery codes are looked for wherever they could have been left behind."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from flask import Flask
from time_machine import Traveller

from tests.support.application import rows
from tests.web.conftest import PASSWORD
from tests.web.support.authenticator import (
    ANA,
    PAGE,
    STEP,
    begin,
    code_of,
    codes_on,
    give_password,
    wrong_code,
)
from tests.web.support.browser import Browser
from webhookproxy.models.accounts.one_time_codes import in_fours


def files_of(sqlite_url: str) -> bytes:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))


def spellings(key: str, codes: list[str]) -> list[str]:
    """The secrets as they are, and as they are shown or typed."""
    plain = [code.replace("-", "") for code in codes]
    return [key, key.lower(), in_fours(key), *codes, *plain]


def use_and_misuse(
    clock: Traveller, app: Flask, browser: Browser, key: str, codes: list[str]
) -> None:
    """Every way in which they are typed, right and wrong."""
    clock.shift(60)
    give_password(browser)
    browser.post(STEP, 200, code=key)
    browser.post(STEP, 200, code=codes[0])
    browser.post(STEP, 200, recovery=f"{codes[0]}x")
    browser.post(STEP, 303, recovery=codes[0])
    clock.shift(60)
    browser.post(f"{PAGE}/codigos", 200, current="wrong password", recovery=codes[1])
    browser.post(f"{PAGE}/desligar", 200, current=PASSWORD, recovery=codes[0])
    late = Browser(app)
    late.post(STEP, 303, recovery=codes[2])
    late.send(STEP, {"recovery": codes[2]}, 400)
    late.send(f"{PAGE}/codigos", {"recovery": codes[3], "current": PASSWORD, "code": key}, 303)


def test_neither_is_in_the_database_the_log_a_cookie_or_the_audit(
    clock: Traveller,
    app: Flask,
    sqlite_url: str,
    ana: Browser,
    visitor: Browser,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    key = begin(ana)
    ana.post(PAGE, 200, code=wrong_code(key))
    codes = codes_on(ana.post(PAGE, 200, code=code_of(key)).text)
    secrets = spellings(key, codes)
    use_and_misuse(clock, app, visitor, key, codes)
    assert rows(app, "SELECT 1 FROM recovery_codes")
    stored = files_of(sqlite_url)
    # The search would find nothing in the wrong file.
    assert ANA.encode() in stored
    cookies = [browser.client.get_cookie("session") for browser in (ana, visitor)]
    places = {
        "database": stored.decode("latin-1"),
        "log": caplog.text,
        "cookies": str([cookie and cookie.decoded_value for cookie in cookies]),
        "audit": str(rows(app, "SELECT * FROM audit")),
    }
    found = [(place, each) for place, text in places.items() for each in secrets if each in text]
    assert found == []


def test_what_was_typed_when_the_session_had_expired_is_kept_without_codes(
    clock: Traveller, ana: Browser
) -> None:
    """A form is kept while its user logs in again, but not its secrets."""
    key = begin(ana)
    ana.post(PAGE, 200, code=code_of(key))
    clock.shift(13 * 3600)
    fields = {"current": PASSWORD, "code": "123456", "recovery": "abcd-efgh-2345-6723"}
    ana.send(f"{PAGE}/desligar", fields, 303)
    give_password(ana)
    assert ana.post(STEP, code=code_of(key)).location == f"{PAGE}/desligar"
    page = ana.get(f"{PAGE}/desligar").text
    assert "Recuperamos o que você digitou" in page
    assert not [text for text in fields.values() if text in page]
