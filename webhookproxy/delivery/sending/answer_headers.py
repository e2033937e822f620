"""The headers of an answer, fit to be stored and shown: bounded, and without credentials."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from webhookproxy.delivery.sending.receivers import redirect_target
from webhookproxy.logs.redaction import HIDDEN, redact

# Characters of one name, of one value, and bytes of all lines together.
NAME_MAX = 60
VALUE_MAX = 300
HEADERS_MAX = 2_048
_COUNT_MAX = 100
# Characters of a value in which credentials are looked for.
_LOOK_AT = 4 * VALUE_MAX
# By its name such a header is a credential. A challenge only says which one is wanted.
_CREDENTIAL = re.compile(r"cookie|auth|token|key|secret|passw|session|csrf|xsrf|signature|jwt")
_CHALLENGES = ("www-authenticate", "proxy-authenticate")
_ADDRESSES = ("location", "content-location")


def storable_headers(
    url: str, headers: Iterable[tuple[str, str]], without_secrets: Callable[[str], str]
) -> str:
    """Return the headers of an answer from `url`, one "name: value" a line, HEADERS_MAX at most.

    The values of credentials are hidden, and an address leads only where anyone may look.
    `without_secrets` hides those that were sent. A last line of "…" says that some are left out.
    """
    lines: list[str] = []
    left = HEADERS_MAX - len(f"\n{HIDDEN}".encode())
    for count, (name, value) in enumerate(headers):
        name = without_secrets(name).lower()
        line = f"{_plain(name)[:NAME_MAX]}: {_shown(url, name, without_secrets(value))}"
        left -= len(line.encode()) + 1
        if left < 0 or count == _COUNT_MAX:
            lines.append(HIDDEN)
            break
        lines.append(line)
    return "\n".join(lines)


def _shown(url: str, name: str, value: str) -> str:
    if name in _ADDRESSES:
        return redirect_target(url, value) or HIDDEN
    if _CREDENTIAL.search(name) and name not in _CHALLENGES:
        return HIDDEN
    text = redact(_plain(value))
    return text if len(text) <= VALUE_MAX else f"{text[: VALUE_MAX - 1]}{HIDDEN}"


def _plain(text: str) -> str:
    """Return a text without what does not print: it must stay on its line."""
    return "".join(each if each.isprintable() else " " for each in text[:_LOOK_AT]).strip()
