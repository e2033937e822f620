"""A payload with the personal values masked.

Only values that are known to be harmless are shown: numbers too short for a telephone, times, codes
with a digit in them, and the words in the catalogue's own samples. Under a key that names something
personal, no value is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from webhookproxy.events.catalog import CATALOG

MASK = "•••"
# A number with this many digits may be a telephone or a document.
_DIGITS_MIN = 8

_PERSONAL = re.compile(
    r"name|nome|mail|phone|fone|celular|number|numero|cpf|cnpj|docum|address|endere|street|rua"
    r"|bairro|zip|\bcep|birth|nasc|text|message|mensagem|body|content|note|obs|customer|cliente"
    r"|contact|contato|user|login|caption|identifier|value|valor|url|link|photo|avatar|\bip\b|data$",
    re.IGNORECASE,
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_CODE = re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9_.:-]{1,40}", re.ASCII)
_KEY = re.compile(r"\w[\w .-]{0,63}")
_LONG = re.compile(r"\d(?:[ ().+-]{0,3}\d){7}")


def masked(payload: str) -> str | None:
    """Return the payload with what may be personal replaced; None if it is no JSON."""
    try:
        return json.dumps(_value(json.loads(payload), personal=False), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def masked_text(text: str) -> str:
    """Return the text of one value, or MASK if it may be personal."""
    return text if _is_harmless(text, personal=False) else MASK


def _value(value: Any, *, personal: bool) -> Any:
    if isinstance(value, dict):
        # Inside a personal key, each value is judged by its own key.
        return {_key(key): _value(each, personal=_is_personal(key)) for key, each in value.items()}
    if isinstance(value, list):
        return [_value(each, personal=personal) for each in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return MASK if personal or abs(value) >= 10 ** (_DIGITS_MIN - 1) else value
    return value if not value or _is_harmless(value, personal=personal) else MASK


def _is_harmless(text: str, *, personal: bool) -> bool:
    if personal:
        return text == "[oculto]"
    if _TIME.fullmatch(text) or text in _words():
        return True
    return _CODE.fullmatch(text) is not None and _LONG.search(text) is None


def _is_personal(key: str) -> bool:
    return _PERSONAL.search(key) is not None


def _key(key: str) -> str:
    return key if _KEY.fullmatch(key) and not _LONG.search(key) else MASK


@lru_cache(maxsize=1)
def _words() -> frozenset[str]:
    """Return the words in the catalogue's samples that are not under a personal key."""
    return frozenset(word for event in CATALOG.values() for word in _words_of(event.sample))


def _words_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if not isinstance(each, str) or not _is_personal(key):
                yield from _words_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from _words_of(each)
    elif isinstance(value, str) and value.isascii() and value.islower() and " " not in value:
        yield value
