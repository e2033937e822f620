"""Values as application/x-www-form-urlencoded, with nested names as PHP and Bitrix24 read them.

`{"fields": {"TITLE": "a b", "OPEN": true, "PHONE": [{"VALUE": "1"}]}}` becomes
`fields[TITLE]=a+b&fields[OPEN]=1&fields[PHONE][0][VALUE]=1`, with the brackets percent-encoded.
As in PHP, true is 1, false is 0, and null, [] and {} are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

from webhookproxy.events.formats.definition import Fault, Unrenderable
from webhookproxy.events.formats.values import BODY_MAX, too_deep, too_large

# Levels of groups and lists, and characters of a name: beyond them a name would be longer than what
# it names.
DEPTH_MAX = 100
NAME_MAX = 2_000


def write_form(value: Any) -> bytes:
    """Return the values of an object or list; raise Unrenderable for any other value."""
    if not isinstance(value, dict | list):
        raise Unrenderable(
            Fault.NO_FIELDS,
            "O conteúdo deste evento é um valor só, sem campos: não cabe em um formulário.",
        )
    pairs: list[str] = []
    size = 0
    # The groups that are open, each with its name. Not by recursion: a payload may be 1,024 deep.
    opened: list[tuple[str | None, Iterator[tuple[str | int, Any]]]] = [(None, _items(value))]
    while opened:
        prefix, items = opened[-1]
        key, each = next(items, (None, None))
        if key is None:
            opened.pop()
        elif isinstance(each, dict | list):
            if len(opened) >= DEPTH_MAX:
                raise too_deep()
            opened.append((_name(prefix, key), _items(each)))
        elif each is not None:
            pairs.append(f"{_name(prefix, key)}={_text(each)}")
            size += len(pairs[-1]) + 1
            if size > BODY_MAX:
                raise too_large()
    return "&".join(pairs).encode("ascii")


def _items(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
    return iter(value.items() if isinstance(value, dict) else enumerate(value))


def _name(prefix: str | None, key: str | int) -> str:
    """Return the name of what lies at a key; `prefix` is None for the outermost ones."""
    quoted = _quoted(str(key))
    name = quoted if prefix is None else f"{prefix}%5B{quoted}%5D"
    if len(name) > NAME_MAX:
        raise Unrenderable(Fault.TOO_LARGE, "O evento tem um nome longo demais para um formulário.")
    return name


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return _quoted(str(value))


def _quoted(text: str) -> str:
    return quote_plus(text, errors="replace")
