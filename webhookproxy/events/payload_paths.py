"""Where a value lies in a payload: `call.status`, `tags[0]`, `["a key.with a dot"].name`."""

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
    """What is found where a path leads nowhere."""


MISSING = _Missing()


class BadPath(ValueError):
    """A text that is not a path."""


def parse_path(text: str) -> tuple[Step, ...]:
    """The keys and numbers of a path: `call.tags[0]["a.b"]`; BadPath for what is none."""
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
            # A dot leads to a key by its name; what is in brackets follows without one.
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
    """The text that parse_path reads as these steps."""
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
    """What is there, or MISSING."""
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
    """The path and the value of at most so many texts, numbers, booleans and nulls, in order."""
    found: list[tuple[str, Any]] = []
    # What is left to look at, the next last; never by recursion: a payload may be 1,024 deep.
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
