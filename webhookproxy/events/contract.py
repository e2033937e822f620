"""The contract with receivers: the body's bytes, the headers, the signatures."""

from __future__ import annotations

import base64
import hmac
import json
import random
import re
import string
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from secrets import randbits
from threading import Lock
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

from webhookproxy.version import __version__

SOURCE = "webhook-proxy-3c-plus"
# What begins a secret of Standard Webhooks, and how many bytes its Base64 may stand for.
WHSEC = "whsec_"
_WHSEC_BYTES = range(24, 65)

# RFC 9110 5.6.2 (RFC 7235 called it the auth-scheme): a token, spaces, then the credentials.
_HAS_SCHEME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+ +[^ ].*", re.DOTALL)
JSON_TYPE = "application/json"
# JSON first: with anything else first, Laravel answers a refusal with a redirect to a page.
ACCEPT = "application/json, */*;q=0.8"
NO_IDS: Mapping[str, str] = MappingProxyType({})
# Of an event that was made from what 3C Plus has on record of a call; `meta` has it too.
RECOVERED: Mapping[str, str] = MappingProxyType({"X-Webhook-Recovered": "1"})
_VISIBLE_ASCII = string.ascii_letters + string.digits + string.punctuation


def token_mask(token: str) -> str:
    """Return the first and the last four characters; only "…" of twelve characters or fewer."""
    return f"{token[:4]}…{token[-4:]}" if len(token) > 12 else "…"


class _EventIds:
    """UUIDv7 (RFC 9562 6.2, method 2): within one millisecond the random part only grows."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._milliseconds = -1
        self._random = 0

    def next(self, now_ms: int) -> str:
        with self._lock:
            if now_ms > self._milliseconds:
                self._start(now_ms)
            else:
                # The step need not be secret: the number it is added to is secret.
                self._random += random.getrandbits(32) + 1  # nosec B311
                if self._random >> 74:
                    self._start(self._milliseconds + 1)
            high = self._milliseconds << 16 | 0x7000 | self._random >> 62
            low = 0b10 << 62 | self._random & (1 << 62) - 1
        return f"evt_{high << 64 | low:032x}"

    def _start(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds
        # The top bit stays free, so that there is room to grow.
        self._random = randbits(73)


_event_ids = _EventIds()


def new_event_id(now_ms: int) -> str:
    """Return a new "evt_" + UUIDv7 in 32 hexadecimal digits, greater than the one before.

    That holds within a process, also inside one millisecond and when the clock goes back.
    `now_ms` is milliseconds since 1970, UTC.
    """
    return _event_ids.next(now_ms)


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def timestamp(ms: int) -> str:
    """Return milliseconds since 1970 as "2024-01-01T00:00:00.000Z"."""
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


def _json_text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


# For texts of many bodies: names of events, ids of sockets, masks of tokens.
repeated_json = lru_cache(maxsize=1024)(_json_text)


class Source(NamedTuple):
    """What a body is made of; `payload` is JSON text. A tuple is made quickly, as each body is."""

    event: str
    payload: str
    socket_id: str
    token_mask: str
    received_at_ms: int
    webhook_id: int
    company_id: int
    event_id: str
    recovered: bool = False
    # The link to the call's recording; the payload has it too.
    recording_url: str = ""


def body(source: Source) -> bytes:
    """Return the bytes that are signed and sent, the same at every attempt.

    The payload goes in as it is: it is not parsed, and not checked, here.
    """
    (
        event, payload, socket_id, token_mask, received_ms, webhook_id, company_id, event_id,
        recovered, _,
    ) = source  # fmt: skip
    more = ',"recovered":true' if recovered else ""
    text = (
        f'{{"event":{repeated_json(event)},"payload":{payload},'
        f'"meta":{{"socketId":{repeated_json(socket_id)},"token_mask":{repeated_json(token_mask)},'
        f'"received_at":"{timestamp(received_ms)}","source":"{SOURCE}",'
        f'"webhook_id":"webhook_{webhook_id}","company_id":"company_{company_id}",'
        f'"event_id":{_json_text(event_id)}{more}}}}}'
    )
    # A lone surrogate can only be inside a string, where its backslash form is its JSON escape.
    return text.encode("utf-8", "backslashreplace")


def signature(secret: str, body: bytes) -> str:
    """Return X-Signature-SHA256: HMAC-SHA256 in lower-case hex, keyed with the secret in UTF-8."""
    return hmac.digest(secret.encode("utf-8"), body, "sha256").hex()


def standard_signature(secrets: Sequence[str], event_id: str, timestamp_s: int, body: bytes) -> str:
    """Return the webhook-signature of Standard Webhooks v1: a "v1,<base64>" for each secret.

    The key is what a library decodes from `whsec(secret)`; `timestamp_s` is in seconds since 1970.
    """
    signed = b"%b.%d.%b" % (event_id.encode("utf-8"), timestamp_s, body)
    keys = (decoded_whsec(secret) or secret.encode("utf-8") for secret in secrets)
    digests = (hmac.digest(key, signed, "sha256") for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode('ascii')}" for digest in digests)


def whsec(secret: str) -> str:
    """Return the secret in the form of Standard Webhooks libraries: "whsec_" + base64."""
    if decoded_whsec(secret):
        return secret
    return WHSEC + base64.b64encode(secret.encode("utf-8")).decode("ascii")


def decoded_whsec(secret: str) -> bytes | None:
    """Return the bytes of a secret in the form of those libraries; None if it has another form."""
    if not secret.startswith(WHSEC):
        return None
    try:
        key = base64.b64decode(secret.removeprefix(WHSEC), validate=True)
    except ValueError:
        return None
    return key if len(key) in _WHSEC_BYTES else None


def authorization(value: str) -> str:
    """Return the Authorization header: as typed if it has a scheme, else after "Bearer "."""
    return value if _HAS_SCHEME.fullmatch(value) else f"Bearer {value}"


def headers(
    *,
    event: str,
    event_id: str,
    attempt: int,
    body: bytes,
    authorization_value: str | None,
    secrets: Sequence[str],
    now_s: int,
    content_type: str = JSON_TYPE,
    ids: Mapping[str, str] = NO_IDS,
    own: Sequence[tuple[str, str]] = (),
) -> dict[str, str]:
    """Return the headers of one attempt, in the order they are sent.

    `secrets` has the newest first. X-Signature-SHA256 has room for one signature and uses the
    oldest, which every receiver still has; while there are two, X-Signature-SHA256-Next is by the
    newest. `attempt` counts from 1; `now_s` is the moment of the attempt in seconds since 1970.
    Characters of an event's name that are not visible ASCII are percent-encoded. `ids` are headers
    for what the body does not say (see `ids_beside`). `own` are the webhook's: one that is named
    like one of ours (Accept, User-Agent) replaces it.
    """
    result = {"Content-Type": content_type}
    if authorization_value:
        result["Authorization"] = authorization(authorization_value)
    if secrets:
        result["X-Signature-SHA256"] = signature(secrets[-1], body)
        if len(secrets) > 1:
            result["X-Signature-SHA256-Next"] = signature(secrets[0], body)
        result["webhook-id"] = event_id
        result["webhook-timestamp"] = str(now_s)
        result["webhook-signature"] = standard_signature(secrets, event_id, now_s, body)
    result["X-Webhook-Event"] = quote(event, safe=_VISIBLE_ASCII, errors="backslashreplace")
    result["X-Webhook-Attempt"] = str(attempt)
    result.update(ids)
    result["Accept"] = ACCEPT
    result["User-Agent"] = f"webhookproxy/{__version__}"
    if own:
        replaced = {name.lower() for name, _ in own}
        result = {name: value for name, value in result.items() if name.lower() not in replaced}
        result.update(own)
    return result


def ids_beside(event_id: str, company_id: int) -> dict[str, str]:
    """Return the headers with the ids of an event whose body has no `meta`."""
    return {"X-Webhook-Event-Id": event_id, "X-Webhook-Company-Id": f"company_{company_id}"}
