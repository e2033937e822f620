"""The second factor in a browser: read, typed, lost, and turned off by an administrator."""

from __future__ import annotations

from datetime import UTC, datetime

import pyotp
import pytest
from playwright.sync_api import Page

from tests.browser.acting import axe
from tests.browser.conftest import OpenContext, flask
from tests.support.server_process import ServerProcess

ANA, BETO = "ana@empresa.com.br", "beto@empresa.com.br"
PASSWORD = "uma senha comprida"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}


def log_in(page: Page, base: str, email: str) -> None:
    page.goto(f"{base}/entrar")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Senha").fill(PASSWORD)
    page.get_by_role("button", name="Entrar").click()


def app_shows(key: str, steps: int) -> str:
    return pyotp.TOTP(key).at(datetime.now(UTC), counter_offset=steps)


def turn_on(page: Page, base: str, found: list[str]) -> tuple[str, list[str]]:
    """The key and the recovery codes; what axe says of each page goes to `found`."""
    page.goto(f"{base}/conta")
    page.get_by_role("link", name="Ligar o segundo fator").click()
    found += axe.look(page, "ligar")
    page.get_by_label("Senha").fill(PASSWORD)
    page.get_by_role("button", name="Continuar").click()
    drawing = page.get_by_role("img", name="QR code")
    assert drawing.evaluate("it => it.complete && it.naturalWidth") > 0
    page.get_by_text("Não consigo ler o QR code").click()
    found += axe.look(page, "desenho")
    key = page.locator("#chave").inner_text().replace(" ", "")
    page.get_by_label("Código que o aplicativo mostra").fill("abc")
    page.get_by_role("button", name="Ligar").click()
    found += axe.look(page, "desenho com erro")
    page.get_by_label("Código que o aplicativo mostra").fill(app_shows(key, 0))
    page.get_by_role("button", name="Ligar").click()
    page.get_by_role("heading", name="O segundo fator está ligado").wait_for()
    found += axe.look(page, "códigos")
    codes = page.locator("#codigos").inner_text().split()
    page.get_by_role("link", name="Já guardei, continuar").click()
    found += axe.look(page, "segundo fator")
    return key, codes


def come_in_again(page: Page, base: str, key: str, found: list[str]) -> None:
    page.get_by_role("button", name="Sair").click()
    log_in(page, base, BETO)
    page.get_by_role("heading", name="Falta o código").wait_for()
    found += axe.look(page, "código")
    page.get_by_label("Código do aplicativo").fill("abc")
    page.get_by_role("button", name="Entrar").click()
    page.get_by_role("alert").wait_for()
    page.get_by_text("Usar um código de recuperação").click()
    found += axe.look(page, "código com erro")
    # The one of now was used to turn it on; of the next step it is taken already.
    page.get_by_label("Código do aplicativo").fill(app_shows(key, 1))
    page.get_by_role("button", name="Entrar").click()
    page.wait_for_url(f"{base}/")


def turn_off(page: Page, base: str, code: str, found: list[str]) -> None:
    page.goto(f"{base}/conta/segundo-fator/codigos")
    found += axe.look(page, "outros códigos")
    page.goto(f"{base}/conta/segundo-fator/desligar")
    page.get_by_text("Usar um código de recuperação").click()
    found += axe.look(page, "desligar")
    page.get_by_label("Senha").fill(PASSWORD)
    page.get_by_label("Código de recuperação").fill(code)
    page.get_by_role("button", name="Desligar").click()
    page.get_by_text("O segundo fator foi desligado").wait_for()


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "viewport"), [("light", DESK), ("dark", PHONE)])
def test_its_pages_can_be_used_by_everybody_and_fit_the_screen(
    server: ServerProcess,
    database_url: str,
    open_context: OpenContext,
    scheme: str,
    viewport: dict[str, int],
) -> None:
    for email, admin in ((ANA, ("--admin",)), (BETO, ())):
        flask(database_url, "user", "create", email, *admin, "--password-stdin", typed=PASSWORD)
    base = f"http://127.0.0.1:{server.port}"
    found: list[str] = []
    pages = []
    for email in (ANA, BETO):
        context = open_context(viewport=viewport, color_scheme=scheme)
        axe.bring(context)
        pages.append(context.new_page())
        log_in(pages[-1], base, email)
        pages[-1].wait_for_url(f"{base}/")
    ana, beto = pages
    key, codes = turn_on(beto, base, found)
    come_in_again(beto, base, key, found)
    for path in ("/usuarios", "/usuarios/user_2", "/usuarios/user_2/segundo-fator"):
        ana.goto(base + path)
        found += axe.look(ana, path)
    turn_off(beto, base, codes[0], found)
    assert found == []
    assert not [secret for secret in (key, *codes) if secret in server.output]
