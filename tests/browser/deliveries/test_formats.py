"""A body is put together by clicking, seen on the last events, saved, and then arrives."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting.hands import Mouse
from tests.browser.acting.receiver import Receiver
from tests.browser.acting.visitor import log_in
from tests.browser.conftest import OpenContext, connect
from tests.support.application import wait_until
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.events.catalog import CATALOG

TOKEN = "token-of-a-manager-who-maps"
EVENT = "call-was-connected"


def emit(simulator: SimulatorProcess, number: int) -> None:
    """A call with everything that 3C Plus says of one."""
    sample = CATALOG[EVENT].sample
    call = {**sample["call"], "telephony_id": f"TEL{number}"}
    simulator.control("emit", token=TOKEN, event=EVENT, args=[{**sample, "call": call}])


@pytest.fixture
def called(
    database_url: str, server: ServerProcess, simulator: SimulatorProcess, receiver: Receiver
) -> ServerProcess:
    """A company that is connected, with a webhook that got a call."""
    connect(database_url, simulator, TOKEN, receiver)
    emit(simulator, 1)
    wait_until(lambda: len(receiver.bodies) == 1, 20, "the first call arrived")
    return server


def click_together(page: Page, hands: Mouse) -> None:
    """From the webhook's page to a body of one telephone, with no path typed."""
    hands.open("Empresas")
    hands.open("Minha Empresa")
    hands.open("CRM")
    hands.open("Montar e ver o corpo")
    hands.choose("Formato", "montado")
    hands.choose("Evento", EVENT)
    hands.press("Mostrar este evento")
    page.locator("summary").filter(has_text=re.compile(r"^call \d+ campos$")).click()
    hands.press("phone 5541900000001")
    hands.fill("Nome no seu sistema", "fields[PHONE]")
    page.locator(".body-row-more summary").click()
    hands.choose("Passo 1", "telefone em E.164")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"viewport": {"width": 390, "height": 844}, "java_script_enabled": False}],
    ids=["on a desk", "on a phone without JavaScript"],
)
def test_a_body_made_by_clicking_is_previewed_saved_and_arrives(
    open_context: OpenContext,
    called: ServerProcess,
    simulator: SimulatorProcess,
    receiver: Receiver,
    options: dict[str, object],
) -> None:
    page = open_context(**options).new_page()
    hands = Mouse(page)
    log_in(page, called)
    click_together(page, hands)
    hands.press("Ver os últimos 20 eventos")
    expect(page.locator("#previa pre")).to_contain_text('"PHONE": "+5541900000001"')
    expect(page.locator("#previa")).to_contain_text("% a menos")
    width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0
    hands.press("Salvar o formato")
    expect(page.locator(".alert-success")).to_contain_text("O formato foi salvo")
    emit(simulator, 2)
    wait_until(lambda: len(receiver.bodies) == 2, 20, "the second call arrived")
    assert json.loads(receiver.bodies[-1]) == {"fields": {"PHONE": "+5541900000001"}}
