"""The actions of a visitor on the pages, in their words."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.support.server_process import ServerProcess

EMAIL = "ana@empresa.com.br"
PASSWORD = "uma senha comprida"


def address(server: ServerProcess, path: str = "/") -> str:
    """The address of a page."""
    return f"http://127.0.0.1:{server.port}{path}"


def console_code(server: ServerProcess) -> str:
    """The one-time code, read where an administrator reads it: on the server's console."""
    found = re.search(r"\?codigo=([0-9a-f-]+)", server.output)
    assert found, server.output
    return found[1]


def log_in(page: Page, server: ServerProcess, email: str = EMAIL) -> None:
    """Log in as a user that exists."""
    page.goto(address(server, "/entrar"))
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Senha").fill(PASSWORD)
    page.get_by_role("button", name="Entrar").click()
    expect(page).to_have_url(address(server))


def connection(page: Page) -> tuple[str, str]:
    """The words and the colour of the connection panel's badge."""
    badge = page.locator("#conexao .state").first
    return badge.inner_text(), str(badge.evaluate("it => getComputedStyle(it).color"))
