"""JSON formatted for reading, with every character that means something unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]+')
_INDENT = "  "


def pretty(text: str) -> str:
    """Return the same JSON with other white space.

    Numbers, escapes, repeated keys and the order of keys stay as they are: parsing and writing
    would change them. `text` must be JSON.
    """
    return "".join(_laid_out(_TOKEN.findall(text)))


def _laid_out(parts: list[str]) -> Iterator[str]:
    depth = 0
    before = ""
    for part in parts:
        if part in ("}", "]"):
            depth -= 1
            if before not in ("{", "["):
                yield "\n" + _INDENT * depth
        elif before in ("{", "[", ","):
            yield "\n" + _INDENT * depth
        yield ": " if part == ":" else part
        if part in ("{", "["):
            depth += 1
        before = part
