"""How much of a request is read, and how long, before anything looks into it."""

from __future__ import annotations

from typing import NoReturn

import gevent
from flask import Flask, Response, abort, request
from flask_login import current_user
from werkzeug.exceptions import HTTPException, RequestTimeout

from webhookproxy.api.shared.problems import asks_api
from webhookproxy.web.shared import throttle

# How long the whole body of a request may take, in seconds.
READ_SECONDS = 15
# What someone who is not logged in may send: the longest form then is a login.
ANONYMOUS_BYTES = 16_384
ANONYMOUS_FIELDS = 200
# What a program may send; its token was looked at before.
API_BYTES = 1_048_576
# The largest form of ours has 500 events and 50 conditions.
FIELDS = 2_000


def init_app(app: Flask) -> None:
    """Bound every body; to be called before anything that reads a form."""
    app.before_request(_read_body)


def _read_body() -> None:
    """Read the body within its bounds. 408, 413 or 429 for one that passes them.

    Parsing a form holds the event loop, so its size and its fields are bounded before that.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    anonymous = not asks_api() and not current_user.is_authenticated
    request.max_form_parts = fields = ANONYMOUS_FIELDS if anonymous else FIELDS
    if asks_api():
        request.max_content_length = API_BYTES
    if anonymous:
        request.max_content_length = ANONYMOUS_BYTES
        if (request.content_length or 0) > ANONYMOUS_BYTES:
            _refuse(413, "O envio é grande demais: antes de entrar, um formulário tem até 16 KB.")
        if not throttle.allowed("anonymous", throttle.address()):
            _refuse(429, "Muitos envios em pouco tempo: espere um minuto e tente de novo.")
    try:
        with gevent.Timeout(READ_SECONDS, RequestTimeout()):
            body = request.get_data()
    except HTTPException:
        raise
    except Exception:  # the server's parser has classes of its own, which quote what was sent
        abort(400)
    # Werkzeug counts the parts of multipart forms only.
    if request.mimetype == "application/x-www-form-urlencoded" and body.count(b"&") >= fields:
        abort(413)


def _refuse(status: int, sentence: str) -> NoReturn:
    """Answer with a line of text: a page would cost more than the request."""
    headers = {"Retry-After": "60"} if status == 429 else {}
    abort(Response(f"{sentence}\n", status, headers, mimetype="text/plain"))
