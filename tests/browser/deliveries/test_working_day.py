"""An integrator's working day: did it arrive, why not, send it again. All of it by clicking."""

from __future__ import annotations

import re
import threading

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting.hands import Mouse
from tests.browser.acting.receiver import Receiver, accepts
from tests.browser.acting.visitor import address, log_in
from tests.browser.conftest import OpenContext, connect
from tests.support.application import wait_until
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

TOKEN = "token-of-a-manager-on-a-working-day"
EVENT = "call-was-connected"
PHONE, TYPED = "5542999998888", "(42) 99999-8888"
OTHERS = 6


def refuses_the_customer(body: bytes) -> tuple[int, bytes]:
    """Answer as a CRM that knows every customer but this one."""
    if PHONE.encode() in body:
        return 422, '{"erro":"o agente não está ativo no CRM"}'.encode()
    return accepts(body)


def has_no_time_for_the_customer(body: bytes) -> tuple[int, bytes]:
    """Answer as that CRM does while it cannot look the customer up."""
    return (503, b"") if PHONE.encode() in body else accepts(body)


def call_of(phone: str, number: int) -> dict[str, object]:
    return {"call": {"telephony_id": f"TEL{number}", "phone": phone, "status": 4}}


@pytest.fixture
def busy(
    database_url: str, server: ServerProcess, simulator: SimulatorProcess, receiver: Receiver
) -> ServerProcess:
    """A company that is connected, with a webhook that did not take one customer's call of some."""
    connect(database_url, simulator, TOKEN, receiver)
    receiver.answer = has_no_time_for_the_customer
    simulator.control("emit", token=TOKEN, event=EVENT, args=[call_of(PHONE, 1)])
    wait_until(lambda: receiver.bodies, 20, "the customer's call came")
    for number in range(2, 2 + OTHERS):
        call = call_of(f"55419000000{number:02}", number)
        simulator.control("emit", token=TOKEN, event=EVENT, args=[call])
    wait_until(lambda: len(receiver.bodies) > OTHERS, 20, "the others arrived")
    return server


def find_it(page: Page, hands: Mouse) -> None:
    """Among all that came, by the phone of the customer who called to complain."""
    hands.open("Eventos")
    expect(page.locator(".rows .row-item")).to_have_count(1 + OTHERS)
    hands.fill("Buscar nos eventos", TYPED)
    hands.press("Buscar")
    expect(page.locator(".rows .row-item")).to_have_count(1)
    hands.open(EVENT)


def read_why(page: Page, hands: Mouse, receiver: Receiver) -> None:
    """What the receiver said; at the next try, which is made at once, it refuses for good."""
    reason = page.locator("#destinos .reason")
    # A busy machine may be here only after the third one.
    expect(reason).to_contain_text(re.compile("[23] tentativas"))
    receiver.answer = refuses_the_customer
    hands.press("Tentar agora")
    expect(reason).to_contain_text("Recusada")
    expect(reason).to_contain_text("Sua URL recusou o evento com status 422.")
    expect(reason).to_contain_text("o agente não está ativo no CRM")
    expect(page.locator(".verdict")).to_have_text("Não chegou ao webhook que o pediu.")


def send_it_again(page: Page, hands: Mouse, receiver: Receiver) -> None:
    """With the receiver repaired, which takes its time: the page shows the end by itself."""
    takes = threading.Event()

    def repaired(body: bytes) -> tuple[int, bytes]:
        takes.wait(30)
        return accepts(body)

    receiver.answer = repaired
    hands.press("Reenviar")
    expect(page.locator(".verdict")).to_have_text("Ainda não chegou ao webhook que o pediu.")
    page.evaluate("window.neverReloaded = true")
    takes.set()
    expect(page.locator(".verdict.is-green")).to_have_text("Chegou ao webhook que o pediu.")
    expect(page.locator("#destinos .state.is-green")).to_have_text("Entregue")
    assert page.evaluate("window.neverReloaded")


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_what_did_not_arrive_is_found_explained_and_sent_again(
    open_context: OpenContext, busy: ServerProcess, receiver: Receiver, width: int
) -> None:
    page = open_context(viewport={"width": width, "height": 800}).new_page()
    hands = Mouse(page)
    log_in(page, busy)
    find_it(page, hands)
    read_why(page, hands, receiver)
    send_it_again(page, hands, receiver)
    assert page.url.startswith(address(busy, "/eventos/evt_"))
    # Each time the same bytes, with the same event_id.
    sent = [body for body in receiver.bodies if PHONE.encode() in body]
    assert len(sent) in (4, 5)
    assert len(set(sent)) == 1
    # No log has what was searched for.
    assert not re.search("99999-8888|99998888", busy.output)
