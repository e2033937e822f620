"""The names of a receiver's fields: `TITLE`, `fields.TITLE`, `fields[PHONE][0][VALUE]`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from webhookproxy.events.payload_paths import Step

# Levels, and the numbers of a list.
LEVELS_MAX = 10
_INDEX_MAX = 99
_PART = re.compile(r"(?P<key>[^.\[\]\s\"\\]+)|\[(?P<inside>[^\[\]\"\\\s]+)\]")


class BadName(ValueError):
    """A text that is no name, or a name that has no place beside the others."""


@lru_cache(maxsize=4096)
def parse_name(text: str) -> tuple[Step, ...]:
    """Return the keys of a name, and the numbers of lists. Raises BadName."""
    steps: list[Step] = []
    at = 0
    while at < len(text) or not steps:
        found = _PART.match(text, at)
        if found is None or len(steps) >= LEVELS_MAX or (found["inside"] and not steps):
            raise BadName(text)
        steps.append(_step(found, text))
        at = found.end()
        if at < len(text) and text[at] == ".":
            at += 1
            if at == len(text) or text[at] == "[":
                raise BadName(text)
        elif at < len(text) and text[at] != "[":
            raise BadName(text)
    return tuple(steps)


def _step(found: re.Match[str], text: str) -> Step:
    inside = found["inside"]
    if inside is None:
        return found["key"]
    if not (inside.isascii() and inside.isdigit()):
        return inside
    if len(inside) > len(str(_INDEX_MAX)):
        raise BadName(text)
    return int(inside)


class _Group(dict[Step, Any]):
    """A group of fields, or a list by its numbers."""


class Body:
    """The receiver's fields while they are put in their places."""

    def __init__(self) -> None:
        self._fields = _Group()

    def put(self, steps: tuple[Step, ...], value: Any) -> None:
        """Put a value in its place. Raises BadName if another field stands there."""
        group = self._fields
        for step in steps[:-1]:
            _fits(group, step)
            inside = group.setdefault(step, _Group())
            if not isinstance(inside, _Group):
                raise BadName(str(steps))
            group = inside
        _fits(group, steps[-1])
        if steps[-1] in group:
            raise BadName(str(steps))
        group[steps[-1]] = value

    def values(self) -> Any:
        """Return all fields; the values of a list move up to where one was left out."""
        return _plain(self._fields)


def _fits(group: _Group, step: Step) -> None:
    """Raise BadName if a group would have both keys and numbers."""
    first = next(iter(group), step)
    if isinstance(first, int) != isinstance(step, int):
        raise BadName(str(step))


def _plain(value: Any) -> Any:
    if not isinstance(value, _Group):
        return value
    if value and isinstance(next(iter(value)), int):
        return [_plain(value[number]) for number in sorted(value, key=int)]
    return {str(key): _plain(each) for key, each in value.items()}
