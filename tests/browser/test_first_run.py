"""From an empty installation to the first event, on the pages alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from playwright.sync_api import Error, Page, expect

from tests.browser.acting.hands import Hands, Keyboard, Mouse
from tests.browser.acting.receiver import Receiver
from tests.browser.acting.visitor import EMAIL, PASSWORD, address, console_code
from tests.browser.conftest import OpenContext
from tests.support.application import wait_until
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

TOKEN = "token-of-a-manager-of-the-company"
EVENT = "agent-is-idle"

# How a page comes to show something: by itself, or only when it is loaded again.
Look = Callable[[Page, str, str], None]


def watches(page: Page, place: str, words: str) -> None:
    """The page shows it without being touched."""
    expect(page.locator(place)).to_contain_text(words)


def reloads(page: Page, place: str, words: str) -> None:
    """Wait until the page shows it after a reload."""

    def shows() -> bool:
        # Such a page sometimes reloads itself, perhaps in this moment.
        with suppress(Error):
            page.reload()
        return words in page.locator(place).inner_text()

    wait_until(shows, 20, words)


def create_administrator(hands: Hands, server: ServerProcess) -> None:
    hands.fill("Código do console", console_code(server))
    hands.fill("E-mail", EMAIL)
    hands.fill("Senha", PASSWORD)
    hands.fill("Repita a senha", PASSWORD)
    hands.press("Criar administrador e entrar")


def log_in_again(hands: Hands) -> None:
    hands.press("Sair")
    hands.fill("E-mail", EMAIL)
    hands.fill("Senha", PASSWORD)
    hands.press("Entrar")


def create_company(hands: Hands, token: str) -> None:
    hands.open("Cadastrar empresa")
    hands.fill("Nome", "Minha Empresa")
    hands.fill("Token de API", token)
    hands.press("Cadastrar")


def create_webhook(hands: Hands, url: str) -> None:
    hands.open("Criar webhook")
    hands.fill("Nome", "Webhook Principal")
    hands.fill("URL", url)
    hands.choose("Quais eventos", "Todos, também os futuros")
    hands.press("Criar webhook")


def from_nothing_to_an_event(
    page: Page,
    hands: Hands,
    look: Look,
    server: ServerProcess,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    page.goto(address(server))
    create_administrator(hands, server)
    log_in_again(hands)
    create_company(hands, token)
    create_webhook(hands, receiver.url)
    expect(page.locator("h1")).to_have_text("Webhook Principal")
    hands.open("Minha Empresa")
    expect(page.locator("#conexao .state.is-grey")).to_have_text("Ainda não conectada")

    hands.press("Conectar")
    look(page, "#conexao", "Conectada, nenhum evento ainda")
    expect(page.locator("#conexao .connection")).to_have_class("card-body connection is-green")

    simulator.wait_for_sockets(token)
    simulator.control("emit", token=token, event=EVENT)
    look(page, "#chegadas", EVENT)
    look(page, "#chegadas", "Entregue")
    expect(page.locator("#conexao .state.is-green")).to_have_text("Conectada")
    wait_until(lambda: receiver.bodies, 20, "the receiver got it")
    assert json.loads(receiver.bodies[0])["event"] == EVENT

    hands.press("Desconectar")
    look(page, "#conexao", "Desconectada")
    expect(page.locator("#conexao .state.is-grey")).to_have_text("Desconectada")
    simulator.wait_for_sockets(token, 0)


@pytest.mark.slow
def test_from_nothing_to_the_first_event_by_clicking(
    page: Page, server: ServerProcess, simulator: SimulatorProcess, receiver: Receiver
) -> None:
    token = f"{TOKEN}-clicked"
    from_nothing_to_an_event(page, Mouse(page), watches, server, simulator, receiver, token)


@pytest.mark.slow
def test_from_nothing_to_the_first_event_without_javascript(
    open_context: OpenContext,
    server: ServerProcess,
    simulator: SimulatorProcess,
    receiver: Receiver,
) -> None:
    page = open_context(java_script_enabled=False).new_page()
    token = f"{TOKEN}-without"
    from_nothing_to_an_event(page, Mouse(page), reloads, server, simulator, receiver, token)


@pytest.mark.slow
def test_from_nothing_to_the_first_event_with_the_keyboard_alone(
    page: Page, server: ServerProcess, simulator: SimulatorProcess, receiver: Receiver
) -> None:
    token = f"{TOKEN}-typed"
    from_nothing_to_an_event(page, Keyboard(page), watches, server, simulator, receiver, token)
