"""A filter is made by clicking a value, tried, saved, and then seen to leave an event out."""

from __future__ import annotations

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

SEVEN = "call.status é igual a 7 (finalizada)"
TOKEN = "token-of-a-manager-who-filters"
EVENT = "call-was-connected"
STATUSES = (4, 7, 4)


def emit(simulator: SimulatorProcess, number: int, status: int | str) -> None:
    """A call with everything that 3C Plus says of one."""
    sample = CATALOG[EVENT].sample
    call = {**sample["call"], "telephony_id": f"TEL{number}", "status": status}
    simulator.control("emit", token=TOKEN, event=EVENT, args=[{**sample, "call": call}])


@pytest.fixture
def busy(
    database_url: str, server: ServerProcess, simulator: SimulatorProcess, receiver: Receiver
) -> ServerProcess:
    """A company that is connected, with a webhook that gets every call."""
    connect(database_url, simulator, TOKEN, receiver)
    for number, status in enumerate(STATUSES):
        emit(simulator, number, status)
    wait_until(lambda: len(receiver.bodies) == len(STATUSES), 20, "the first calls arrived")
    return server


def click_a_value(page: Page, hands: Mouse) -> None:
    """From the webhook's page to the status of the newest call."""
    hands.open("Empresas")
    hands.open("Minha Empresa")
    hands.open("CRM")
    hands.open("Adicionar filtro")
    hands.open(EVENT)
    # On a phone, too, every object can be folded and unfolded.
    page.locator("summary").filter(has_text=re.compile(r"^call \d+ campos$")).click()
    hands.press("status 4 encerrada")
    expect(page.get_by_label("Campo")).to_have_value("call.status")
    expect(page.get_by_label("Valor")).to_have_value("4")
    expect(page.locator("#condicoes")).to_be_in_viewport()


def try_and_save(page: Page, hands: Mouse) -> None:
    """With the other status, which the page shows first what it would have done."""
    hands.fill("Valor", "7")
    # Enter tries, too; it never saves.
    page.get_by_label("Valor").press("Enter")
    expect(page.locator(".trial-count")).to_have_text("Teria enviado 1 de 3.")
    expect(page.locator("#resultado")).to_be_in_viewport()
    hands.press("Testar com os últimos 1.000 eventos")
    expect(page.locator(".trial-count")).to_have_text("Teria enviado 1 de 3.")
    expect(page.locator("#resultado")).to_contain_text(", e não 7")
    hands.press("Salvar o filtro")
    expect(page.locator(".alert-success")).to_contain_text(f"O filtro de {EVENT} foi salvo.")
    expect(page.locator("#filtros")).to_contain_text(f"Só é enviado se {SEVEN}.")


def see_it_left_out(page: Page, hands: Mouse) -> None:
    """Among the deliveries, and on the page of the event."""
    hands.open("Entregas, como Filtrada")
    row = page.locator(".rows .row-item")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Filtrada")
    expect(row).to_contain_text(SEVEN)
    hands.open("ver o evento")
    reason = page.locator("#destinos .reason")
    expect(reason).to_contain_text(f"O filtro deste webhook pede “{SEVEN}”")
    hands.open("Ver o filtro")
    expect(page.get_by_label("Campo")).to_have_value("call.status")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"viewport": {"width": 390, "height": 844}, "java_script_enabled": False}],
    ids=["on a desk", "on a phone without JavaScript"],
)
def test_a_filter_made_by_clicking_a_value_leaves_out_what_does_not_fit(
    open_context: OpenContext,
    busy: ServerProcess,
    simulator: SimulatorProcess,
    receiver: Receiver,
    options: dict[str, object],
) -> None:
    page = open_context(**options).new_page()
    hands = Mouse(page)
    log_in(page, busy)
    click_a_value(page, hands)
    try_and_save(page, hands)
    # The first does not fit; the second does, though it comes as a text.
    emit(simulator, 8, 4)
    emit(simulator, 9, "7")
    wait_until(lambda: len(receiver.bodies) > len(STATUSES), 20, "the one that fits arrived")
    see_it_left_out(page, hands)
    assert b"TEL9" in receiver.bodies[-1]
    assert not any(b"TEL8" in body for body in receiver.bodies)
