"""The stream of an open page, read as its browser reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent

from tests.web.support.browser import Browser

Said = tuple[str, dict[str, str]]


class Stream:
    """An open page's stream, read line by line."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.answer = browser.client.get(address, buffered=False)
        assert self.answer.status_code == 200, self.answer.status_code
        self._lines = iter(self.answer.response)

    def next(self) -> Said | None:
        """The next thing that is said, within a minute; None at the end."""
        with gevent.Timeout(60):
            chunk = next(self._lines, None)
        if chunk is None:
            return None
        lines = (chunk.decode() if isinstance(chunk, bytes) else str(chunk)).strip("\n").split("\n")
        given: dict[str, Any] = json.loads(lines[-1].removeprefix("data: ") or "{}")
        return lines[0].removeprefix("event: "), given

    def until(self, name: str, part: str = "") -> list[Said | None]:
        """Everything up to this, and this, or to the end; within a minute."""
        said = [self.next()]
        with gevent.Timeout(60):
            while said[-1] is not None and (said[-1][0], said[-1][1].get("id", "")) != (name, part):
                said.append(self.next())
        return said


@contextmanager
def open_page(browser: Browser, address: str) -> Iterator[Stream]:
    """A page whose first drawing was read."""
    stream = Stream(browser, address)
    try:
        first = stream.until("beat")
        assert first[-1] is not None
        yield stream
    finally:
        stream.answer.close()
