"""The tags of a page: our templates write them regularly, so one pattern reads them quickly."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache

_TAG = re.compile(r'<(/?)([a-z][a-z0-9-]*)((?:[^>"]|"[^"]*")*)>([^<]*)')
_ATTRIBUTE = re.compile(r'([^\s=/"]+)(?:="([^"]*)")?')

Attributes = dict[str, str | None]


def tags(text: str) -> Iterator[tuple[str, Attributes, str]]:
    """Yield each tag's name ("/form" where it ends), its attributes and the text that follows."""
    for slash, name, inside, after in _TAG.findall(text):
        yield slash + name, _attributes(inside), html.unescape(after) if "&" in after else after


# Icons repeat the same tags on every page.
@lru_cache(10_000)
def _attributes(inside: str) -> Attributes:
    assert "=" not in _ATTRIBUTE.sub("", inside), f"an attribute without double quotes: {inside}"
    found = _ATTRIBUTE.finditer(inside)
    return {each[1]: None if each[2] is None else html.unescape(each[2]) for each in found}
