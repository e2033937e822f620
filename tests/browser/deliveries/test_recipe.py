"""From a recipe to a lead in Bitrix24; what makes no lead says why, and is sent when mended."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting.hands import Mouse
from tests.browser.acting.receiver import Receiver
from tests.browser.acting.visitor import log_in
from tests.browser.conftest import flask, register
from tests.support.application import wait_until
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.events.catalog import CATALOG

EVENT = "call-was-connected"
CLICKS_MAX, TYPED_MAX = 12, 4


class Counting(Mouse):
    """A mouse that counts its clicks, and the fields that were typed."""

    clicks = typed = 0

    def open(self, name: str) -> None:
        """Follow a link."""
        self.clicks += 1
        super().open(name)

    def press(self, name: str) -> None:
        """Press a button."""
        self.clicks += 1
        super().press(name)

    def fill(self, label: str, text: str) -> None:
        """Type into a field."""
        self.typed += 1
        super().fill(label, text)


def takes_leads(body: bytes) -> tuple[int, bytes]:
    """Answer as crm.lead.add does: with the number of the lead, or with an error."""
    fields = parse_qs(body.decode("ascii"), keep_blank_values=True)
    if "fields[TITLE]" not in fields:
        return 400, b'{"error":"","error_description":"TITLE"}'
    return 200, b'{"result":7}'


def emit(simulator: SimulatorProcess, token: str, payload: object) -> None:
    simulator.control("emit", token=token, event=EVENT, args=[payload])


def mend(page: Page, hands: Mouse) -> None:
    """Send a lead without a telephone too: its fields may be empty."""
    hands.open("CRM da matriz")
    hands.open("Montar e ver o corpo")
    page.locator("#faltar-0").select_option(label="mandar vazio")
    page.locator("#faltar-4").select_option(label="deixar fora")
    hands.press("Ver os últimos 20 eventos")
    hands.press("Salvar o formato")


@pytest.mark.slow
def test_a_recipe_makes_a_lead_and_what_did_not_fit_is_sent_when_mended(
    page: Page,
    database_url: str,
    server: ServerProcess,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    register(database_url, simulator, token)
    flask(database_url, "company", "connect", "company_1")
    simulator.wait_for_sockets(token)
    receiver.answer = takes_leads
    hands = Counting(page)
    log_in(page, server)
    hands.open("Empresas")
    hands.open("Minha Empresa")
    hands.open("Receitas")
    hands.open("Bitrix24: um lead por ligação")
    hands.fill("URL do webhook de entrada do Bitrix24", receiver.url)
    hands.fill("Nome do webhook", "CRM da matriz")
    hands.press("Criar o webhook")
    assert hands.clicks <= CLICKS_MAX
    assert hands.typed <= TYPED_MAX
    expect(page.locator("h1")).to_have_text("CRM da matriz")

    def has_lead() -> bool:
        # The sockets' process knows a new webhook within a second.
        emit(simulator, token, CATALOG[EVENT].sample)
        return bool(receiver.bodies)

    wait_until(has_lead, 20, "a lead")
    lead = parse_qs(receiver.bodies[0].decode("ascii"))
    assert lead["fields[TITLE]"] == ["Ligação (41) 90000-0001"]
    assert lead["fields[PHONE][0][VALUE]"] == ["+5541900000001"]
    expect(page.locator("#entregas .state.is-green").first).to_contain_text("Entregue")
    emit(simulator, token, {"call": {"telephony_id": "TEL9"}})
    refused = page.locator("#entregas .delivery-row", has=page.locator(".state.is-red")).first
    expect(refused).to_contain_text("formato")
    refused.locator(".row-state").click()
    kept = page.url
    before = len(receiver.bodies)
    mend(page, hands)
    page.goto(kept)
    page.get_by_role("button", name=re.compile("^Reenviar")).first.click()
    wait_until(lambda: len(receiver.bodies) > before, 20, "the mended lead")
    assert parse_qs(receiver.bodies[-1].decode("ascii"), keep_blank_values=True)[
        "fields[TITLE]"
    ] == [""]
