"""A list that is live and can be clicked, a screen that can be paused, and times that tick."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.application import wait_until
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.web.shared.formats import ago

STATIC = Path(__file__).resolve().parents[2] / "webhookproxy/static"
RATE = 5
TRIALS = 20
# What a person needs from aiming to clicking; at this rate, that many rows come meanwhile.
NEW_ROWS = 4


@contextmanager
def traffic(simulator: SimulatorProcess, token: str) -> Iterator[None]:
    """Events that arrive at RATE while the block lasts."""
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            simulator.control("burst", token=token, count=RATE, rate=RATE, event="agent-is-idle")

    sending = threading.Thread(target=send)
    sending.start()
    try:
        yield
    finally:
        over.set()
        sending.join()


def middle_of_the_fourth_row(page: Page) -> tuple[float, float]:
    """Where its name is on the screen; in one step, because the list moves."""
    x, y = page.evaluate(
        """() => {
          const link = document.querySelectorAll("#chegadas .row-item .row-title")[3];
          link.scrollIntoView({ block: "center", behavior: "instant" });
          const box = link.getBoundingClientRect();
          return [box.x + 20, box.y + box.height / 2];
        }"""
    )
    return x, y


def row_at(page: Page, x: float, y: float) -> str:
    """The address of the event whose row is here."""
    return str(
        page.evaluate(
            "([x, y]) => document.elementFromPoint(x, y).closest('li').querySelector('a').pathname",
            [x, y],
        )
    )


def new_rows(page: Page) -> int:
    """How many rows the button above the list says are new."""
    button = page.locator("[data-show=chegadas]")
    text = button.inner_text() if button.is_visible() else "0"
    return int(text.split()[0]) if text[0].isdigit() else 0


def emit(simulator: SimulatorProcess, token: str, count: int) -> None:
    """Emit some events, all of them at once."""
    simulator.control("burst", token=token, count=count, event="agent-is-idle")


def newest_row(page: Page) -> str:
    """The key of the row at the top."""
    return str(page.locator("#chegadas [data-key]").first.get_attribute("data-key"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_row_that_was_aimed_at_is_the_one_that_opens(
    watching: Page, simulator: SimulatorProcess, token: str
) -> None:
    home, right = watching.url, []
    emit(simulator, token, 8)
    expect(watching.locator("#chegadas [data-key]")).to_have_count(8)
    with traffic(simulator, token):
        for _ in range(TRIALS):
            watching.goto(home)
            x, y = middle_of_the_fourth_row(watching)
            watching.mouse.move(x, y)
            aimed = row_at(watching, x, y)
            wait_until(lambda: new_rows(watching) >= NEW_ROWS, 20, "new rows wait")
            watching.mouse.click(x, y)
            watching.wait_for_url("**/eventos/**")
            right.append(watching.url.endswith(aimed))
    assert right == [True] * TRIALS


@pytest.mark.slow
def test_what_waits_is_counted_and_shown_when_the_pointer_leaves_or_the_button_is_pressed(
    watching: Page, simulator: SimulatorProcess, token: str
) -> None:
    emit(simulator, token, 5)
    rows = watching.locator("#chegadas [data-key]")
    expect(rows).to_have_count(5)
    before = newest_row(watching)
    rows.nth(2).hover()
    emit(simulator, token, 3)
    button = watching.locator("[data-show=chegadas]")
    expect(button).to_have_text("3 novos eventos")
    assert newest_row(watching) == before
    watching.locator("h1").hover()
    expect(rows).to_have_count(8)
    expect(button).to_be_hidden()
    rows.nth(0).locator("a").first.focus()
    emit(simulator, token, 40)
    # Those that a look in the middle of the burst saw are counted on top of a full list.
    more = re.compile(r"Mais de (1[5-9]|[23]\d|40) novos eventos")
    expect(button).to_have_text(more)
    button.focus()
    # The focus left the list for the button, which stays.
    counted = button.inner_text()
    emit(simulator, token, 1)
    expect(button).not_to_have_text(counted)
    expect(button).to_have_text(more)
    expect(button).to_be_visible()
    button.click()
    expect(button).to_be_hidden()
    # Those that came after the click may be drawn above it; the focus stays in the list.
    expect(rows.locator("a:focus")).to_have_count(1)


@pytest.mark.slow
def test_the_focus_stays_on_its_row_and_the_screen_can_be_paused(
    watching: Page, simulator: SimulatorProcess, token: str
) -> None:
    emit(simulator, token, 5)
    expect(watching.locator("#chegadas [data-key]")).to_have_count(5)
    link = watching.locator("#chegadas [data-key] a").nth(1)
    link.focus()
    aimed = link.get_attribute("href")
    emit(simulator, token, 2)
    expect(watching.locator("[data-show=chegadas]")).to_have_text("2 novos eventos")
    assert watching.evaluate("document.activeElement.getAttribute('href')") == aimed
    watching.get_by_role("button", name="Pausar a tela").first.click()
    expect(watching.locator(".live-paused")).to_contain_text("Tela pausada às")
    before = newest_row(watching)
    emit(simulator, token, 2)
    expect(watching.locator("[data-show=chegadas]")).to_have_text("2 novos eventos")
    assert newest_row(watching) == before
    # A state that changed meanwhile is struck through.
    simulator.control("drop", token=token)
    expect(watching.locator("#conexao")).to_have_class("live-part card is-behind")
    watching.get_by_role("button", name="Continuar").click()
    expect(watching.locator("#chegadas [data-key]")).to_have_count(9)
    expect(watching.locator("#conexao")).to_have_class("live-part card")


def test_the_times_of_a_page_tick_in_the_words_of_the_server(page: Page) -> None:
    now = datetime(2026, 11, 23, 17, 2, 33, tzinfo=UTC)
    seconds = (0, 59, 60, 3_599, 3_600, 86_399, 86_400, 200_000, -20, -75, -7_200)
    instants = [now - timedelta(seconds=each) for each in seconds]
    times = "".join(f"<time datetime={each.isoformat()}>?</time>" for each in instants)
    # This machine's clock is two hours behind the server's.
    page.clock.install(time=now - timedelta(hours=2))
    page.set_content(f"<body data-now={round(now.timestamp() * 1000)}>{times}")
    page.add_script_tag(path=STATIC / "times.js")
    for later in (10, 90):
        page.clock.run_for(later * 1000)
        now += timedelta(seconds=later)
        expected = [ago(each, now) for each in instants]
        assert page.locator("time").all_inner_texts() == expected
