"""Every page: readable for everyone, also on a phone, and loaded from this server alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Request, ViewportSize

from bench.showcase import process
from bench.showcase.people import NEWCOMER, OPERATOR
from tests.browser.acting import axe, walk
from tests.browser.conftest import OpenContext

PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the showcase."""
    with process.running(tmp_path_factory.mktemp("showcase")) as address:
        yield address


def inspect(page: Page, stop: walk.Stop, base: str, *sizes: ViewportSize) -> list[str]:
    """What is wrong with a page, as it is and on screens of other sizes."""
    stop.go(page, base)
    wrong = axe.look(page, stop.name)
    for size in sizes:
        before = page.viewport_size
        assert before is not None
        page.set_viewport_size(size)
        wrong += axe.look(page, f"{stop.name}, {size['width']} px")
        page.set_viewport_size(before)
    return wrong


def watch_hosts(context: BrowserContext, base: str) -> list[str]:
    """Collects the addresses of requests to other hosts; chromium.py lets none of them out."""
    strangers: list[str] = []

    # A route would hold each request until Python answers, and switch the browser's cache off.
    def note(request: Request) -> None:
        if not request.url.startswith(base):
            strangers.append(request.url)

    context.on("request", note)
    return strangers


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("scheme", "viewport", "other"),
    # Each page is loaded once for both sizes, and what one does there is done in one of them.
    [("light", DESK, PHONE), ("dark", PHONE, DESK)],
    ids=["light", "dark"],
)
def test_every_page_can_be_used_by_everybody_and_fits_the_screen(
    open_context: OpenContext,
    base: str,
    scheme: str,
    viewport: ViewportSize,
    other: ViewportSize,
) -> None:
    context = open_context(viewport=viewport, color_scheme=scheme)
    strangers = watch_hosts(context, base)
    axe.bring(context)
    page = context.new_page()
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(f"{page.url}: {error}"))
    for stop in walk.OUTSIDE:
        failed += inspect(page, stop, base, other)
    walk.log_in(page, base)
    for stop in walk.INSIDE:
        failed += inspect(page, stop, base, other)
    assert failed == []
    assert strangers == []


def test_the_first_page_of_all_can_be_used_by_everybody(
    open_context: OpenContext, tmp_path: Path
) -> None:
    with process.running(tmp_path, "--empty") as empty:
        for scheme, viewport in (("light", DESK), ("dark", PHONE)):
            context = open_context(viewport=viewport, color_scheme=scheme)
            axe.bring(context)
            page = context.new_page()
            for stop in walk.NOBODY_YET:
                assert inspect(page, stop, empty) == []


@pytest.mark.slow
def test_the_pages_of_an_empty_installation_can_be_used_by_everybody(
    open_context: OpenContext, base: str
) -> None:
    for scheme in ("light", "dark"):
        context = open_context(viewport=PHONE, color_scheme=scheme)
        axe.bring(context)
        page = context.new_page()
        walk.log_in(page, base, NEWCOMER)
        for name, path in (("painel", "/"), ("empresas", "/empresas"), ("entregas", "/entregas")):
            assert inspect(page, walk.Stop(f"{name} vazio", path), base) == []


@pytest.mark.slow
def test_an_operator_sees_the_companies_that_were_granted_and_no_other(
    page: Page, base: str
) -> None:
    walk.log_in(page, base, OPERATOR)
    assert page.get_by_role("link", name="Usuários").count() == 0
    page.goto(f"{base}/empresas")
    names = page.locator(".rows .row-title").all_inner_texts()
    assert names == ["Clínica Sorriso Recife"]
    assert page.get_by_role("link", name="Cadastrar empresa").count() == 0
    page.get_by_role("link", name="Clínica Sorriso Recife").click()
    for word in ("Editar", "Excluir", "Criar webhook"):
        assert page.get_by_role("link", name=word).count() == 0
    page.get_by_role("link", name="Bitrix24: negócios", exact=True).click()
    page.locator("h1", has_text="Bitrix24: negócios").wait_for()
    assert page.get_by_role("link", name="Editar").count() == 1
    assert page.get_by_role("link", name="Excluir").count() == 0
    for path, status, heading in (
        ("/empresas/company_2", 404, "Página não encontrada"),
        ("/webhooks/webhook_5", 404, "Página não encontrada"),
        ("/usuarios", 403, "Sem permissão"),
        ("/empresas/nova", 403, "Sem permissão"),
        ("/webhooks/webhook_1/excluir", 403, "Sem permissão"),
    ):
        answer = page.goto(base + path)
        assert answer is not None
        assert (answer.status, page.locator("h1").inner_text()) == (status, heading), path
