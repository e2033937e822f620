"""Read the text of a Socket.IO event packet into an event that can be stored.

The payload's text is never parsed and written again. It is the exact text that 3C Plus sent, so
numbers, key order, escapes and spaces survive. Three changes are made in the text itself:

* the value of a credential key becomes "[oculto]" (when the company hides credentials);
* a bare NaN, Infinity or -Infinity becomes null, or no receiver could parse the body;
* a raw lone surrogate, which has no UTF-8 form, becomes its JSON escape.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

from webhookproxy.events.catalog import CREDENTIAL_KEYS, MAX_NAME_LENGTH, order_key

# Bytes of the payload's text in UTF-8.
MAX_PAYLOAD_BYTES = 1_048_576
# Levels of arrays and objects; orjson stops at the same depth.
MAX_DEPTH = 1_024
HIDDEN = '"[oculto]"'

_HEAD_LENGTH = 64
_SPACE = " \t\n\r"
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_NAME = re.compile(rf"[{_SPACE}]*\[[{_SPACE}]*({_STRING})[{_SPACE}]*[,\]][{_SPACE}]*")
_LITERAL = re.compile(r"true|false|null|NaN|-?Infinity|[-+.\d]+(?:[eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Event:
    """A packet that was read: `payload` is JSON text, `hidden` counts the credentials replaced."""

    name: str
    payload: str
    order_key: str
    hidden: int


# Both names describe the packet, as the event's notes do.
class Unreadable(ValueError):
    """A packet that is not a readable event; it holds only what may be kept of the packet."""

    def __init__(self, error_class: str, length: int, head: str) -> None:
        super().__init__(f"The packet of {length} characters cannot be read ({error_class}).")
        self.error_class = error_class
        self.length = length
        self.head = head


class TooLarge(ValueError):
    """An event above MAX_PAYLOAD_BYTES. `length` is in bytes."""

    def __init__(self, name: str, length: int, head: str) -> None:
        super().__init__(
            f"The payload has {length} bytes, more than the {MAX_PAYLOAD_BYTES} that are accepted."
        )
        self.name = name
        self.length = length
        self.head = head


def _credential_pattern(escaped: bool) -> re.Pattern[str]:
    """Return one regex for `"key":` and the first token of its value.

    Over text already known to be valid JSON it is exact. Outside strings there is no backslash,
    and a quote inside a string always follows one; so a quote that does not follow a backslash
    starts or ends a string, and one that ends a string is never followed by a letter or a
    backslash: it starts one. What follows up to the next quote is the whole of that string, and a
    string followed by a colon is a key. `"my_token":` does not match because its quote is
    elsewhere, `"\\"token\\":..."` because its quotes follow backslashes.

    The escaped form also knows keys written with ASCII escapes (`"\\u0074oken"`); it is slower.
    """
    names = sorted(CREDENTIAL_KEYS)
    # It comes first because it excludes most keys at their first letter.
    first = "".join(sorted({name[0] for name in names})) + "\\\\"
    if escaped:
        names = ["".join(f"(?:{c}|\\\\u00(?i:{ord(c):02x}))" for c in name) for name in names]
    value = rf'({_STRING}|[\[{{]|[^"\[{{{_SPACE},\]}}]+)'
    key = rf'"(?=[{first}])(?<!\\")(?:{"|".join(names)})"'
    return re.compile(rf"{key}[{_SPACE}]*:[{_SPACE}]*{value}")


_CREDENTIAL = _credential_pattern(escaped=False)
_ESCAPED_CREDENTIAL = _credential_pattern(escaped=True)
# A-Z and a-z and "_" written as \u005f, \u0061 ... \u007a.
_ASCII_ESCAPE = re.compile(r"\\u00[567]")
_BRACKET = re.compile(rf"{_STRING}|[\[\]{{}}]")
_NOT_A_NUMBER = re.compile(rf"{_STRING}|NaN|-?Infinity")
_MASKED_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_RUN = re.compile(r'[^\s\[\]{}:,"…]+')


def _after_container(text: str, start: int) -> int:
    """Return where the object or list that opens at `start` ends, in valid JSON."""
    depth = 0
    for token in _BRACKET.finditer(text, start):
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
            if depth == 0:
                return token.end()
    raise AssertionError("valid JSON closes every bracket")


def _hide(text: str) -> tuple[str, int]:
    """Return the text with the credentials' values replaced, and how many there were."""
    escaped = "\\u00" in text and _ASCII_ESCAPE.search(text) is not None
    search = (_ESCAPED_CREDENTIAL if escaped else _CREDENTIAL).search
    pieces: list[str] = []
    end = 0
    while match := search(text, end):
        start = match.start(1)
        pieces.append(text[end:start])
        end = _after_container(text, start) if match[1] in "[{" else match.end()
    if not pieces:
        return text, 0
    return HIDDEN.join([*pieces, text[end:]]), len(pieces)


def _storable(text: str) -> str:
    """Return the text; characters that cannot be printed or stored become backslash escapes."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def _storable_name(name: str) -> str:
    name = _storable(name)
    return name if len(name) <= MAX_NAME_LENGTH else name[: MAX_NAME_LENGTH - 1] + "…"


def _masked_head(text: str) -> str:
    """Return the first 64 characters, with every quoted string as "…", cut off ones too.

    In broken JSON the quotes may not pair up, so words outside quotes are masked as well.
    """
    head = _MASKED_STRING.sub('"…"', text[:_HEAD_LENGTH])
    return _RUN.sub(lambda run: run[0] if _LITERAL.fullmatch(run[0]) else "…", head)


def unreadable(error_class: str, text: str) -> Unreadable:
    return Unreadable(error_class, len(text), _masked_head(text))


def oversized(beginning: str, length: int) -> Unreadable | TooLarge:
    """Describe an event of which only the beginning was read; `length` is its bytes."""
    match = _NAME.match(beginning)
    if match is None:
        return Unreadable("TooLong", length, _masked_head(beginning))
    return TooLarge(_readable_name(match[1]), length, _masked_head(beginning))


def _too_deep(text: str) -> bool:
    depth = 0
    for token in _BRACKET.finditer(text):
        depth += (token[0] in "[{") - (token[0] in "]}")
        if depth > MAX_DEPTH:
            return True
    return False


def _no_number(token: str) -> None:
    """Return null for a bare NaN or Infinity."""


def _parse_slowly(text: str) -> tuple[Any, str]:
    """Parse what orjson refuses; return the value and the text made fit for receivers.

    Numbers stay text: only the ordering key needs them, and Python refuses to turn integers of
    more than 4,300 digits into numbers.
    """
    try:
        parsed = json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise unreadable(type(error).__name__, text) from None
    # Only now: over text that is not valid JSON the bracket regex could take quadratic time.
    if _too_deep(text):
        raise unreadable("RecursionError", text)
    text = _NOT_A_NUMBER.sub(lambda m: m[0] if m[0].startswith('"') else "null", text)
    return parsed, text.encode("utf-8", "backslashreplace").decode("utf-8")


def _parse(text: str) -> tuple[list[Any], str]:
    parsed: Any
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        parsed, text = _parse_slowly(text)
    if not isinstance(parsed, list):
        raise unreadable("NotAList", text)
    if not parsed:
        raise unreadable("NoName", text)
    if not isinstance(parsed[0], str):
        raise unreadable("NameNotText", text)
    return parsed, text


def _refuse_long(text: str) -> None:
    """Refuse a packet whose payload is certainly too long, before parsing it."""
    match = _NAME.match(text)
    if match is None:
        # No name near the beginning: a packet this long is not worth the parser's time.
        raise unreadable("TooLong", text)
    if len(text) - match.end() - 1 > MAX_PAYLOAD_BYTES:
        length = len(text[match.end() : -1].encode("utf-8", "surrogatepass"))
        raise TooLarge(_readable_name(match[1]), length, _masked_head(text))


def _readable_name(token: str) -> str:
    try:
        return _storable_name(json.loads(token))
    except ValueError:
        return "…"


def _payload_text(text: str, count: int) -> str:
    """Return the exact text of the arguments: null for none, a list for several."""
    if count == 1:
        return "null"
    name = _NAME.match(text)
    if name is None:
        raise AssertionError("a valid list that begins with a string matches")
    end = text.rindex("]")
    if count == 2:
        return text[name.end() : end].rstrip(_SPACE)
    return f"[{text[name.end() : end]}]"


def _check_size(name: str, payload: str, text: str) -> None:
    # No character takes more than four bytes.
    if len(payload) * 4 <= MAX_PAYLOAD_BYTES:
        return
    length = len(payload.encode("utf-8"))
    if length > MAX_PAYLOAD_BYTES:
        raise TooLarge(name, length, _masked_head(text))


def read(text: str, hide_credentials: bool) -> Event:
    """Read the JSON array of an EVENT packet, exactly as received: `["agent-is-idle",{...}]`.

    Raises Unreadable if it is not an event, TooLarge above MAX_PAYLOAD_BYTES. The limit holds for
    the text as it will be stored; a text with more characters than that is not parsed.
    """
    return read_with_value(text, hide_credentials)[0]


def read_with_value(text: str, hide_credentials: bool) -> tuple[Event, Any]:
    """Return what `read` returns, and the payload's value, which is parsed anyway.

    Credentials are not hidden in the value. Its numbers are texts if orjson refuses the payload.
    """
    if len(text) > MAX_PAYLOAD_BYTES:
        _refuse_long(text)
    parsed, text = _parse(text)
    payload = _payload_text(text, len(parsed))
    hidden = 0
    if hide_credentials:
        payload, hidden = _hide(payload)
    name = _storable_name(parsed[0])
    _check_size(name, payload, text)
    arguments = parsed[1:]
    value = arguments[0] if len(arguments) == 1 else arguments or None
    key = order_key(name, value if len(arguments) == 1 else None)
    return Event(name, payload, key, hidden), value
