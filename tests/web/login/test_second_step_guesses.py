"""Guessed codes are slowed down, and lock no user out of a known address."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from time_machine import Traveller

from tests.web.support.authenticator import STEP, code_of, give_password, turn_on, wrong_code
from tests.web.support.browser import Browser


@pytest.fixture
def later(clock: Traveller, ana: Browser) -> str:
    """The key in the app of Ana, who turned it on a minute ago."""
    key = turn_on(ana)[0]
    clock.shift(60)
    return key


def guess(browser: Browser, code: str, address: str) -> int:
    """What a code from there is answered with; the password was given already."""
    fields = {"code": code, "csrf_token": browser.token()}
    return browser.client.post(
        STEP, data=fields, environ_overrides={"REMOTE_ADDR": address}
    ).status_code


def test_guessing_codes_is_slowed_down(later: str, visitor: Browser) -> None:
    give_password(visitor)
    wrong = wrong_code(later)
    for _ in range(5):
        visitor.post(STEP, 200, code=wrong)
    answer = visitor.post(STEP, 429, code=code_of(later))
    assert int(answer.headers["Retry-After"]) > 0
    assert "Muitas tentativas" in answer.text


def test_guesses_from_many_addresses_are_slowed_down_but_the_user_still_comes_in(
    app: Flask, later: str, visitor: Browser
) -> None:
    """Ana logged in from 127.0.0.1; a thief with her password has no known address."""
    thief = Browser(app)
    give_password(thief)
    wrong = wrong_code(later)
    answers = [guess(thief, wrong, f"10.0.0.{number}") for number in range(31)]
    # One of the thirty was the code that turned it on.
    assert answers == [200] * 29 + [429] * 2
    assert guess(thief, wrong, "10.0.0.1") == 429
    give_password(visitor)
    visitor.post(STEP, 303, code=code_of(later))


def test_also_from_a_known_address_there_are_few_guesses_in_an_hour(
    app: Flask, clock: Traveller, later: str
) -> None:
    answers = []
    for number in range(32):
        if number % 4 == 0:
            clock.shift(61)
            thief = Browser(app)
            give_password(thief)
        answers.append(guess(thief, wrong_code(later), "127.0.0.1"))
    assert answers == [200] * 29 + [429] * 3
    page = thief.post(STEP, 429, code="1").text
    wait = re.search(r"Espere (\d+) minutos", page)
    assert wait
    assert 40 < int(wait[1]) <= 60
