"""A receiver that always answers 200: a rule of success is set, and a test shows that it works."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.acting.hands import Mouse
from tests.browser.acting.receiver import Receiver
from tests.browser.acting.visitor import address, log_in
from tests.browser.conftest import OpenContext, flask, register
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

TOKEN = "token-of-a-manager-whose-crm-always-answers-200"


@pytest.mark.slow
def test_a_header_and_a_rule_are_set_on_a_phone_without_javascript_and_tried(
    open_context: OpenContext,
    database_url: str,
    server: ServerProcess,
    simulator: SimulatorProcess,
    receiver: Receiver,
) -> None:
    register(database_url, simulator, TOKEN)
    flask(database_url, "webhook", "create", "company_1", "CRM", receiver.url)
    receiver.answer = lambda _body: (200, b'{"ok":false,"error":"no_channel"}')
    phone = {"width": 390, "height": 844}
    page = open_context(viewport=phone, java_script_enabled=False).new_page()
    hands = Mouse(page)
    log_in(page, server)
    page.goto(address(server, "/webhooks/webhook_1/editar"))
    hands.fill("Nome do header 1", "X-Api-Key")
    hands.fill("Valor do header 1", "canary-of-the-header")
    expect(page.get_by_label("Campo da resposta")).to_be_hidden()
    hands.choose("O que conta como sucesso", "2xx, se um campo é igual a")
    hands.fill("Campo da resposta", "ok")
    hands.fill("Valor ou texto", "true")
    hands.press("Salvar")
    expect(page.locator("main")).to_contain_text(
        "sucesso é um 2xx cuja resposta tem ok igual a true"
    )
    hands.press("Enviar teste")
    expect(page.locator(".say")).to_contain_text(
        "a resposta diz que falhou: ok não é igual a true."
    )
    expect(page.locator("dl.headers")).to_contain_text("X-Api-Key")
    assert "canary" not in page.content()
    receiver.answer = lambda _body: (200, b'{"ok":true}')
    hands.press("Enviar outro teste")
    expect(page.locator(".connection-state")).to_contain_text("Aceito, HTTP 200")
