"""Paths to a value in a payload: `call.status`, `tags[0]`, `["a key.with a dot"].name`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

Step = str | int

_PLAIN_KEY = r"[^.\[\]\"\\\s\x00-\x1f]+"
_KEY = re.compile(_PLAIN_KEY)
_STEP = re.compile(
    rf'(?P<key>{_PLAIN_KEY})|\[(?P<index>0|[1-9][0-9]{{0,5}})\]|\[(?P<text>"(?:[^"\\]|\\.)*")\]'
)


class _Missing:
    """The result of a path that does not exist."""


MISSING = _Missing()


class BadPath(ValueError):
    """A text that is not a path."""


def parse_path(text: str) -> tuple[Step, ...]:
    """Return the keys and numbers of a path: `call.tags[0]["a.b"]`. Raise BadPath otherwise."""
    steps: list[Step] = []
    at = 0
    while at < len(text) or not steps:
        match = _STEP.match(text, at)
        if match is None:
            raise BadPath(text)
        steps.append(_step(match, text))
        at = match.end()
        if at < len(text) and text[at] == ".":
            at += 1
            # A dot comes before a key; brackets follow without a dot.
            if at == len(text) or text[at] == "[":
                raise BadPath(text)
        elif at < len(text) and text[at] != "[":
            raise BadPath(text)
    return tuple(steps)


def _step(match: re.Match[str], text: str) -> Step:
    if match["index"] is not None:
        return int(match["index"])
    if match["text"] is None:
        return match["key"]
    try:
        return str(json.loads(match["text"]))
    except ValueError:
        raise BadPath(text) from None


def format_path(steps: Sequence[Step]) -> str:
    """Return the text that parse_path reads as these steps."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _KEY.fullmatch(step) and step.isprintable():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=not step.isprintable())}]"
    return text


def find(payload: Any, steps: Sequence[Step]) -> Any:
    """Return the value at a path, or MISSING."""
    found = payload
    for step in steps:
        if isinstance(step, str):
            if type(found) is not dict or step not in found:
                return MISSING
            found = found[step]
        elif type(found) is not list or step >= len(found):
            return MISSING
        else:
            found = found[step]
    return found


def values_of(payload: Any, most: int) -> list[tuple[str, Any]]:
    """Return path and value of texts, numbers, booleans and nulls, in order, at most `most`."""
    found: list[tuple[str, Any]] = []
    # The values still to visit, the next one last. Not by recursion: a payload may be 1,024 deep.
    left: list[tuple[tuple[Step, ...], Any]] = [((), payload)]
    while left and len(found) < most:
        steps, value = left.pop()
        if isinstance(value, dict):
            left += [((*steps, key), each) for key, each in reversed(value.items())]
        elif isinstance(value, list):
            numbered = list(enumerate(value[:most]))
            left += [((*steps, number), each) for number, each in reversed(numbered)]
        elif steps:
            found.append((format_path(steps), value))
    return found
