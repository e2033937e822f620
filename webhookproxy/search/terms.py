"""The terms that an event is found by, and the terms that a typed text means. Pure functions.

A term is a letter for its kind and a text. In a payload, every string and number of 3 to 64
characters is a value, except times. A payload gives at most TERMS_MAX terms, the least nested
first. Values lose their case and accents. A value of 8 to 15 digits, with or without punctuation,
or before an "@", gives two more terms: its digits, and these in reverse, so that the end of a
telephone is found as a beginning.
"""

from __future__ import annotations

import contextlib
import json
import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any

import orjson

from webhookproxy.events.payload import HIDDEN

VALUE, REVERSED, NAME, KEY = "v", "r", "n", "k"
# Terms of one payload; the name and the ordering key do not count.
TERMS_MAX = 100
LENGTH_MIN, LENGTH_MAX = 3, 64
DIGITS_MIN, DIGITS_MAX = 8, 15
# The digits of a telephone without country, area and the optional ninth digit.
_END_OF_PHONE = 8
# Longer texts are skipped: fold() does not make them short enough.
_LOOKED_AT_MAX = 4 * LENGTH_MAX
# A longer text is a sentence, and no value.
_WORDS_MAX = 4

_HIDDEN_WORD = HIDDEN.strip('"')
_NUMBER = re.compile(r"\+?[0-9 ()./-]*[0-9]", re.ASCII)
_NOT_A_DIGIT = re.compile(r"[^0-9]+")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ t][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?)?"
    r"(z|[+-][0-9]{2}:?[0-9]{2})?"
    r"|[0-9]{2}/[0-9]{2}/[0-9]{4}( [0-9]{2}:[0-9]{2}(:[0-9]{2})?)?"
    r"|[0-9]{2}:[0-9]{2}(:[0-9]{2})?([.][0-9]+)?"
)
# Seconds or milliseconds since 1970, if the key also says that it is a time.
_TIME_KEY = re.compile(r"time|date|stamp|_at$|At$|idleness")
_EPOCH = re.compile(r"1[0-9]{9}([0-9]{3})?([.][0-9]+)?")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A term, or with `prefix` every term that begins with it."""

    term: str
    prefix: bool = False

    def fits(self, term: str) -> bool:
        """Return whether the pattern means this term."""
        return term.startswith(self.term) if self.prefix else term == self.term


# A group means any of its patterns; a reading of a typed text means all of its groups.
Group = tuple[Pattern, ...]
Reading = tuple[Group, ...]


def fold(text: str) -> str:
    """Return the text without case, accents and double spaces."""
    if text.isascii():
        return " ".join(text.lower().split())
    apart = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in apart if not unicodedata.combining(each))
    return " ".join(plain.casefold().split())


def terms_of(name: str, order_key: str, payload: str) -> list[str]:
    """Return every term of an event. Never raises: an odd payload has fewer terms."""
    found: dict[str, None] = {}
    for key, value in _values(_parse(payload)):
        terms, maybe_time = _terms_of_value(value)
        if terms and not (maybe_time and _TIME_KEY.search(key)):
            found.update(dict.fromkeys(terms))
        if len(found) >= TERMS_MAX:
            break
    made = list(found)[:TERMS_MAX]
    exact = (NAME + name, KEY + order_key) if order_key else (NAME + name,)
    return made + [term for term in exact if term.isprintable()]


def readings_of(typed: str) -> list[Reading]:
    """Return the meanings of a typed text; each is tried if the one before finds nothing."""
    text = fold(typed)
    if not text:
        return []
    patterns = [
        Pattern(VALUE + text, prefix=True),
        Pattern(NAME + text, prefix=True),
        Pattern(KEY + typed.strip()),
    ]
    digits = _digits(text)
    if len(digits) >= DIGITS_MIN:
        patterns = [Pattern(VALUE + text, prefix=True), Pattern(VALUE + digits, prefix=True)]
        patterns.append(Pattern(REVERSED + digits[::-1], prefix=True))
    readings: list[Reading] = [(tuple(dict.fromkeys(patterns)),)]
    if 10 <= len(digits) <= 13:
        end = digits[: -_END_OF_PHONE - 1 : -1]
        readings.append(((Pattern(REVERSED + end, prefix=True),),))
    words = text.split(" ")
    if not digits and 1 < len(words) <= _WORDS_MAX and min(map(len, words)) >= LENGTH_MIN:
        readings.append(tuple(readings_of(word)[0][0] for word in words))
    return readings


def fits(terms: list[str], reading: Reading) -> bool:
    """Return whether a reading means an event with these terms."""
    return all(any(pattern.fits(term) for pattern in group for term in terms) for group in reading)


def _parse(payload: str) -> Any:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(payload, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _values(parsed: Any) -> Iterator[tuple[str, str]]:
    """Yield every string and number that may be a value, with its key."""
    waiting: deque[tuple[str, Any]] = deque([("", [parsed])])
    while waiting:
        key, node = waiting.popleft()
        for under, value in node.items() if type(node) is dict else zip(repeat(key), node):
            kind = type(value)
            if kind is str:
                if LENGTH_MIN <= len(value) <= _LOOKED_AT_MAX:
                    yield under, value
            elif kind is dict or kind is list:
                waiting.append((under, value))
            elif kind is int or kind is float:
                yield under, str(value)


# Most values repeat: agents, campaigns, states.
@lru_cache(maxsize=10_000)
def _terms_of_value(value: str) -> tuple[tuple[str, ...], bool]:
    """Return the terms of a value, and whether it looks like a time since 1970."""
    text = fold(value)
    if not LENGTH_MIN <= len(text) <= LENGTH_MAX or not text.isprintable():
        return (), False
    if _HIDDEN_WORD in text or (text[0].isdigit() and _TIME.fullmatch(text)):
        return (), False
    terms = [VALUE + text]
    digits = _digits(text.partition("@")[0])
    if DIGITS_MIN <= len(digits) <= DIGITS_MAX:
        if digits != text:
            terms.append(VALUE + digits)
        terms.append(REVERSED + digits[::-1])
    return tuple(terms), _EPOCH.fullmatch(text) is not None


def digits_of(value: str) -> str:
    """Return the digits that a value is found by, or "" if it is more than a number."""
    return _digits(fold(value).partition("@")[0]) if len(value) <= _LOOKED_AT_MAX else ""


def _digits(text: str) -> str:
    """Return the digits of a text that has nothing but these and punctuation, else ""."""
    if text.isdigit() and text.isascii():
        return text
    return _NOT_A_DIGIT.sub("", text) if _NUMBER.fullmatch(text.rstrip(") ")) else ""


class Sieve:
    """Finds the events that fit; it rejects most others without parsing their payload."""

    def __init__(self, groups: Reading) -> None:
        self._groups = [(group, _needles(group)) for group in groups]

    def matches(self, name: str, order_key: str, payload: str) -> bool:
        """Return whether an event of this name, ordering key and payload fits."""
        head = [NAME + name, KEY + order_key]
        rest = [each for each in self._groups if not fits(head, (each[0],))]
        if not rest:
            return True
        text = _plain(payload)
        digits = text.encode("utf-8", "replace").translate(None, _NO_DIGITS)
        for _, (words, number) in rest:
            near = any(word in text for word in words)
            if not near and not (number and number in digits):
                return False
        return fits(terms_of(name, order_key, payload), tuple(group for group, _ in rest))


_NEVER_PLAIN = re.compile(r'[ "\\]+')
_NO_DIGITS = bytes(each for each in range(256) if not 48 <= each <= 57)


def _plain(payload: str) -> str:
    """Return a payload's text, folded, without escapes."""
    if "\\" in payload:
        with contextlib.suppress(ValueError):
            payload = orjson.dumps(orjson.loads(payload)).decode()
    return fold(payload)


def _needles(group: Group) -> tuple[tuple[str, ...], bytes]:
    """Return words and digits: every payload that fits has one of the words, or the digits."""
    words: list[str] = []
    digits = b""
    for pattern in group:
        kind, rest = pattern.term[0], pattern.term[1:]
        if kind == VALUE:
            # The payload may have double spaces, and escapes these two characters.
            words.append(max(_NEVER_PLAIN.split(rest), key=len))
        elif kind == REVERSED:
            digits = rest[::-1].encode()
    return tuple(words), digits
