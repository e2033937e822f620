"""A payload as values whose numbers keep their text: 1.10 stays 1.10, and 40 digits stay 40."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from webhookproxy.events.formats.definition import Fault, Unrenderable
from webhookproxy.events.payload import HIDDEN
from webhookproxy.events.payload_paths import MISSING

# Characters of a payload that is taken apart: more would hold the event loop for too long. The
# longest that was reported has 30,000.
READ_MAX = 262_144
# Bytes of a body that is written again from values.
BODY_MAX = 1_048_576

_HIDDEN = json.loads(HIDDEN)
_SURROGATES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.",
    re.DOTALL,
)
_ESCAPE_LENGTH = len(r"\ud83d")


class Number(str):
    """A number as its text in JSON."""

    __slots__ = ()


def read_values(payload: str) -> Any:
    """Return the values of a payload's text; raise Unrenderable if it is no JSON, or too long.

    A surrogate without its other half has no UTF-8 form, and becomes U+FFFD.
    """
    if len(payload) > READ_MAX:
        raise Unrenderable(
            Fault.TOO_LARGE,
            f"O evento passa de {READ_MAX // 1024} KiB: só os formatos que o enviam inteiro cabem.",
        )
    if "\\ud" in payload or "\\uD" in payload:
        payload = _SURROGATES.sub(_without_half, payload)
    try:
        return json.loads(payload, parse_int=Number, parse_float=Number, parse_constant=_no_number)
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        raise Unrenderable(
            Fault.NOT_JSON, "O que foi guardado deste evento não é JSON, e não há o que montar."
        ) from None


def is_empty(value: Any) -> bool:
    """Return whether a value says nothing: none, an empty text or group, a hidden credential."""
    return value is None or value is MISSING or value in ("", [], {}) or value == _HIDDEN


def _without_half(found: re.Match[str]) -> str:
    is_half = len(found[0]) == _ESCAPE_LENGTH
    return r"\ufffd" if is_half else found[0]


def _no_number(token: str) -> None:
    """Return null for a bare NaN or Infinity."""


def write_values(value: Any) -> bytes:
    """Return values as JSON; raise Unrenderable if they are too deep or too large."""
    try:
        written = orjson.dumps(value, _number, orjson.OPT_PASSTHROUGH_SUBCLASS)
    except orjson.JSONEncodeError:
        # Texts have been made fit when they were read, so only the depth is left.
        raise too_deep() from None
    if len(written) > BODY_MAX:
        raise too_large()
    return written


def _number(value: object) -> orjson.Fragment:
    return orjson.Fragment(str(value))


def too_deep() -> Unrenderable:
    """Return the refusal of values that lie too deep."""
    return Unrenderable(Fault.TOO_DEEP, "O evento tem listas e grupos fundos demais.")


def too_large() -> Unrenderable:
    """Return the refusal of a body that is too large."""
    return Unrenderable(
        Fault.TOO_LARGE, f"O corpo montado passa de {BODY_MAX // 1_048_576} MiB, e não é enviado."
    )
