"""The list of events in the form of a webhook: found as people call them, in the browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting.visitor import address, log_in
from tests.browser.conftest import register
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.events.catalog import CATALOG, USUAL
from webhookproxy.search.typed import fits_event

TYPED = (
    "conectada",
    "Ligações atendidas",
    "chamada call-was",
    "TABULAÇÃO",
    "ociosa",
    "sms",
    "não atendida",
)


@pytest.mark.slow
def test_the_box_finds_what_the_server_finds(
    page: Page, database_url: str, server: ServerProcess, simulator: SimulatorProcess
) -> None:
    register(database_url, simulator, "token-of-a-manager-who-looks-for-events")
    log_in(page, server)
    page.goto(address(server, "/empresas/company_1/webhooks/novo"))
    shown = page.locator(".event:visible input")
    expect(shown).to_have_count(len(USUAL))
    box = page.get_by_label("Procurar na lista")
    for typed in TYPED:
        box.fill(typed)
        names = {name for name in CATALOG if fits_event(typed, name)}
        expect(shown).to_have_count(len(names))
        assert {each.get_attribute("value") for each in shown.all()} == names, typed
        expect(page.locator("#nenhum-evento")).to_be_hidden()
    box.fill("chamada xyz")
    expect(page.locator("#nenhum-evento")).to_be_visible()
    expect(shown).to_have_count(0)
