"""A form that was sent after its session expired: it waits in the session's signed cookie.

Every form that stores something carries a submission key, which is signed together with the user
the form was drawn for. Only such a form is kept, and only that user sees it again.
"""

from __future__ import annotations

import time
import zlib
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from flask import current_app, request, session
from itsdangerous import BadData, URLSafeSerializer
from werkzeug.datastructures import MultiDict

DRAFT_SECONDS = 1800
# Compressed. A browser drops a cookie of more than 4 KB, with Base64 and all else in the session.
DRAFT_BYTES = 2_300
# Fields whose text is neither kept here nor printed anywhere.
SECRET_FIELDS = frozenset(
    {
        "csrf_token",
        "token",
        "authorization",
        "secret",
        "password",
        "current",
        "repeated",
        "code",
        "recovery",
        "number",
    }
)


def submission_key(user_id: int) -> str:
    """Return a new key for a form that is drawn for this user."""
    return str(_signer().dumps([user_id, uuid4().hex]))


def keep() -> None:
    """Keep what this request sent, but for secrets, if it is a form of ours and not too long."""
    try:
        user_id, _ = _signer().loads(request.form.get("submission", ""))
    except BadData:
        return
    fields = request.form.items(multi=True)
    typed = urlencode([(name, text) for name, text in fields if name not in SECRET_FIELDS])
    if len(zlib.compress(typed.encode())) <= DRAFT_BYTES:
        session["draft"] = [user_id, request.path, int(time.time()), typed]


def take(user_id: int) -> MultiDict[str, str] | None:
    """Return what this user typed on this page before the session expired, once; else None."""
    owner, path, since, typed = session.get("draft", (0, "", 0, ""))
    if owner != user_id or path != request.path:
        return None
    del session["draft"]
    fields = MultiDict(parse_qsl(typed, keep_blank_values=True))
    return fields if time.time() - since < DRAFT_SECONDS else None


def forget_others(user_id: int) -> None:
    """Drop a draft that another user typed. Call this when a login is complete."""
    if session.get("draft", [user_id])[0] != user_id:
        del session["draft"]


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="webhookproxy submission")
