"""A link to a recording in a CRM: opened in a browser, it gives the audio, until it is revoked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting.receiver import Receiver
from tests.browser.acting.visitor import address, log_in
from tests.browser.conftest import OpenContext, connect, flask
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.events.catalog import CATALOG
from webhookproxy.simulator.recordings import audio_of

HISTORY = "call-history-was-created"
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 800}


def look(page: Page, name: str) -> None:
    """Measure the page on a telephone; if LOOK names a folder, take a picture of each look."""
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
    if folder := os.environ.get("LOOK"):
        for size, scheme in ((PHONE, "light"), (PHONE, "dark"), (WIDE, "light"), (WIDE, "dark")):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            path = f"{folder}/{name}-{size['width']}-{scheme}.png"
            page.screenshot(path=path, full_page=True)
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_link_gives_the_audio_in_a_browser_until_it_is_revoked(
    page: Page,
    open_context: OpenContext,
    database_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    settings = {"PUBLIC_URL": "http://127.0.0.1", "REST_HOSTS": "127.0.0.1"}
    with ServerProcess(database_url, tmp_path, SOCKET_URL=simulator.url, **settings) as server:
        connect(database_url, simulator, token, receiver)
        flask(database_url, "company", "edit", "company_1", "--recording-links")
        link = urlsplit(link_of_a_call(simulator, receiver, token)).path
        visitor = open_context().new_page()
        visitor.goto(address(server, link))
        look(visitor, "gravacao")
        with visitor.expect_download() as got:
            visitor.get_by_role("button", name="Baixar o áudio").click()
        assert got.value.suggested_filename == "gravacao-65f0a1.mp3"
        assert got.value.path().read_bytes() == audio_of(100_000)
        simulator.control("recording", token=token, status=404)
        visitor.goto(address(server, f"{link}/audio"))
        expect(visitor.get_by_role("heading", name="Ainda não está pronta")).to_be_visible()
        look(visitor, "nao-pronta")
        log_in(page, server)
        page.goto(address(server, "/empresas/company_1/editar"))
        look(page, "empresa")
        page.get_by_role("link", name="Links já enviados, e como revogá-los").click()
        look(page, "links")
        page.get_by_role("button", name="Revogar todos os links").click()
        expect(page.get_by_role("status")).to_contain_text("não abrem mais nada")
        visitor.goto(address(server, f"{link}/audio"))
        expect(visitor.get_by_role("heading", name="Este link não vale mais")).to_be_visible()
        look(visitor, "revogado")
        assert urlsplit(link).path.rpartition("/")[2] not in server.output


def link_of_a_call(simulator: SimulatorProcess, receiver: Receiver, token: str) -> str:
    """Have 3C Plus tell the history of a call until one carries a link; return that link."""
    sample = CATALOG[HISTORY].sample
    payload = {**sample, "callHistory": {**sample["callHistory"], "_id": "65f0a1"}}
    for _ in range(100):
        before = len(receiver.bodies)
        simulator.control("emit", token=token, event=HISTORY, args=[payload])
        while len(receiver.bodies) <= before:
            simulator.state(token)
        for body in receiver.bodies[before:]:
            if url := json.loads(body)["payload"].get("recording_url"):
                return str(url)
    raise AssertionError("no history carries a link")
