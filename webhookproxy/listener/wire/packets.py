"""The text of a Socket.IO packet: its parts, and an event whose attachments are put into it."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

# Type, count of attachments, namespace, id and the rest of a Socket.IO packet.
PACKET = re.compile(
    r"(?P<kind>[0-6])(?:(?P<count>\d+)-)?(?:(?P<namespace>/[^,]*)(?:,|\Z))?(?P<id>\d*)(?P<body>.*)",
    re.DOTALL,
)

_PLACEHOLDER = re.compile(
    r'\{\s*(?:"_placeholder"\s*:\s*true\s*,\s*"num"\s*:\s*(\d{1,9})'
    r'|"num"\s*:\s*(\d{1,9})\s*,\s*"_placeholder"\s*:\s*true)\s*\}'
)

# What a server with connection state recovery appends to an event, for all adapters that there are.
_OFFSET = re.compile(r'[ \t\n\r]*,[ \t\n\r]*"([\w.:-]{1,128})"[ \t\n\r]*\][ \t\n\r]*\Z', re.ASCII)
_OFFSET_MAX = 160


def is_ours(packet: re.Match[str]) -> bool:
    """Return whether a packet is of the default namespace, the only one that we connect to."""
    namespace = packet["namespace"]
    return namespace is None or namespace.partition("?")[0] == "/"


def without_offset(text: str) -> tuple[str, str]:
    """Return an event's text without its offset, and the offset; "" if it has none.

    Only for an event of a server that could recover events: such a server appends an offset to
    each, as the last argument. It is a name of the event, without spaces and escapes.
    """
    match = _OFFSET.search(text, max(0, len(text) - _OFFSET_MAX))
    return (text, "") if match is None else (f"{text[: match.start()]}]", match[1])


def with_attachments(text: str, attachments: Sequence[bytes]) -> str:
    """Return the text of a binary event with `{"_base64": "..."}` for each of its attachments.

    Raises ValueError if it names one that did not come. Over valid JSON the regex is exact: inside
    a string a quote follows a backslash.
    """

    def encoded(match: re.Match[str]) -> str:
        number = int(match[1] or match[2])
        if number >= len(attachments):
            raise ValueError("an event names an attachment that it does not have")
        return f'{{"_base64":"{base64.b64encode(attachments[number]).decode("ascii")}"}}'

    return _PLACEHOLDER.sub(encoded, text)
