"""/metrics: the text for Prometheus, for programs that have METRICS_TOKEN."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

from flask import Blueprint, Response, abort, current_app, request
from gevent.lock import BoundedSemaphore
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from webhookproxy.web.health import METRICS_PATH
from webhookproxy.web.metrics.text import rendered

blueprint = Blueprint("metrics", __name__)

# A text is given to everyone who asks within this time: making one costs as much as many events.
KEPT_SECONDS = 1.0
# How long a request waits for the text that another one is making.
WAIT_SECONDS = 10.0


class KeptText:
    """The last text, made again when it is old; one is made at a time."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._text = b""
        self._made = -KEPT_SECONDS
        self._making = BoundedSemaphore()

    def get(self) -> bytes | None:
        """Return a text that is not older than KEPT_SECONDS; None if making one takes too long."""
        if not self._making.acquire(timeout=WAIT_SECONDS):
            return None
        try:
            if time.monotonic() - self._made >= KEPT_SECONDS:
                self._text = self._make()
                self._made = time.monotonic()
            return self._text
        finally:
            self._making.release()


@blueprint.get(METRICS_PATH)
def show() -> Response:
    """Return the text; 404 without METRICS_TOKEN, 401 for another token."""
    token: str = current_app.config["METRICS_TOKEN"]
    if not token:
        abort(404)
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        said = "Envie o METRICS_TOKEN no cabeçalho Authorization: Bearer.\n"
        return Response(said, 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
    kept: KeptText = current_app.extensions.setdefault("metrics", KeptText(rendered))
    text = kept.get()
    if text is None:
        abort(503)
    return Response(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)
