"""A form that was sent after its session expired: it waits in the session's cookie, encrypted.

It is kept only if it comes from a page of ours, and the user for whom that page was drawn is the
only one who sees it again.
"""

from __future__ import annotations

import base64
import zlib
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from flask import g, request, session
from werkzeug.datastructures import MultiDict

from webhookproxy.config.keys import KeyringError
from webhookproxy.database.clock import seconds_now
from webhookproxy.models.types import keyring
from webhookproxy.rules.headers import HEADERS_MAX

DRAFT_SECONDS = 1800
# Compressed. A browser drops a cookie of more than 4 KB, with Base64 and all else in the session.
DRAFT_BYTES = 1_900
# The values of a webhook's own headers, row by row.
HEADER_VALUES = tuple(f"header_value-{n}" for n in range(HEADERS_MAX))
# Fields whose text is neither kept here nor printed anywhere.
SECRET_FIELDS = frozenset(
    {
        "csrf_token",
        "token",
        "rest_token",
        "authorization",
        "secret",
        *HEADER_VALUES,
        "password",
        "current",
        "repeated",
        "code",
        "recovery",
        "number",
        # An address of alerts: a bot's token, or a URL that is one.
        "target",
    }
)


def submission_key(user_id: int) -> str:
    """Return a new key for a form that is drawn for this user."""
    return f"{user_id}-{uuid4().hex}"


def keep() -> None:
    """Keep what this request sent, but for secrets, if it is a form of ours and not too long."""
    # The browser says where a form comes from: another site's must not put words into ours.
    if request.headers.get("Sec-Fetch-Site") != "same-origin":
        return
    owner, _, _ = request.form.get("submission", "").partition("-")
    fields = request.form.items(multi=True)
    typed = urlencode([(name, text) for name, text in fields if name not in SECRET_FIELDS])
    packed = zlib.compress(typed.encode(), 9)
    if len(packed) <= DRAFT_BYTES:
        sealed = keyring().encrypt(base64.b85encode(packed).decode())
        session["draft"] = [owner, request.path, int(seconds_now()), sealed]


def take() -> MultiDict[str, str] | None:
    """Return what was typed on this page before the session expired, once; else None."""
    _, path, since, sealed = session.get("draft", ("", "", 0, ""))
    if path != request.path or g.get("account") is None:
        return None
    del session["draft"]
    if seconds_now() - since > DRAFT_SECONDS:
        return None
    try:
        typed = zlib.decompress(base64.b85decode(keyring().decrypt(sealed))).decode()
    except KeyringError:
        # The data keys were replaced meanwhile.
        return None
    return MultiDict(parse_qsl(typed, keep_blank_values=True))


def forget_others(user_id: int) -> None:
    """Drop what another user typed. Call this when a login is complete."""
    if session.get("draft", [""])[0] not in ("", str(user_id)):
        del session["draft"]
