"""Make the pictures of docs/uso/telas.md from the showcase: `bin/screens`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page

from bench.showcase import process
from tests.browser.acting import chromium, walk

FOLDER = Path(__file__).resolve().parents[2] / "docs/uso/telas"
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
# The end of a picture's name, the colours of the page, and the window.
LOOKS = {"light": ("light", DESK), "dark": ("dark", DESK), "phone": ("light", PHONE)}
# In the dark a page differs only in its colours, and the panel has all of them.
DARK = ("painel",)


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen: an address, and the link to follow from there if the screen has no address."""

    name: str
    path: str
    link: str = ""


BEFORE = (Screen("primeiro-acesso", "/primeiro-acesso"),)
OUTSIDE = (Screen("entrar", "/entrar"), Screen("gravacao", "/gravacao/…"))
INSIDE = (
    Screen("painel", "/"),
    Screen("empresas", "/empresas"),
    Screen("empresa", "/empresas/company_1"),
    Screen("diagnostico", "/empresas/company_5/diagnostico"),
    Screen("recuperar", "/empresas/company_1/recuperar"),
    Screen("comparar", "/empresas/company_1/comparar"),
    Screen("segunda-conexao", "/empresas/company_2"),
    Screen("token-novo", "/empresas/company_5/token-novo"),
    Screen("gravacoes", "/empresas/company_1/gravacoes"),
    Screen("mes", "/empresas/company_1/mes"),
    Screen("catalogo", "/empresas/company_1/catalogo"),
    Screen("empresa-formulario", "/empresas/company_1/editar"),
    Screen("receitas", "/empresas/company_1/receitas"),
    Screen("receita", "/empresas/company_1/receitas/bitrix24"),
    Screen("webhook", "/webhooks/webhook_2"),
    Screen("webhook-formulario", "/webhooks/webhook_1/editar"),
    Screen(
        "filtro",
        "/webhooks/webhook_1/filtros/condicoes?evento=call-history-was-created",
        "text=Testar com os últimos",
    ),
    Screen("eventos", "/eventos?empresa=company_1"),
    Screen("evento", "/entregas?webhook=webhook_4&estado=recusada", "text=ver o evento"),
    Screen("ligacao", "/eventos?empresa=company_1&evento=call-was-not-answered", ".row-url a"),
    Screen("entregas", "/entregas?estado=falhou"),
    Screen("entrega", "/entregas?webhook=webhook_4&estado=recusada", ".rows .row-item a"),
    Screen("reenvio-confirmacao", "/webhooks/webhook_4/reenviar?desde=tudo&situacao=recusada"),
    Screen("reenvio", "/reenvios/resend_1"),
    Screen("avisos", "/avisos"),
    Screen("avisos-o-que", "/avisos/acompanhar"),
    Screen("avisos-da-empresa", "/empresas/company_1/avisos"),
    Screen("usuarios", "/usuarios"),
    Screen("auditoria", "/auditoria"),
    Screen("privacidade", "/privacidade"),
    Screen("segundo-fator", "/conta/segundo-fator"),
    Screen("tokens", "/conta/tokens"),
    Screen("api", "/api"),
)


def main() -> int:
    """Make all pictures again; return the exit code."""
    if chromium.find() is None:
        sys.stderr.write(f"There is no browser: install one of {', '.join(chromium.NAMES)}.\n")
        return 1
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with TemporaryDirectory() as full, TemporaryDirectory() as empty, chromium.running() as browser:
        with process.running(Path(empty), "--empty") as base:
            _take(browser, base, BEFORE)
        with process.running(Path(full)) as base:
            _take(browser, base, OUTSIDE)
            _take(browser, base, INSIDE, logged_in=True)
    _shrink()
    return 0


def _take(
    browser: Browser, base: str, screens: tuple[Screen, ...], *, logged_in: bool = False
) -> None:
    for look, (scheme, viewport) in LOOKS.items():
        given = {"viewport": viewport, "color_scheme": scheme, "locale": "pt-BR"}
        # Without motion no picture shows a page that is still scrolling to its result.
        context = browser.new_context(**given, reduced_motion="reduce")  # type: ignore[arg-type]
        page = context.new_page()
        if logged_in:
            walk.log_in(page, base)
        for screen in screens:
            if look == "dark" and screen.name not in DARK:
                continue
            _open(page, base, screen)
            page.screenshot(path=FOLDER / f"{screen.name}-{look}.png")
        context.close()


def _open(page: Page, base: str, screen: Screen) -> None:
    page.goto(base + screen.path)
    if screen.link:
        page.locator(screen.link).first.click()
    page.wait_for_load_state("load")


def _shrink() -> None:
    """Reduce each picture to 256 colours: enough for a screen, and a quarter of the size."""
    tool = shutil.which("pngquant")
    if tool is None:
        sys.stderr.write("pngquant is not installed: the pictures stay large.\n")
        return
    for picture in sorted(FOLDER.glob("*.png")):
        subprocess.run(
            [tool, "--force", "--skip-if-larger", "--strip", "--ext", ".png", str(picture)],
            # Exit codes 98 and 99: the picture cannot be smaller without being worse.
            check=False,
        )


if __name__ == "__main__":
    sys.exit(main())
