"""Pages that change by themselves, and stop being green when no owner is alive."""

from __future__ import annotations

import re
import signal
import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting.visitor import address
from tests.support.application import wait_until
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

# What live.js waits for before it calls a stream lost, and a moment for a busy machine.
LOST_MS = 12_000 + 48_000
# Less than that: the page is told, and does not wait.
AT_ONCE_MS = 10_000
STREAM = re.compile("/ao-vivo")


def greens(page: Page) -> int:
    """How many states look green now, whatever their class says."""
    return int(
        page.evaluate(
            """() => {
              const probe = document.createElement("span");
              probe.style.color = "var(--green)";
              document.body.append(probe);
              const green = getComputedStyle(probe).color;
              probe.remove();
              const states = [...document.querySelectorAll(".state, .connection, .verdict")];
              return states.filter((it) => [it, ...it.children].some((part) => {
                const style = getComputedStyle(part);
                return style.color === green || style.borderLeftColor === green;
              })).length;
            }"""
        )
    )


def bold_words(page: Page, word: str) -> list[str]:
    """The texts with this word that look bold, and are not struck through."""
    found: list[str] = page.evaluate(
        """(word) => {
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          const found = [];
          while (walker.nextNode()) {
            const text = walker.currentNode.textContent;
            const its = [];
            for (let it = walker.currentNode.parentElement; it; it = it.parentElement) its.push(it);
            const styles = its.map((it) => getComputedStyle(it));
            const struck = styles.some((style) => style.textDecorationLine === "line-through");
            const bold = Number(styles[0].fontWeight) >= 500 && !struck;
            if (bold && text.includes(word) && its[0].checkVisibility()) found.push(text);
          }
          return found;
        }""",
        word,
    )
    return found


@pytest.mark.slow
def test_the_page_shows_within_a_second_what_happened(
    watching: Page, simulator: SimulatorProcess, token: str
) -> None:
    arrivals, connection = watching.locator("#chegadas"), watching.locator("#conexao")
    took: list[float] = []
    # A busy machine may be late with some of them.
    while not took or (min(took) > 1 and len(took) < 10):
        name = f"event-{len(took)}"
        asked = time.monotonic()
        simulator.control("emit", token=token, event=name, args=[{}])
        arrivals.get_by_text(name).wait_for()
        took.append(time.monotonic() - asked)
    assert min(took) < 1, took
    simulator.control("refuse", token=token)
    connection.locator(".state:not(.is-green)").wait_for()
    expect(connection).to_contain_text("Token recusado")
    expect(connection.locator(".state")).to_have_class("state is-red")


@pytest.mark.slow
def test_a_page_of_a_server_that_hangs_says_so_and_is_not_green(
    watching: Page, server: ServerProcess
) -> None:
    assert greens(watching) > 0
    server.signal_group(signal.SIGSTOP)
    try:
        watching.locator(".live-lost").wait_for(timeout=LOST_MS)
        assert greens(watching) == 0
    finally:
        server.signal_group(signal.SIGCONT)
    wait_until(lambda: greens(watching) > 0, 20, "the page is live again")
    expect(watching.locator(".live-lost")).to_be_hidden()


@pytest.mark.slow
def test_a_page_of_a_server_that_was_killed_says_so_at_once(
    watching: Page, server: ServerProcess
) -> None:
    server.kill()
    watching.locator(".live-lost").wait_for(timeout=AT_ONCE_MS)
    assert greens(watching) == 0
    expect(watching.locator(".live-lost")).to_contain_text("Sem atualização ao vivo.")
    assert bold_words(watching, "Conectada") == []


@pytest.mark.slow
def test_a_form_is_not_sent_to_a_server_that_is_gone(watching: Page, server: ServerProcess) -> None:
    server.kill()
    watching.locator(".live-lost").wait_for()
    watching.get_by_role("button", name="Desconectar").click()
    expect(watching.locator(".live-unsent")).to_contain_text("nada foi enviado")
    assert watching.url == address(server, "/empresas/company_1")


def hide(page: Page) -> None:
    """Do to a page what another tab in front of it does."""
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@pytest.mark.slow
def test_a_hidden_page_asks_again_only_for_the_number_in_its_title(
    watching: Page, server: ServerProcess
) -> None:
    asked: list[str] = []
    watching.on("request", lambda request: asked.append(urlsplit(request.url).path))
    watching.clock.install()
    for path in ("/empresas/company_1", "/"):
        with watching.expect_request(STREAM):
            watching.goto(address(server, path))
        hide(watching)
        watching.clock.run_for(59_000 if path == "/" else 90_000)
    with watching.expect_request(STREAM):
        watching.clock.run_for(2_000)
    streams = [path for path in asked if STREAM.search(path)]
    assert streams == ["/empresas/company_1/ao-vivo", "/ao-vivo", "/ao-vivo"]
