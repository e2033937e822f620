"""How much a visit costs, and what a browser would refuse to load."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.acting import walk
from tests.browser.conftest import OpenContext, flask, register
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

FIRST_VISIT = 150_000
LATER_VISITS = 20_000


@pytest.fixture
def base(database_url: str, server: ServerProcess, simulator: SimulatorProcess) -> str:
    """The address of the server as it runs in service, with a company and a webhook."""
    register(database_url, simulator, "token-of-a-company-that-is-looked-at")
    url = "https://api.minhaempresa.example/webhook"
    flask(database_url, "webhook", "create", "company_1", "Principal", url)
    return f"http://127.0.0.1:{server.port}"


class Meter:
    """Adds up what came over the wire, compressed, headers and all."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self._bytes = 0
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._finished)

    def _finished(self, event: dict[str, Any]) -> None:
        self._bytes += int(event["encodedDataLength"])

    def take(self, page: Page) -> int:
        """How much since the last time."""
        # The live stream never ends, so the network is never idle.
        page.wait_for_load_state("load")
        taken, self._bytes = self._bytes, 0
        return taken


@pytest.mark.slow
def test_a_first_visit_is_light_and_later_ones_are_lighter(
    open_context: OpenContext, base: str
) -> None:
    context = open_context()
    page = context.new_page()
    meter = Meter(context, page)
    page.goto(f"{base}/entrar")
    first = meter.take(page)
    walk.log_in(page, base)
    meter.take(page)
    later = {}
    for path in (
        "/",
        "/empresas",
        "/empresas/company_1",
        "/empresas/company_1/editar",
        "/webhooks/webhook_1",
        "/webhooks/webhook_1/editar",
        "/entregas",
        "/conta",
    ):
        page.goto(base + path)
        later[path] = meter.take(page)
    print(f"first visit {first} bytes, later ones {later}")  # noqa: T201
    assert 10_000 < first < FIRST_VISIT
    assert {path: size for path, size in later.items() if size >= LATER_VISITS} == {}
    assert all(later.values())


@pytest.mark.slow
def test_the_policy_of_every_page_allows_nothing_inline(page: Page, base: str) -> None:
    refused: list[str] = []
    # What a policy refuses is an error; Chromium also gives advice about forms.
    page.on("console", lambda said: refused.append(said.text) if said.type == "error" else None)
    answer = page.goto(f"{base}/entrar")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    walk.log_in(page, base)
    for path in ("/", "/empresas/company_1", "/webhooks/webhook_1", "/webhooks/webhook_1/editar"):
        page.goto(base + path)
    assert refused == []
