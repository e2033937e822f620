"""Redirects, followed only where the caller asks for it by calling this."""

from __future__ import annotations

import time
from urllib.parse import urldefrag, urljoin, urlsplit

from requests import PreparedRequest, Response

from webhookproxy.network.http.client import Client
from webhookproxy.network.http.errors import NoAnswer
from webhookproxy.network.http.message import prepared
from webhookproxy.reasons import DeliveryReason

REDIRECTS_MAX = 5
# The headers that may be shown to a server that the caller did not name: no credentials, no
# signatures.
_HARMLESS = ("accept", "content-type", "user-agent")
# The method and the body stay the same with these; with others the next request is a GET.
_SAME_METHOD = (307, 308)
_REDIRECTS = (301, 302, 303, *_SAME_METHOD)


def send_following(
    client: Client, request: PreparedRequest, timeout: float, *, stream: bool = False
) -> Response:
    """Send a request and follow where it is redirected to, all within `timeout` seconds.

    Every address on the way is checked as the first one was, https is never left for http, and
    only harmless headers are sent on. Raises NoAnswer, also for too many redirects.
    """
    deadline = time.monotonic() + timeout
    for _ in range(REDIRECTS_MAX + 1):
        left = max(0.0, deadline - time.monotonic())
        response = client.send(request, stream=stream, timeout=left)
        location = response.headers.get("Location")
        if response.status_code not in _REDIRECTS or not location:
            return response
        response.close()
        request = _next(request, response.status_code, location)
    raise NoAnswer(DeliveryReason.REDIRECTED, "The address redirects too often.")


def _next(request: PreparedRequest, status: int, location: str) -> PreparedRequest:
    url = request.url or ""
    try:
        target = urldefrag(urljoin(url, location)).url
        downgraded = urlsplit(url).scheme == "https" != urlsplit(target).scheme
    except ValueError:
        downgraded = True
    if downgraded:
        raise NoAnswer(DeliveryReason.REDIRECTED, "The address redirects to one that is not https.")
    same = status in _SAME_METHOD
    following = prepared(target, request.method or "" if same else "GET")
    for name, value in request.headers.items():
        if name.lower() in _HARMLESS and (same or name.lower() != "content-type"):
            following.headers[name] = value
    following.body = request.body if same else None
    return following
