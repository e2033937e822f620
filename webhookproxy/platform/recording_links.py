"""The link to a call's recording, which the body of its history carries.

The token of a link is derived from a key of the company and the id of the event: so the body of an
event has the same bytes whenever it is made again, and the database holds neither the link nor
anything from which it follows without the data keys.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from typing import Any

from webhookproxy.events.formats.call_fields import RECORDING_URL
from webhookproxy.events.recovery.histories import history_in

# The page is under this path of the server's public address.
PATH = "/gravacao/"
# Stands for the token where a person is shown a body.
MASKED = "…"
_BYTES = 16
_HISTORY_ID = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
_NOT_RECORDED = (False, "0", "false")


def recording_token(key: str, event_id: str) -> str:
    """Return the token of an event's link: 128 bits that no one guesses without the key."""
    digest = hmac.digest(key.encode(), event_id.encode(), "sha256")[:_BYTES]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def recording_url(base: str, token: str) -> str:
    """Return the link; `base` is the public address of the server."""
    return f"{base}{PATH}{token}"


def with_recording(payload: str, url: str) -> str:
    """Return a payload's text with the link as its last field, all else as it came.

    A payload that is no object, or has the field already, stays as it is.
    """
    text = payload.rstrip()
    if not (text.startswith("{") and text.endswith("}")) or f'"{RECORDING_URL}"' in text:
        return payload
    comma = "" if not text[1:-1].strip() else ","
    return f"{text[:-1]}{comma}{json.dumps(RECORDING_URL)}:{json.dumps(url, ensure_ascii=False)}}}"


def is_askable(history_id: str) -> bool:
    """Return whether the id of a history may be a part of an address at 3C Plus."""
    return _HISTORY_ID.fullmatch(history_id) is not None


def may_be_recorded(payload: Any) -> bool:
    """Return whether the history in a parsed payload does not say that there is no recording."""
    history = history_in(payload)
    return bool(history) and history.get("recorded") not in _NOT_RECORDED
