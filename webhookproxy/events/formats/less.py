"""Less of a payload: only some fields, without some fields, or with some of them masked.

A masked value is masked everywhere in the payload, also inside other texts: a telephone that was
masked in one place would stand in five others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from webhookproxy.events.formats.body_names import BadName, Body
from webhookproxy.events.formats.definition import (
    Fault,
    Kept,
    Less,
    Unrenderable,
)
from webhookproxy.events.formats.values import too_deep
from webhookproxy.events.masked import MASK
from webhookproxy.events.payload_paths import MISSING, BadPath, Step, find, parse_path

# The lists of all qualifications: most of the 5 to 30 KB of an event of a call.
QUALIFICATION_LISTS = (
    "campaign.dialer.qualification_list",
    "qualification.qualifications",
    "qualificationList",
)
# Shorter values occur everywhere by chance, and are masked only at their own place.
EVERYWHERE_MIN = 4
# Values that are masked everywhere.
_VALUES_MAX = 200


def lessened(less: Less, payload: Any) -> Any:
    """Return what is left of a payload, which may change. Raises Unrenderable."""
    try:
        if less.masked:
            payload = _masked(list(map(parse_path, less.masked)), payload)
        paths = list(map(parse_path, less.paths))
        if less.kept is Kept.ONLY:
            return _only(paths, payload)
        if less.kept is Kept.WITHOUT:
            for steps in paths:
                _change(payload, steps, None)
    except BadPath:
        raise Unrenderable(
            Fault.BAD_FORMAT, "O formato lê um campo que não é um caminho."
        ) from None
    except RecursionError:
        raise too_deep() from None
    return payload


def _only(paths: Sequence[tuple[Step, ...]], payload: Any) -> Any:
    kept = Body()
    # A whole group comes before its own fields, which it has already.
    for steps in sorted(paths, key=len):
        value = find(payload, steps)
        if value is not MISSING:
            try:
                kept.put(steps, value)
            except BadName:
                continue
    return kept.values()


def _change(payload: Any, steps: tuple[Step, ...], mask: str | None) -> None:
    """Put a mask in the place of a value; without one, take the value out."""
    holder = find(payload, steps[:-1])
    if find(payload, steps) is MISSING:
        return
    if mask is None and isinstance(holder, dict):
        del holder[steps[-1]]
    else:
        holder[steps[-1]] = mask


def _masked(paths: Sequence[tuple[Step, ...]], payload: Any) -> Any:
    found = [find(payload, steps) for steps in paths]
    for steps in paths:
        _change(payload, steps, MASK)
    texts = {text for each in found for text in _texts(each) if len(text) >= EVERYWHERE_MIN}
    if len(texts) > _VALUES_MAX:
        raise Unrenderable(
            Fault.TOO_LARGE,
            f"Os campos com máscara têm mais de {_VALUES_MAX} valores: deixe-os de fora.",
        )
    # The longest first: a shorter one may be a part of it.
    return _without(sorted(texts, key=len, reverse=True), payload)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts and numbers in a value."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield str(value)


def _without(texts: Sequence[str], value: Any) -> Any:
    """Return a value with the texts masked wherever they stand."""
    if isinstance(value, dict):
        return {_hidden(texts, key): _without(texts, each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without(texts, each) for each in value]
    return _hidden(texts, value) if isinstance(value, str) else value


def _hidden(texts: Sequence[str], value: str) -> str:
    """Return a text or a number as it is, if it has none of the texts."""
    for text in texts:
        if text in value:
            value = value.replace(text, MASK)
    return value
