"""A look at a page with axe-core, and at its width."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

_AXE = Path(__file__).with_name("axe-4.14.1.min.js")
_RUN_AXE = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.filter((it) => ["serious", "critical"].includes(it.impact)).map(
    (it) => [it.id, it.help, it.nodes.slice(0, 3).map((node) => node.html.slice(0, 160))]);
}"""
_SIZE = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"


def bring(context: BrowserContext) -> None:
    """Have it in every page, beside the page's own policy, which is looked at elsewhere."""
    context.add_init_script(path=_AXE)


def look(page: Page, name: str) -> list[str]:
    """What is wrong with a page as it stands."""
    # A click waits until the answer begins; before its first byte is read there is no document.
    page.wait_for_load_state()
    found: list[Any] = page.evaluate(_RUN_AXE)
    wrong = [f"{name}: {violation}" for violation in found]
    size: list[int] = page.evaluate(_SIZE)
    if size[0] > size[1]:
        wrong.append(f"{name}: {size[0]} px wide on a screen of {size[1]}")
    return wrong
