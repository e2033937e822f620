"""The steps that make of a payload's value what a receiver wants.

A value that a step cannot be made of counts as missing: letters as a number, "190" as a telephone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from webhookproxy.events.call_facts import usable_seconds
from webhookproxy.events.formats.definition import RowStep, StepKind
from webhookproxy.events.formats.moments import Moment, brazilian, iso, read_moment, unix
from webhookproxy.events.formats.values import Number, write_values
from webhookproxy.events.masked import MASK
from webhookproxy.events.payload_paths import MISSING
from webhookproxy.events.telephones import read_telephone

_NUMBER = re.compile(r"(-?)0*([0-9]{1,60})(\.[0-9]{1,60})?([eE][-+]?[0-9]{1,4})?", re.ASCII)
# 1.234,56 as Brazilians write it.
_BRAZILIAN_NUMBER = re.compile(r"-?([0-9]{1,3}(\.[0-9]{3})+|[0-9]{1,40}),[0-9]{1,40}", re.ASCII)
_DIGITS = re.compile(r"[^0-9]+")
# Characters of a text that steps are made for, and of one that is made of several values.
TEXT_MAX = 65_536
# How many of a masked text's last characters are shown, if it has at least twice as many.
_SHOWN = 4


def text_of(value: Any) -> str:
    """Return a value as text; a group or list as its JSON."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return write_values(value).decode()


def apply_step(step: RowStep, value: Any) -> Any:
    """Return what a step makes of a value, or MISSING."""
    is_group = isinstance(value, dict | list) and step.kind is not StepKind.TEXT
    text = "" if is_group else text_of(value)
    if is_group or len(text) > TEXT_MAX:
        return MASK if step.kind is StepKind.MASK else MISSING
    if step.kind is StepKind.TABLE:
        found = step.table.get(text.strip(), step.default)
        return MISSING if found is None else found
    return _MAKE[step.kind](text)


def masked(text: str) -> str:
    """Return a mask with a text's last characters, or with none of a short text."""
    return MASK + text[-_SHOWN:] if len(text) >= 2 * _SHOWN else MASK


def _number(text: str) -> Any:
    text = text.strip()
    if text in ("true", "false"):
        return Number("1" if text == "true" else "0")
    if _BRAZILIAN_NUMBER.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    found = _NUMBER.fullmatch(text)
    return Number("".join(each or "" for each in found.groups())) if found else MISSING


def _digits(text: str) -> Any:
    return _DIGITS.sub("", text) or MISSING


def _telephone(form: str) -> Callable[[str], Any]:
    def make(text: str) -> Any:
        found = read_telephone(text)
        return getattr(found, form) if found else MISSING

    return make


def _seconds(text: str) -> Any:
    found = usable_seconds(text)
    if found is None and _NUMBER.fullmatch(text):
        found = usable_seconds(float(text))
    return MISSING if found is None else found


def _date(write: Callable[[Moment], Any]) -> Callable[[str], Any]:
    def make(text: str) -> Any:
        moment = read_moment(text)
        return MISSING if moment is None else write(moment)

    return make


_MAKE: Mapping[StepKind, Callable[[str], Any]] = MappingProxyType(
    {
        StepKind.TEXT: str,
        StepKind.NUMBER: _number,
        StepKind.DIGITS: _digits,
        StepKind.E164: _telephone("e164"),
        StepKind.NATIONAL: _telephone("national"),
        StepKind.SECONDS: _seconds,
        StepKind.DATE_ISO: _date(iso),
        StepKind.DATE_BRAZILIAN: _date(brazilian),
        StepKind.DATE_UNIX: _date(unix),
        StepKind.UPPER: str.upper,
        StepKind.LOWER: str.lower,
        StepKind.MASK: masked,
    }
)
