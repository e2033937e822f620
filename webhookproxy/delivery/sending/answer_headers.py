"""The headers of an answer, fit to be stored and shown: bounded, and without credentials."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from webhookproxy.delivery.sending.receivers import redirect_target
from webhookproxy.logs.redaction import HIDDEN, redact

# Characters of one name, of one value, and bytes of all lines together.
NAME_MAX = 60
VALUE_MAX = 300
HEADERS_MAX = 2_048
_COUNT_MAX = 100
# Characters of a line, after its name, that are looked at.
_LOOK_AT = 4 * VALUE_MAX
# By its name such a header is a credential. A challenge only says which one is wanted.
_CREDENTIAL = re.compile(r"cookie|auth|token|key|secret|passw|session|csrf|xsrf|signature|jwt")
_CHALLENGES = ("www-authenticate", "proxy-authenticate")
# A value without any of these has nothing that `redact` would hide: seven patterns cost ten times.
_SUSPECT = re.compile(
    r"[?@/]|whsec_|\d{2}.{0,3}\d{2}|auth|bearer|token|key|secret|passw", re.IGNORECASE
)
# Every character at which str.splitlines() breaks.
_BREAK = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_ADDRESSES = ("location", "content-location")


def storable_headers(
    url: str, headers: Iterable[tuple[str, str]], without_secrets: Callable[[str], str]
) -> str:
    """Return the headers of an answer from `url`, one "name: value" a line, HEADERS_MAX at most.

    The values of credentials are hidden, and an address leads only where anyone may look.
    `without_secrets` hides those that were sent. A last line of "…" says that some are left out.
    """
    raw = "\n".join(_BREAK.sub(" ", f"{name}: {value}") for name, value in headers)
    lines: list[str] = []
    left = HEADERS_MAX - len(f"\n{HIDDEN}".encode())
    for count, line in enumerate(without_secrets(raw).splitlines()):
        shown = _shown(url, line)
        left -= len(shown.encode()) + 1
        if left < 0 or count == _COUNT_MAX:
            lines.append(HIDDEN)
            break
        lines.append(shown)
    return "\n".join(lines)


# Most headers are the same in all answers of a receiver, the date for a second.
@lru_cache(maxsize=512)
def _shown(url: str, line: str) -> str:
    name, _, value = line[: NAME_MAX + _LOOK_AT].partition(": ")
    name = _plain(name)[:NAME_MAX].lower()
    return f"{name}: {_shown_value(url, name, _plain(value))}"


def _shown_value(url: str, name: str, value: str) -> str:
    if name in _ADDRESSES:
        return redirect_target(url, value) or HIDDEN
    if _CREDENTIAL.search(name) and name not in _CHALLENGES:
        return HIDDEN
    text = redact(value) if _SUSPECT.search(value) else value
    return text if len(text) <= VALUE_MAX else f"{text[: VALUE_MAX - 1]}{HIDDEN}"


def _plain(text: str) -> str:
    """Return a text without what does not print."""
    if not text.isprintable():
        text = "".join(each if each.isprintable() else " " for each in text)
    return text.strip()
