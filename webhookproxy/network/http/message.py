"""A request, from its making to the bytes that leave."""

from __future__ import annotations

from dataclasses import dataclass

from requests import PreparedRequest

from webhookproxy.network.guard import DEFAULT_PORTS, Policy, Target, UrlRefused, check_url
from webhookproxy.network.http.errors import NoAnswer
from webhookproxy.reasons import DeliveryReason


@dataclass(frozen=True, slots=True)
class Route:
    """Where one URL leads, and the beginning of every request to it.

    `origin` is the same for all URLs whose requests may share a connection.
    """

    method: str
    url: str
    target: Target
    origin: str
    head: str


def prepared(url: str, method: str = "POST") -> PreparedRequest:
    """Return a request, made once for each URL: copy it, then give it headers and a body.

    Nothing of the environment enters it: no proxy, no .netrc, no cookies. Whether the URL may be
    used is decided when it is sent.
    """
    request = PreparedRequest()
    request.method = method
    request.url = url
    # A plain dict does: an adapter only goes through them.
    request.headers = {}  # type: ignore[assignment]
    return request


def route_of(method: str, url: str, policy: Policy) -> Route:
    """Return the way to a URL; raises NoAnswer if it may not be used."""
    try:
        target = check_url(url, policy)
    except UrlRefused as refused:
        raise NoAnswer(DeliveryReason.ADDRESS_NOT_ALLOWED, refused.english) from None
    host = f"[{target.host}]" if ":" in target.host else target.host
    if target.port != DEFAULT_PORTS[target.scheme]:
        host += f":{target.port}"
    head = f"{method} {target.path_and_query} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity"
    return Route(method, url, target, f"{target.scheme}://{host}", head)


def message_of(route: Route, request: PreparedRequest) -> bytes:
    """Return head and body in one piece, so that they leave in one segment."""
    body = request.body or b""
    if isinstance(body, str):
        body = body.encode()
    fields = [f"{name}: {value}" for name, value in request.headers.items()]
    if body or route.method != "GET":
        fields.insert(0, f"Content-Length: {len(body)}")
    text = "".join([f"\r\n{field}" for field in fields])
    breaks = len(fields)
    if text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
        raise _bad_header()
    try:
        return f"{route.head}{text}\r\n\r\n".encode("latin-1") + body
    except UnicodeEncodeError:
        raise _bad_header() from None


def _bad_header() -> NoAnswer:
    return NoAnswer(
        DeliveryReason.INTERNAL_ERROR,
        "A header has a line break or a character outside Latin-1, so nothing was sent.",
    )
