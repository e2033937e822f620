"""Programs as in life: Ana's may do everything, Beto's runs one company, Carla's another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.support.application import store_of
from tests.web.conftest import Place, place  # noqa: F401 - a fixture
from tests.web.support.addresses import make_addresses
from webhookproxy.api.shared.problems import PREFIX
from webhookproxy.models.accounts.api_tokens import Scope, make_api_token
from webhookproxy.models.accounts.people import create_user, grant_only

ALL = tuple(Scope)


class Program:
    """A program with a token."""

    def __init__(self, app: Flask, token: str) -> None:
        self.client = app.test_client()
        self.token = token

    def ask(self, method: str, path: str, **given: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.client.open(PREFIX + path, method=method, headers=headers, **given)

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == status, answer.text
        assert answer.mimetype == f"application/{'problem+' if status >= 400 else ''}json"
        return answer.json

    def post(self, path: str, status: int = 200, **body: Any) -> Any:
        answer = self.ask("POST", path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json


Make = Callable[..., Program]


@pytest.fixture
def program(app: Flask) -> Make:
    """Make a program whose user and token are new."""
    app.config["API_REQUESTS_PER_SECOND"] = 1_000

    def make(
        email: str,
        *companies: int,
        scopes: tuple[Scope, ...] = (),
        admin: bool = False,
        reader: bool = False,
        only: tuple[int, ...] | None = None,
    ) -> Program:
        def job(session: Session) -> str:
            user = create_user(session, email, "no password", admin=admin, reader=reader)
            grant_only(session, user, companies)
            return make_api_token(session, user, "script", scopes, 30, only)[1]

        return Program(app, store_of(app).session(job))

    return make


@pytest.fixture
def filled(app: Flask, place: Place) -> None:  # noqa: F811
    """An event of the company, its delivery and a bulk resend."""
    make_addresses(app, place.company, place.webhook)


@pytest.fixture
def ana(program: Make) -> Program:
    """A program of an administrator."""
    return program("ana@exemplo.com.br", scopes=ALL, admin=True)


@pytest.fixture
def beto(program: Make, place: Place) -> Program:  # noqa: F811
    """A program of the operator of the company, which may do all that he may."""
    scopes = (Scope.PAYLOADS, Scope.OPERATE)
    return program("beto@exemplo.com.br", place.company, scopes=scopes)


@pytest.fixture
def carla(program: Make, place: Place) -> Program:  # noqa: F811
    """A program of the operator of the other company."""
    scopes = (Scope.PAYLOADS, Scope.OPERATE)
    return program("carla@exemplo.com.br", place.other_company, scopes=scopes)
