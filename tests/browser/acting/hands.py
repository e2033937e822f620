"""Two ways to use a page: with the mouse, and with nothing but the keyboard."""

from __future__ import annotations

from typing import Protocol

from playwright.sync_api import Locator, Page, expect

# More than any page here has to offer to the Tab key before what one wants.
MOST_TABS = 120


class Hands(Protocol):
    """What one does on a page; everything is named by the words one reads there."""

    def open(self, name: str) -> None:
        """Follow a link."""

    def press(self, name: str) -> None:
        """Press a button."""

    def fill(self, label: str, text: str) -> None:
        """Type into a field."""

    def choose(self, label: str, option: str) -> None:
        """Choose from a list."""


class Mouse:
    """Clicks."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, name: str) -> None:
        """See Hands."""
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def press(self, name: str) -> None:
        """See Hands."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def fill(self, label: str, text: str) -> None:
        """See Hands."""
        self.page.get_by_label(label, exact=True).fill(text)

    def choose(self, label: str, option: str) -> None:
        """See Hands."""
        self.page.get_by_label(label, exact=True).select_option(label=option)


class Keyboard:
    """Tab, letters and Enter; what Tab does not reach cannot be used."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, name: str) -> None:
        """See Hands."""
        self._reach(self.page.get_by_role("link", name=name, exact=True).first)
        self.page.keyboard.press("Enter")

    def press(self, name: str) -> None:
        """See Hands."""
        self._reach(self.page.get_by_role("button", name=name, exact=True))
        self.page.keyboard.press("Enter")

    def fill(self, label: str, text: str) -> None:
        """See Hands."""
        self._reach(self.page.get_by_label(label, exact=True))
        self.page.keyboard.type(text)

    def choose(self, label: str, option: str) -> None:
        """See Hands."""
        field = self.page.get_by_label(label, exact=True)
        self._reach(field)
        # The first letters find the option; a space would open the list instead.
        self.page.keyboard.type(option[:4])
        expect(field.locator("option:checked")).to_have_text(option)

    def _reach(self, wanted: Locator) -> None:
        wanted.wait_for()
        for _ in range(MOST_TABS):
            if wanted.evaluate("it => it === document.activeElement"):
                assert _outlined(wanted), f"the focus of {wanted} cannot be seen"
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{wanted} is not reached with Tab")


def _outlined(focused: Locator) -> bool:
    """Whether the focus can be seen: an outline, or a field's shadow."""
    return bool(
        focused.evaluate(
            "it => { const s = getComputedStyle(it);"
            " return s.outlineStyle !== 'none' || s.boxShadow !== 'none'; }"
        )
    )
