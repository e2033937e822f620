"""The afternoon after a bad morning: much is resent, cancelled half way, and finished later."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting.hands import Mouse
from tests.browser.acting.receiver import Receiver
from tests.browser.acting.visitor import EMAIL, PASSWORD, address, log_in
from tests.browser.conftest import flask
from tests.support.application import wait_until
from tests.support.server_process import ServerProcess

MISSED = 160
# So slow that a busy machine cancels it half way too.
RATE = 10

_EVENT = (
    "INSERT INTO events (id, public_id, company_id, name, payload, order_key, socket_id,"
    " token_mask, received_ms, hidden)"
    " VALUES (?, ?, 1, 'call-was-ended', '{}', ?, 's', 'a…z', ?, 0)"
)
_DELIVERY = (
    "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries, attempts,"
    " born_ms, ended_ms, status) VALUES (?, ?, 1, ?, 'refused', 'refused_status', 3, 3, ?, ?, 400)"
)


def bad_morning(database_url: str) -> None:
    """Store events that their receiver refused, one a second."""
    now_ms = round(time.time() * 1000)
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as database:
        for number in range(1, MISSED + 1):
            at = now_ms - (MISSED - number + 60) * 1000
            key = f"call-{number}"
            database.execute(_EVENT, (number, f"evt_{number:032x}", key, at))
            database.execute(_DELIVERY, (number, number, key, at, at + 900))
        database.execute("UPDATE webhook_health SET created = ?, refused = ?", (MISSED, MISSED))
        database.commit()


def events(receiver: Receiver) -> Counter[str]:
    return Counter(json.loads(body)["meta"]["event_id"] for body in list(receiver.bodies))


def per_cent(page: Page) -> int:
    value = page.locator("#andamento progress").get_attribute("value")
    return int(str(value))


def wait_past(page: Page, wanted: int) -> None:
    """Wait, without a reload, until the bar is past this percentage."""
    wait_until(lambda: per_cent(page) >= wanted, 30, f"the bar is past {wanted} %")


@pytest.mark.slow
def test_a_bulk_resend_is_cancelled_half_way_and_another_is_finished_after_a_restart(
    page: Page, database_url: str, server: ServerProcess, receiver: Receiver
) -> None:
    flask(database_url, "user", "create", EMAIL, "--admin", "--password-stdin", typed=PASSWORD)
    flask(database_url, "company", "create", "Minha Empresa", "--token", "-", typed="t" * 40)
    made = ("webhook", "create", "company_1", "CRM", receiver.url, "--rate", str(RATE))
    flask(database_url, *made)
    assert server.terminate() == 0
    bad_morning(database_url)
    with server:
        hands = Mouse(page)
        log_in(page, server)
        page.goto(address(server, "/webhooks/webhook_1"))
        hands.press("Contar")
        expect(page.locator(".big-number")).to_contain_text(f"{MISSED} entregas")
        expect(page.locator("main")).to_contain_text(
            f"a {RATE} por segundo leva cerca de {MISSED // RATE} s"
        )
        assert not receiver.bodies
        hands.press("Reenviar todas")
        expect(page.locator("#andamento")).to_contain_text("Em andamento")
        first = per_cent(page)
        wait_past(page, max(20, first + 5))
        hands.open("Cancelar")
        hands.press("Cancelar o reenvio")
        expect(page.locator("#andamento .state").first).to_contain_text("Cancelado")
        sent = wait_until(lambda: _quiet(receiver), 20, "what was queued is sent")
        assert 0 < sent < MISSED
        finish_after_a_restart(page, server, receiver, MISSED - sent)
    assert set(events(receiver)) == {f"evt_{number:032x}" for number in range(1, MISSED + 1)}
    # What was in flight when the process was killed may have come twice, and nothing else.
    assert events(receiver).total() <= MISSED + 8


def finish_after_a_restart(
    page: Page, server: ServerProcess, receiver: Receiver, left: int
) -> None:
    """Resend the rest; the server is killed in the middle of it, and the page stays open."""
    hands = Mouse(page)
    page.goto(address(server, "/webhooks/webhook_1"))
    # What the cancelled resend withdrew counts as cancelled.
    page.get_by_label("Canceladas", exact=True).check()
    hands.press("Contar")
    expect(page.locator(".big-number")).to_contain_text(f"{left} entregas")
    hands.press("Reenviar todas")
    wait_past(page, 30)
    server.kill()
    killed_at = len(receiver.bodies)
    assert killed_at < MISSED
    expect(page.locator(".live-lost")).to_be_visible()
    with server:
        expect(page.locator(".live-lost")).to_be_hidden()
        wait_past(page, 60)
        expect(page.locator("#andamento .state").first).to_contain_text("Terminado")
        expect(page.locator("#andamento progress")).to_have_attribute("value", "100")
        assert len(receiver.bodies) > killed_at
        page.goto(address(server, "/entregas"))
        expect(page.locator(".delivery-row .resent").first).to_contain_text("Reenviada")
        expect(page.locator(".delivery-row .state.is-red")).to_have_count(0)


def _quiet(receiver: Receiver) -> int:
    """How many came, once none came for a moment."""
    before = len(receiver.bodies)
    time.sleep(1.0)
    return before if before == len(receiver.bodies) else 0
