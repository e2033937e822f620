"""From a telephone typed on the Painel to the timeline of its call, by mouse and by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting import axe
from tests.browser.acting.receiver import Receiver
from tests.browser.acting.visitor import address, log_in
from tests.browser.conftest import OpenContext, connect
from tests.support.application import wait_until
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

TOKEN = "token-of-a-manager-with-a-timeline"
PHONE, TYPED = "5541908568406", "(41) 90856-8406"
LIFE = (("call-was-created", 1), ("call-was-answered", 2), ("call-was-connected", 3))


@pytest.fixture
def called(
    database_url: str, server: ServerProcess, simulator: SimulatorProcess, receiver: Receiver
) -> ServerProcess:
    """Two calls of one customer; the webhook got every event of both."""
    connect(database_url, simulator, TOKEN, receiver)
    for number in (1, 2):
        for name, status in LIFE:
            call = {"telephony_id": f"TEL{number}", "phone": PHONE, "status": status}
            agent = {"id": 7, "name": "Ana"} if status == 3 else []
            simulator.control(
                "emit", token=TOKEN, event=name, args=[{"call": call, "agent": agent}]
            )
    wait_until(lambda: len(receiver.bodies) == 2 * len(LIFE), 20, "every event was delivered")
    return server


def to_the_timeline(page: Page) -> None:
    """Type the telephone on the Painel; then one press, and one click."""
    page.get_by_label("Telefone do cliente").fill(TYPED)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Ligações de um telefone")
    expect(page.locator(".rows .row-item")).to_have_count(2)
    page.locator(".rows .row-title a").first.click()
    expect(page.locator("h1")).to_have_text(f"{TYPED} · Ana · conectada")


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_a_telephone_typed_on_the_panel_leads_to_the_timeline_of_its_call(
    open_context: OpenContext, called: ServerProcess, width: int
) -> None:
    context = open_context(viewport={"width": width, "height": 800}, has_touch=width < 500)
    axe.bring(context)
    page = context.new_page()
    log_in(page, called)
    to_the_timeline(page)
    points = page.locator(".call-timeline a[href^='#event_']")
    expect(points).to_have_count(len(LIFE))
    expect(page.locator(".call-timeline a[href^='#delivery_']")).to_have_count(len(LIFE))
    assert axe.look(page, "timeline") == []
    for point in points.all():
        box = point.locator(".tl-hit").bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24
    # By keyboard: what the point means is read, and Enter leads to its event in the list.
    points.nth(2).focus()
    expect(points.nth(2)).to_have_accessible_name(re.compile("call-was-connected · conectada$"))
    expect(points.nth(2).locator(".tl-tip")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".life-step:target")).to_contain_text("call-was-connected")
    # By touch or mouse: the answer of the webhook.
    mark = page.locator(".call-timeline a[href^='#delivery_'] .tl-hit").first
    mark.tap() if width < 500 else mark.click()
    expect(page.locator(".life-due:target")).to_contain_text("Entregue")
    assert page.url.startswith(address(called, "/empresas/company_1/ligacao?chave=call:TEL2"))
    # No log has what was searched for.
    assert not re.search("90856-8406|908568406", called.output)
