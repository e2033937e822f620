"""What somebody typed into a form behind which their session expired, kept until they are back."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict

from flask import request, session
from werkzeug.datastructures import MultiDict

from webhookproxy.web.shared import throttle

DRAFTS_MAX = 100
DRAFT_SECONDS = 1800.0
DRAFT_CHARACTERS = 100_000
# Fields whose text must not lie about: neither kept here nor printed.
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

_Draft = tuple[float, str, list[tuple[str, str]]]
_drafts: OrderedDict[str, _Draft] = OrderedDict()


def keep_and_return() -> str:
    """The page to go back to after the login; what was sent to it is kept, but for secrets.

    Only a form of our own page is kept: the browser says where a request comes from, and another
    site's must not put words into ours.
    """
    path = request.full_path.removesuffix("?")
    if request.method == "GET":
        # A live page asking for what changed is not where somebody was going.
        streams = "text/event-stream" in request.headers.get("Accept", "")
        return str(session.get("next", "/")) if streams else path
    fields = [(name, text) for name, text in request.form.items(multi=True) if _kept(name)]
    size = sum(len(name) + len(text) for name, text in fields)
    ours = request.headers.get("Sec-Fetch-Site") == "same-origin" and size <= DRAFT_CHARACTERS
    if ours and throttle.allowed("draft", throttle.address()):
        key = session["draft"] = secrets.token_urlsafe(16)
        _drafts[key] = (time.monotonic(), request.path, fields)
        while len(_drafts) > DRAFTS_MAX:
            _drafts.popitem(last=False)
    # An address that only takes a button's press has no page: back to the one it was on.
    rule = request.url_rule
    return path if rule is not None and "GET" in (rule.methods or ()) else "/"


def _kept(name: str) -> bool:
    return name not in SECRET_FIELDS


def take() -> MultiDict[str, str] | None:
    """What was typed on this page before the session expired; once, and None if nothing was."""
    key = session.get("draft", "")
    kept = _drafts.get(key)
    if kept is None:
        return None
    since, path, fields = kept
    if path != request.path:
        return None
    del _drafts[key]
    session.pop("draft")
    return MultiDict(fields) if time.monotonic() - since < DRAFT_SECONDS else None
