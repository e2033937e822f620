"""People as in life: Ana administers, Beto runs one company, Carla another, Lena only looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask
from sqlalchemy.orm import Session
from time_machine import Traveller

from tests.support.application import TOKEN, store_of
from tests.web.support.addresses import make_addresses
from tests.web.support.browser import Browser
from tests.web.support.session import let_in
from webhookproxy.database import clock as database_clock
from webhookproxy.models.accounts.people import create_user, grant_only, hasher
from webhookproxy.models.accounts.sign_ins import sign_in
from webhookproxy.models.audit import Action, Actor, record
from webhookproxy.models.companies import create_company
from webhookproxy.models.webhooks import create_webhook
from webhookproxy.rules.companies import CompanyInput
from webhookproxy.rules.webhooks import WebhookInput
from webhookproxy.web.shared import live

PASSWORD = "uma senha bem comprida"


@pytest.fixture(autouse=True)
def draws_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a live page drawn ten times a second at most, and again after half a second."""
    monkeypatch.setattr(live, "DRAW_SECONDS", 0.1)
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.5)


@pytest.fixture(scope="session")
def password_hash() -> str:
    return hasher.hash(PASSWORD)


@dataclass(frozen=True, slots=True)
class Place:
    """Two companies, each with a webhook."""

    company: int
    webhook: int
    other_company: int
    other_webhook: int


@pytest.fixture
def place(app: Flask) -> Place:
    """Beto's company and Carla's; most tests begin so, and one transaction takes half the time."""
    allowed = app.extensions["policy"]

    def job(session: Session) -> Place:
        found: list[int] = []
        for name, token, path, secret in (
            ("Televendas Guarapuava", TOKEN, "crm", "canary-secret"),
            ("Outra Empresa", "canary-token-of-the-company-0002", "outro", None),
        ):
            given = CompanyInput(name=name, token=token, socket_url="http://127.0.0.1:4000")
            company = create_company(session, given, allowed).id
            url = f"http://127.0.0.1:9999/{path}"
            webhook = WebhookInput("Webhook", url, secret=secret)
            found += company, create_webhook(session, company, webhook, allowed).id
        return Place(*found)

    return store_of(app).session(job)


@pytest.fixture
def log_in(app: Flask, password_hash: str) -> Callable[..., Browser]:
    """Makes a user who is logged in, and gives their browser."""

    def make(email: str, *companies: int, admin: bool = False, reader: bool = False) -> Browser:
        def job(session: Session) -> str:
            user = create_user(session, email, password_hash, admin=admin, reader=reader)
            grant_only(session, user, companies)
            record(session, Actor(user.id, email, "127.0.0.1"), Action.LOGIN)
            return sign_in(session, user.id)

        browser = Browser(app)
        let_in(browser.client, store_of(app).session(job))
        return browser

    return make


@pytest.fixture
def ana(log_in: Callable[..., Browser]) -> Browser:
    """An administrator."""
    return log_in("ana@exemplo.com.br", admin=True)


@pytest.fixture
def beto(log_in: Callable[..., Browser], place: Place) -> Browser:
    """The operator of the company."""
    return log_in("beto@exemplo.com.br", place.company)


@pytest.fixture
def carla(log_in: Callable[..., Browser], place: Place) -> Browser:
    """The operator of the other company."""
    return log_in("carla@exemplo.com.br", place.other_company)


@pytest.fixture
def lena(log_in: Callable[..., Browser], place: Place) -> Browser:
    """A reader of the company."""
    return log_in("lena@exemplo.com.br", place.company, reader=True)


@pytest.fixture
def addresses(app: Flask, place: Place) -> dict[str, str]:
    """The address of every guarded page by its endpoint, with ids of Beto's company."""
    return make_addresses(app, place.company, place.webhook)


@pytest.fixture
def visitor(app: Flask) -> Browser:
    """Return a visitor who has not logged in."""
    return Browser(app)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traveller]:
    """The time, which stands still in the middle of a step of 30 s until a test moves it."""
    # PostgreSQL's own does not stand.
    monkeypatch.setattr(database_clock, "look", lambda *_: None)
    now = datetime.now(UTC).replace(second=15, microsecond=0)
    with time_machine.travel(now, tick=False) as clock:
        yield clock
