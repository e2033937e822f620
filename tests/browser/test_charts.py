"""The values of a chart: with the mouse, with a finger, and with the keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from bench.showcase import process
from tests.browser.acting import walk
from tests.browser.conftest import OpenContext
from tests.support.application import wait_until


@pytest.mark.slow
def test_the_values_of_a_chart_are_said_to_every_hand(
    open_context: OpenContext, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with process.running(tmp_path_factory.mktemp("showcase")) as base:
        page = open_context().new_page()
        walk.log_in(page, base)
        open_company(page, base)
        words = page.locator("#grafico-eventos .plot-words")
        total = words.inner_text()
        with_the_mouse(page)
        expect(words).to_contain_text("das")
        page.mouse.move(1, 1)
        expect(words).to_have_text(total)
        with_the_keyboard(page)
        phone = open_context(has_touch=True, viewport={"width": 390, "height": 844}).new_page()
        walk.log_in(phone, base)
        open_company(phone, base)
        with_a_finger(phone)


def open_company(page: Page, base: str) -> None:
    """Open a company, and wait until its parts were drawn again for the first time."""
    page.add_init_script("addEventListener('drawn', () => (window.drawn = performance.now()))")
    page.goto(f"{base}/empresas/company_1")
    still = "Boolean(window.drawn) && performance.now() - window.drawn > 300"
    wait_until(lambda: page.evaluate(still), 20, "the parts are drawn")


def with_the_mouse(page: Page) -> None:
    page.locator("#grafico-eventos a.slot").first.hover()


def with_the_keyboard(page: Page) -> None:
    """Tab reaches the newest hour, the arrows the others, and Enter opens its events."""
    links, words = (
        page.locator("#grafico-eventos a.slot"),
        page.locator("#grafico-eventos .plot-words"),
    )
    links.last.focus()
    newest = links.last.get_attribute("aria-label")
    expect(words).to_have_text(str(newest))
    page.keyboard.press("ArrowLeft")
    before = links.nth(-2).get_attribute("aria-label")
    expect(words).to_have_text(str(before))
    address = links.nth(-2).get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{address}")
    expect(page.locator("#periodo option:checked")).to_contain_text("das")


def with_a_finger(page: Page) -> None:
    """A first touch says the values, and a second one opens them."""
    link = page.locator("#grafico-eventos a.slot").first
    here, words = page.url, str(link.get_attribute("aria-label"))
    # In one step: the page's first drawing puts a new chart in the place of this one.
    x, y = link.evaluate(
        """(it) => {
          it.scrollIntoView({ block: "center", behavior: "instant" });
          const box = it.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }"""
    )
    page.touchscreen.tap(x, y)
    expect(page.locator("#grafico-eventos .plot-words")).to_have_text(words)
    assert page.url == here
    page.touchscreen.tap(x, y)
    page.wait_for_url("**/eventos?**")
