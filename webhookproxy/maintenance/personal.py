"""A telephone number or CPF in stored texts: where it is, and the same text without it.

A match is exactly: the digits of the number, in order, as a whole run. Two digits may have up to
four separators between them (space, dot, hyphen, dash, slash, plus, underscore, parenthesis, and
these as JSON escapes or percent-encoded). 55, 0055, a trunk 0, or a 0 with a carrier's two digits
may come before the run; no other digit may touch it on either side. A bare JSON number
matches by its value, so that a CPF which lost its leading zero there is found. What does not match:
digits written as escapes (backslash u0031), in words, encrypted, hashed or in base64, and the same
telephone with or without the ninth digit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from webhookproxy.events.payload import HIDDEN
from webhookproxy.rules import Refused

_COUNTRY = "55"
_ALLOWED = re.compile(r"[0-9 .()/+-]*", re.ASCII)
_SEPARATOR = (
    r"(?:[ \t\u00a0\u2000-\u2015.()/+_-]|\\{1,4}(?:[/t]|u00[aA]0|u20[01][0-9a-fA-F])"
    r"|%2[089bBdDeEfF]|%[cC]2%[aA]0){0,4}"
)
# A digit that belongs to an escape does not touch the number behind it.
_LEFT = r"(?:(?<![0-9])|(?<=\\u[0-9a-fA-F]{4})|(?<=%[0-9a-fA-F]{2}))"
# Taken as one, so that no part of it is taken for the number's.
_ESCAPE = r"\\+(?:u[0-9a-fA-F]{4}|.)"
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?[0-9][-+.eE0-9]*')
_WORD = HIDDEN.strip('"')


@dataclass(frozen=True, slots=True)
class PersonalNumber:
    """A number to look for; made by `read_number`. Its repr does not show it."""

    _number: re.Pattern[str]
    _escape_or_number: re.Pattern[str]
    _values: frozenset[str]

    def __repr__(self) -> str:
        return "PersonalNumber()"

    def mask_json(self, text: str) -> str:
        """Return valid JSON with the number replaced by "[oculto]", or the same text without it."""
        if not self._may_hold(text):
            return text
        return _TOKEN.sub(self._mask_token, text)

    def mask_text(self, text: str) -> str:
        """Return any other text with the number replaced by [oculto]."""
        if self._number.search(text) is None:
            return text
        return self._escape_or_number.sub(lambda found: _WORD if found[1] else found[0], text)

    def _may_hold(self, text: str) -> bool:
        return self._number.search(text) is not None or any(value in text for value in self._values)

    def _mask_token(self, token: re.Match[str]) -> str:
        if token[0].startswith('"'):
            return self.mask_text(token[0])
        whole = re.split(r"[.eE]", token[0].lstrip("-"), maxsplit=1)[0]
        return HIDDEN if whole in self._values else token[0]


def read_number(typed: str) -> PersonalNumber:
    """Return the typed number, with or without punctuation and country code.

    Raises Refused unless it has 10 or 11 digits (a telephone with its area code, a CPF), or 12 or
    13 that begin with 55. The refusal does not repeat it.
    """
    digits = re.sub(r"[^0-9]", "", typed, flags=re.ASCII)
    if len(digits) in (12, 13) and digits.startswith(_COUNTRY):
        digits = digits.removeprefix(_COUNTRY)
    if len(digits) not in (10, 11) or not _ALLOWED.fullmatch(typed.strip()):
        raise Refused.one(
            "number",
            "This is no telephone with its area code (10 or 11 digits, or 12 or 13 with the 55 in "
            "front) and no CPF (11 digits): type it with or without punctuation.",
            "Informe um telefone com DDD (10 ou 11 dígitos, com ou sem o 55 na frente) ou um CPF "
            "(11 dígitos), com ou sem pontuação.",
        )
    between = _SEPARATOR.join
    prefix = (
        f"(?:(?:0{_SEPARATOR}0{_SEPARATOR})?{between(_COUNTRY)}{_SEPARATOR}"
        f"|0{_SEPARATOR}(?:[0-9]{_SEPARATOR}[0-9]{_SEPARATOR})?)?"
    )
    number = f"[+(]{{0,2}}{_LEFT}{prefix}{between(digits)}(?![0-9])"
    return PersonalNumber(
        re.compile(number),
        re.compile(f"{_ESCAPE}|({number})", re.DOTALL),
        frozenset({digits.lstrip("0"), _COUNTRY + digits}),
    )
