"""The rows of a webhook's own headers in its form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wtforms import Field
from wtforms.utils import unset_value

from webhookproxy.rules.headers import HEADERS_MAX, Header
from webhookproxy.web.shared.drafts import HEADER_VALUES

# How many blank rows are seen at once; the others unfold.
BLANK = 1


class HeaderRows(Field):
    """A name and a value in each of ten rows; `data` has the names, for comparing versions.

    A stored value is never shown: a blank one keeps it.
    """

    def process(self, formdata: Any, data: Any = unset_value, extra_filters: Any = None) -> None:
        """Read the rows that a browser sent, if it sent some."""
        super().process(None, data, extra_filters)
        self.show(self.data or ())
        if formdata:
            values = (formdata.get(each, "") for each in HEADER_VALUES)
            names = (formdata.get(f"header_name-{n}", "") for n in range(HEADERS_MAX))
            self._rows = list(zip(names, values, strict=True))
            self.data = [name for name, _ in self._rows if name.strip()]

    def show(self, names: Iterable[str]) -> None:
        """Put stored names into the rows."""
        self.data = list(names)
        self._rows = [(name, "") for name in self.data]

    @property
    def names(self) -> list[str]:
        """Return the name of each row, HEADERS_MAX of them."""
        return [*(name for name, _ in self._rows), *[""] * HEADERS_MAX][:HEADERS_MAX]

    @property
    def seen(self) -> int:
        """Return how many rows are seen before the others unfold."""
        last = max((n for n, name in enumerate(self.names, 1) if name), default=0)
        return min(last + BLANK, HEADERS_MAX)

    @property
    def headers(self) -> tuple[Header, ...]:
        """Return what was typed; a blank row is none."""
        return tuple(each for each in self._rows if any(map(str.strip, each)))
