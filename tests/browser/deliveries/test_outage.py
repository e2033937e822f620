"""A receiver is down for a while: its card says what it missed, during and after the drain."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting.receiver import Receiver, accepts
from tests.browser.acting.visitor import address
from tests.browser.conftest import flask
from tests.support.application import wait_until
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

EVENT = "call-was-created"
CALLS, EACH = 12, 3
WAITED = CALLS * EACH


def is_down(_body: bytes) -> tuple[int, bytes]:
    return 503, b'{"error":"fora do ar"}'


def drained(text: str) -> int:
    """How many of those that waited the card says were delivered."""
    found = re.search(rf"(\d+) de {WAITED} já entregues, os outros saindo", text)
    return int(found[1]) if found else -1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_card_has_the_true_numbers_of_a_real_outage(
    watching: Page,
    database_url: str,
    server: ServerProcess,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    page = watching
    # So slow that a busy machine draws the card several times meanwhile.
    made = ("webhook", "create", "company_1", "CRM", receiver.url, "--rate", "3")
    flask(database_url, *made)
    page.goto(address(server, "/webhooks/webhook_1"))
    card = page.locator(".outage-card")

    # One call before it is accepted: it is no part of the outage.
    emit(simulator, token, "before", 1)
    wait_until(lambda: len(receiver.bodies) == 1, 20, "the first event arrived")
    expect(card).to_have_count(0)

    receiver.answer = is_down
    for call in range(CALLS):
        emit(simulator, token, f"call-{call}", EACH)
    expect(card).to_contain_text("seu CRM está fora")
    expect(card).to_contain_text(f"{WAITED} eventos esperando, todos guardados")
    expect(card).to_contain_text("503")
    expect(page.locator("#texto-queda")).to_contain_text("CRM está fora do ar")

    # A crash in the middle of it: the next process goes on with the same outage.
    began = beginnings(database_url)
    assert len(began) == 1
    server.kill()
    with server:
        page.goto(address(server, "/webhooks/webhook_1"))
        expect(card).to_contain_text("seu CRM está fora")
        receiver.answer = accepts
        seen: list[int] = []

        def is_drained() -> bool:
            text = card.inner_text()
            seen.append(drained(text))
            return f"{WAITED} entregues, 0 perdidos" in text

        wait_until(is_drained, 60, "everything was delivered")
        growing = [each for each in seen if each > 0]
        assert growing
        assert growing == sorted(growing)
        assert len(set(growing)) > 1
        expect(card).to_contain_text(
            f"{WAITED} eventos esperaram, {WAITED} entregues, 0 perdidos, {CALLS} ligações"
        )
        text = page.locator("#texto-queda").inner_text()
        assert f"{WAITED} eventos, de {CALLS} ligações, esperaram" in text
        assert text.endswith("nada se perdeu.")

        # What the receiver itself counted, each event once.
        accepted = {json.loads(body)["meta"]["event_id"] for body in receiver.bodies}
        assert len(accepted) == WAITED + 1

        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copiar").first.click()
        assert page.evaluate("navigator.clipboard.readText()") == text
        page.goto(address(server, "/empresas/company_1"))
        expect(page.locator("#quedas")).to_contain_text(f"{WAITED} entregues, 0 perdidos")
        page.goto(address(server, "/empresas/company_1/mes"))
        expect(page.locator(".outages")).to_contain_text(f"{WAITED} entregues, 0 perdidos")
        assert beginnings(database_url) == began


def beginnings(database_url: str) -> list[int]:
    """When each stored outage began."""
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as database:
        return [row[0] for row in database.execute("SELECT began_at FROM outages")]


def emit(simulator: SimulatorProcess, token: str, call: str, times: int) -> None:
    for _ in range(times):
        args = [{"call": {"telephony_id": call, "phone": "41908568406"}}]
        simulator.control("emit", token=token, event=EVENT, args=args)
