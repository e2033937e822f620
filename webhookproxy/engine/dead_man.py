"""The dead man's switch: a monitor elsewhere is called while all is well, and tells when it is not.

This program cannot tell anyone that it is gone; the monitor does when the calls stay away.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from webhookproxy.engine.liveness import Storing
from webhookproxy.network.http.client import Client
from webhookproxy.network.http.errors import NoAnswer
from webhookproxy.network.http.message import prepared
from webhookproxy.version import __version__

logger = logging.getLogger(__name__)

CALL_SECONDS = 60.0
# How soon a call is tried that was not made, or not accepted.
AGAIN_SECONDS = 15.0
# How long a call may take, whatever the other side does.
TIMEOUT_SECONDS = 10.0
# Until a failure that lasts is logged again.
QUIET_SECONDS = 3600.0


class DeadMansSwitch:
    """A background job: calls HEARTBEAT_URL each minute while events are stored (`look`)."""

    def __init__(self, url: str, client: Client, look: Callable[[], Storing]) -> None:
        self.pause = AGAIN_SECONDS if url else CALL_SECONDS
        self._url = url
        # The rest of the address is a secret: it lets anyone call in our name.
        self._host = urlsplit(url).hostname
        self._client = client
        self._look = look
        self._failed = False
        self._said = -QUIET_SECONDS

    def step(self) -> bool:
        """Call if /saude would answer 200; return whether the call was accepted."""
        if not self._url or not self._look().ok:
            return False
        problem = self._call()
        self._say(problem)
        self.pause = AGAIN_SECONDS if problem else CALL_SECONDS
        return not problem

    def _call(self) -> str:
        """Return why the call failed, in a sentence that names no address; empty if it did not."""
        request = prepared(self._url, "GET")
        request.headers["User-Agent"] = f"webhookproxy/{__version__}"
        try:
            response = self._client.send(request, timeout=TIMEOUT_SECONDS)
        except NoAnswer as error:
            return error.detail
        if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            return f"It answered {response.status_code}."
        return ""

    def _say(self, problem: str) -> None:
        """Log the first failure, and one that lasts each hour; log when it is over."""
        now = time.monotonic()
        if problem and (not self._failed or now - self._said >= QUIET_SECONDS):
            self._said = now
            logger.warning("HEARTBEAT_URL (%s) takes no calls: %s", self._host, problem)
        elif self._failed and not problem:
            logger.info("HEARTBEAT_URL (%s) takes calls again", self._host)
        self._failed = bool(problem)
