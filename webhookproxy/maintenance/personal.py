"""A telephone number or CPF in stored texts: where it is, and the same text without it.

A match is the digits of the number, in order, as a whole run. Two digits may have up to eight
separators between them: every character that is no letter and no digit, also as a JSON escape,
percent-encoded or an HTML entity. 55, 0055, a trunk 0, or a 0 with a carrier's two digits may come
before the run; no other digit may touch it on either side. Digits of another form (full-width,
circled, superscript, JSON escapes) count as what they are under NFKC. A value that the search takes
for the number is the number, with any separators. A bare JSON number matches by its value too, so
that a CPF which lost its leading zero there, or a telephone like 1.1987654321e10, is found.

What does not match: digits in words, encrypted, hashed or in base64, and the same telephone with or
without the ninth digit. An area code in a field of its own is no match, and `is_apart` sees it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from unicodedata import normalize

from webhookproxy.events.payload import HIDDEN
from webhookproxy.rules import Refused
from webhookproxy.search.terms import digits_of

_COUNTRY = "55"
_ALLOWED = re.compile(r"[0-9 .()/+-]*", re.ASCII)
_ONE = (
    r"(?:[\W_]|\\{1,4}(?:[bfnrt]|u(?:00(?:[02][0-9a-fA-F]|3[aA]|5[fF]|[aA][0dD])"
    r"|20[0-6a-fA-F][0-9a-fA-F]|3000|[fF][eE](?:0.|[fF]{2})))"
    r"|%(?:[02][0-9a-fA-F]|3[aA]|[cC]2%[aA]0)|&(?:[a-z]{2,8}|#[xX]?[0-9a-fA-F]{2,5});)"
)
_SEPARATOR = _ONE + "{0,8}"
# Other numbers of a list before this one are not its country or carrier.
_SHORT = _ONE + "{0,3}"
# A digit that belongs to an escape does not touch the number behind it.
_LEFT = r"(?:(?<![0-9])|(?<=\\u[0-9a-fA-F]{4})|(?<=%[0-9a-fA-F]{2})|(?<=&#[0-9]{2};))"
# Taken as one, so that no part of it is taken for the number's.
_ESCAPE = r"\\{1,64}(?:u[0-9a-fA-F]{4}|.)"
# Characters that one call of `re` looks at, for it lets no other thread run; and those that the
# longest match has at most.
_PIECE, _LONGEST = 4_096, 1_500
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?[0-9][-+.eE0-9]*')
# A character beyond U+FFFF is two.
_ESCAPED = re.compile(r"\\{1,4}u(?:[dD][89abAB][0-9a-fA-F]{2}\\{1,4}u)?[0-9a-fA-F]{4}")
# Unlike an escape these may be the number's own digits behind a separator.
_UNCLEAR = re.compile(r"%[0-9a-fA-F]{2}|&#")
_NO_DIGITS = bytes(each for each in range(256) if not 48 <= each <= 57)
_WORD = HIDDEN.strip('"')


@dataclass(frozen=True, slots=True)
class PersonalNumber:
    """A number to look for; made by `read_number`. Its repr does not show it."""

    _escape_or_number: re.Pattern[str]
    _whole: re.Pattern[str]
    _rest: re.Pattern[str]
    _area: re.Pattern[str]
    _values: frozenset[int]
    # Digits that every text has in which the number or its end is, whatever is between them.
    _needle: bytes

    def __repr__(self) -> str:
        return "PersonalNumber()"

    def mask_json(self, text: str) -> str:
        """Return valid JSON with the number replaced by "[oculto]", or the same text without it."""
        return _TOKEN.sub(self._mask_token, text) if self._may_hold(text) else text

    def mask_text(self, text: str) -> str:
        """Return any other text with the number replaced by [oculto]."""
        if not self._may_hold(text):
            return text
        masked = self._mask(text)
        plain = _plain(masked)
        return masked if plain == masked else self._mask(plain, or_else=masked)

    def is_apart(self, text: str) -> bool:
        """Return whether a masked text has the area code and the rest of the number apart."""
        if not self._may_hold(text):
            return False
        plain = _plain(text)
        return any(True for _ in _matches(self._rest, plain)) and any(
            True for _ in _matches(self._area, plain)
        )

    def _may_hold(self, text: str) -> bool:
        plain = _plain(text)
        if _UNCLEAR.search(plain):
            return True
        # A function, because other threads run between its calls.
        clear = _ESCAPED.sub(lambda _: "", plain) if "\\u" in plain else plain
        return self._needle in clear.encode("ascii", "ignore").translate(None, _NO_DIGITS)

    def _mask_token(self, token: re.Match[str]) -> str:
        written = token[0]
        if written[0] != '"':
            return HIDDEN if self._is_value(written) else written
        if not self._may_hold(written):
            return written
        masked = self._mask(written)
        value = json.loads(masked, strict=False) if "\\" in masked else masked[1:-1]
        plain = _plain(value)
        if plain != masked[1:-1]:
            hidden = self._mask(plain, or_else="")
            masked = json.dumps(hidden) if hidden else masked
        return HIDDEN if self._whole.fullmatch(digits_of(value)) else masked

    def _is_value(self, written: str) -> bool:
        try:
            value = int(abs(float(written)))
        except (ValueError, OverflowError):
            return False
        return value in self._values or self._whole.fullmatch(digits_of(written)) is not None

    def _mask(self, text: str, or_else: str | None = None) -> str:
        """Return the text without the number; without a match `or_else`, or the text itself."""
        parts, end = [], 0
        for found in _matches(self._escape_or_number, text):
            if found[1]:
                parts += [text[end : found.start()], _WORD]
                end = found.end()
        if not parts:
            return text if or_else is None else or_else
        return "".join([*parts, text[end:]])


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield what `finditer` does, and look at a long text piece by piece."""
    begin = 0
    while begin < len(text):
        end = begin + _PIECE
        for found in pattern.finditer(text, begin, end + _LONGEST):
            if found.start() >= end:
                break
            yield found
            begin = found.end()
        begin = max(begin, end)


def _plain(text: str) -> str:
    """Return the text in the form NFKC, which has one form of each digit, and no escaped digits."""
    pieces = range(0, 0 if text.isascii() else len(text), _PIECE)
    plain = "".join(normalize("NFKC", text[each : each + _PIECE]) for each in pieces) or text
    return _ESCAPED.sub(_plain_digit, plain) if "\\u" in plain else plain


def _plain_digit(escape: re.Match[str]) -> str:
    units = bytes.fromhex(escape[0].replace("\\", "").replace("u", ""))
    form = normalize("NFKC", units.decode("utf-16-be", "replace"))
    return form if form.isdigit() else escape[0]


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
    return _look_for(digits)


def _look_for(digits: str) -> PersonalNumber:
    between = _SEPARATOR.join
    prefix = (
        f"(?:(?:0{_SHORT}0{_SHORT})?{_SHORT.join(_COUNTRY)}{_SHORT}"
        f"|0{_SHORT}(?:[0-9]{_SHORT}[0-9]{_SHORT})?)?"
    )
    number = f"[+(]{{0,2}}{_LEFT}{prefix}{between(digits)}(?![0-9])"
    area, rest = digits[:2], digits[2:]
    return PersonalNumber(
        re.compile(f"{_ESCAPE}|({number})", re.DOTALL),
        re.compile(f"(?:(?:00)?{_COUNTRY}|0(?:[0-9]{{2}})?)?{digits}"),
        re.compile(f"(?<![0-9]){between(rest)}(?![0-9])"),
        re.compile(rf"""(?<=[\s"':,(\[])[+(]*0?{area}\)?(?=[\s"',)\]}}\\])"""),
        frozenset({int(digits), int(_COUNTRY + digits)}),
        rest.strip("0").encode(),
    )
