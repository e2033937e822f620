"""The shape of an answer: its text without what differs from one event to the next. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from unicodedata import normalize

import orjson

SHAPE_MAX = 120
# Characters and values that are looked at: the writer's thread makes the shapes.
LOOK_AT = 4_096
_VALUES_MAX = 200
# The characters from which a shape is made.
_BEGINNING = 400
# The fields of a JSON answer in which receivers say what they did not like.
_SAYING = frozenset({
    *("code", "description", "descricao", "detail", "details", "detalhe", "detalhes", "reason"),
    *("erro", "erros", "error", "errors", "message", "messages", "mensagem", "mensagens", "msg"),
    *("motivo", "title", "titulo"),
})  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
_TAG = re.compile(r"<[^<>]*>")
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|«[^»]*»|(?<!\w)\'[^\']*\'(?!\w)')
_TOKEN = re.compile(r"[\w-]{8,}")
# A letter after a digit, or a digit after a letter: an id has many of them, an error's code one.
_CHANGE = re.compile(r"(?<=\d)[^\W\d_]|(?<=[^\W\d_])\d")
_ID_CHANGES = 3
_DIGITS = re.compile(r"\d+")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")


@lru_cache(maxsize=256)
def answer_shape(answer: str) -> str:
    """Return the shape of an answer: digits are 0, ids #, quoted texts …; SHAPE_MAX at most.

    Of a JSON answer only the fields that say what was wrong count, if it has any: the others
    repeat the event. No digit of the answer is left, so a shape holds no telephone number.
    """
    text = _SPACE.sub(" ", _TAG.sub(" ", _said(answer[:LOOK_AT])))[:_BEGINNING]
    text = _QUOTED.sub("“…”", normalize("NFKC", text))
    text = _DIGITS.sub("0", _TOKEN.sub(_without_id, text))
    text = text.strip()
    return text if len(text) <= SHAPE_MAX else f"{text[: SHAPE_MAX - 1].rstrip()}…"


def _said(answer: str) -> str:
    """Return what a JSON answer says was wrong; any other answer as it is."""
    try:
        said = _sayings(orjson.loads(answer))
    except orjson.JSONDecodeError:
        return answer
    if len(said) == 1:
        return said[0][1]
    return " · ".join(f"{path}: {text}" for path, text in said) or answer


def _sayings(answer: Any) -> list[tuple[str, str]]:
    """Return path and text of the values in the fields that say something, in order."""
    found: list[tuple[str, str]] = []
    # The values still to visit, the next one last, and whether they are in such a field.
    left: list[tuple[str, Any, bool]] = [("", answer, False)]
    for _ in range(_VALUES_MAX):
        if not left:
            break
        path, value, says = left.pop()
        if isinstance(value, dict):
            items = list(value.items())[:_VALUES_MAX]
            left += [
                (f"{path}.{key}" if path else key, each, says or _is_saying(key))
                for key, each in reversed(items)
            ]
        elif isinstance(value, list):
            numbered = list(enumerate(value[:_VALUES_MAX]))
            left += [(f"{path}[{number}]", each, says) for number, each in reversed(numbered)]
        elif says and value is not None:
            found.append((path, str(value)))
    return found


@lru_cache(maxsize=256)
def _is_saying(key: str) -> bool:
    return not _SAYING.isdisjoint(_WORD.findall(key.lower()))


def _without_id(token: re.Match[str]) -> str:
    return "#" if len(_CHANGE.findall(token[0])) >= _ID_CHANGES else token[0]
