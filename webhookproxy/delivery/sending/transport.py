"""One POST over a kept-alive connection, within one deadline, whatever the receiver does.

What an answer counts as: it counts once its status line and headers have arrived whole. From then
on the status decides: a body that is cut short, or still dripping at the deadline, changes
nothing, for the receiver has said what it did. Before that, and whenever the bytes break HTTP (a
chunk without a size), the attempt failed.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gevent
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from webhookproxy.delivery.sending.wire import Answer, Link
from webhookproxy.network import dial
from webhookproxy.network.guard import DEFAULT_PORTS, Policy, Target, UrlRefused, check_url
from webhookproxy.reasons import DeliveryReason

DEFAULT_TIMEOUT = 15.0
# Seconds; servers drop an idle connection after 60 (nginx: 75, Node: 5) and take no leave.
IDLE_SECONDS = 50.0
# Bytes of the answer that are kept; a success says little that anybody reads.
KEPT_ON_SUCCESS = 1_024
KEPT_ON_FAILURE = 16_384


class TransportError(Exception):
    """No answer: `detail` is a plain English sentence that names no address."""

    def __init__(self, reason: DeliveryReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class _Unanswered(TransportError):
    """The connection ended before a byte of the answer."""

    def __init__(self) -> None:
        super().__init__(
            DeliveryReason.CONNECTION_LOST, "The receiver closed the connection without answering."
        )


@dataclass(frozen=True, slots=True)
class _Route:
    """Where one URL leads, and the beginning of every request to it."""

    url: str
    target: Target
    head: str


def prepared(url: str) -> PreparedRequest:
    """The request to a webhook's URL, made once: copy it, then give it headers and a body.

    Nothing of the environment enters it: no proxy, no .netrc, no cookies. Whether the URL may be
    used is decided when it is sent.
    """
    request = PreparedRequest()
    request.method = "POST"
    request.url = url
    # A plain dict does: an adapter only goes through them.
    request.headers = {}  # type: ignore[assignment]
    return request


class Transport(BaseAdapter):
    """The way to one webhook; may be used by many greenlets at once.

    At most `max_idle` connections are kept, each for 50 s at most. Redirects are answers like
    any other; nothing is decompressed; certificates are always checked.
    """

    def __init__(self, policy: Policy, resolver: dial.Resolver, max_idle: int = 8) -> None:
        super().__init__()
        self._policy = policy
        self._resolver = resolver
        self._max_idle = max_idle
        self._idle: list[Link] = []
        self._route: _Route | None = None
        self._sweeper: gevent.Greenlet[..., None] | None = None
        self._closed = False

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: ARG002 - the answer is always read here
        timeout: float | tuple[float, float] | tuple[float, None] | None = DEFAULT_TIMEOUT,
        verify: bool | str = True,  # noqa: ARG002 - never obeyed
        cert: Any = None,  # noqa: ARG002 - never obeyed
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002 - never obeyed
    ) -> Response:
        """POST the request; the response's content is cut to 1 KB (2xx) or 16 KB.

        `timeout` is the whole attempt's, in seconds, from the name to the last byte (a pair, which
        means something else to requests, counts as the default). Raises
        TransportError and nothing else, but for GreenletExit and a gevent.Timeout of the caller.
        """
        seconds = timeout if isinstance(timeout, (int, float)) else DEFAULT_TIMEOUT
        deadline = time.monotonic() + seconds
        route = self._route_to(request.url or "")
        message = _message(route.head, request)
        link = self._take_idle()
        if link is not None:
            try:
                return self._exchange(link, message, request, deadline)
            except _Unanswered:
                # It was closed while it was idle, which says nothing about the receiver.
                pass
        link = self._open(route.target, deadline)
        return self._exchange(link, message, request, deadline)

    def close(self) -> None:
        """Close the idle connections, and those in use when they are done."""
        self._closed = True
        for link in self._idle:
            link.close()
        self._idle.clear()
        if self._sweeper is not None:
            self._sweeper.kill(block=False)
            self._sweeper = None

    def _route_to(self, url: str) -> _Route:
        if self._route is None or self._route.url != url:
            try:
                self._route = _route(url, self._policy)
            except UrlRefused as refused:
                raise TransportError(DeliveryReason.ADDRESS_NOT_ALLOWED, refused.english) from None
        return self._route

    def _take_idle(self) -> Link | None:
        """The connection used last, if it is fit for use: the others are older still."""
        while self._idle:
            link = self._idle.pop()
            if time.monotonic() - link.idle_since < IDLE_SECONDS and not dial.is_stale(link.sock):
                return link
            link.close()
        return None

    def _keep(self, link: Link) -> None:
        if self._closed or len(self._idle) >= self._max_idle:
            link.close()
            return
        link.idle_since = time.monotonic()
        self._idle.append(link)
        if self._sweeper is None:
            self._sweeper = gevent.spawn_later(IDLE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close what nobody used again: a burst must not hold its descriptors for ever."""
        oldest_kept = time.monotonic() - IDLE_SECONDS
        for link in self._idle:
            if link.idle_since <= oldest_kept:
                link.close()
        self._idle = [link for link in self._idle if link.idle_since > oldest_kept]
        self._sweeper = gevent.spawn_later(IDLE_SECONDS, self._sweep) if self._idle else None

    def _open(self, target: Target, deadline: float) -> Link:
        try:
            sock = dial.connect(
                target.host, target.port, self._policy, self._resolver, _left(deadline)
            )
            if target.scheme == "https":
                sock = _wrap(sock, target.host, deadline)
        except dial.DialError as error:
            raise TransportError(error.reason, error.detail) from None
        return Link(sock)

    def _exchange(
        self, link: Link, message: bytes, request: PreparedRequest, deadline: float
    ) -> Response:
        """Send the message and read the answer; the connection is kept or closed."""
        timer = gevent.Timeout.start_new(_left(deadline))
        answer: Answer | None = None
        content = bytearray()
        reusable = False
        try:
            answer = link.ask(message)
            limit = KEPT_ON_SUCCESS if 200 <= answer.status < 300 else KEPT_ON_FAILURE
            reusable = link.read_body(answer, content, limit)
        except gevent.Timeout as caught:
            if caught is not timer:
                raise
            if answer is None:
                raise TransportError(
                    DeliveryReason.ANSWER_TIMEOUT, "The receiver did not answer in time."
                ) from None
        except OSError:
            raise _lost(link) from None
        except Exception:  # whatever odd bytes do to the parsers of http.client and email
            raise TransportError(
                DeliveryReason.BAD_ANSWER, "The receiver's answer is not valid HTTP."
            ) from None
        finally:
            timer.close()
            if answer is not None:
                answer.close()
            if reusable:
                self._keep(link)
            else:
                link.close()
        return _response(request, answer, bytes(content))


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _wrap(sock: socket.socket, host: str, deadline: float) -> socket.socket:
    timer = gevent.Timeout.start_new(_left(deadline))
    try:
        return dial.wrap(sock, host)
    except gevent.Timeout as caught:
        if caught is not timer:
            raise
        raise TransportError(
            DeliveryReason.CONNECT_TIMEOUT, "The TLS handshake did not end in time."
        ) from None
    finally:
        timer.close()


def _lost(link: Link) -> TransportError:
    if not link.answered:
        return _Unanswered()
    return TransportError(
        DeliveryReason.CONNECTION_LOST,
        "The receiver closed the connection in the middle of its answer.",
    )


def _route(url: str, policy: Policy) -> _Route:
    target = check_url(url, policy)
    host = f"[{target.host}]" if ":" in target.host else target.host
    if target.port != DEFAULT_PORTS[target.scheme]:
        host += f":{target.port}"
    head = f"POST {target.path_and_query} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity"
    return _Route(url, target, head)


def _message(head: str, request: PreparedRequest) -> bytes:
    """Head and body in one piece, so that they leave in one segment."""
    body = request.body or b""
    if isinstance(body, str):
        body = body.encode()
    fields = [f"{name}: {value}" for name, value in request.headers.items()]
    text = "\r\n".join([f"Content-Length: {len(body)}", *fields])
    breaks = len(fields)
    if text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
        raise _bad_header()
    try:
        return f"{head}\r\n{text}\r\n\r\n".encode("latin-1") + body
    except UnicodeEncodeError:
        raise _bad_header() from None


def _bad_header() -> TransportError:
    return TransportError(
        DeliveryReason.INTERNAL_ERROR,
        "A header has a line break or a character outside Latin-1, so nothing was sent.",
    )


def _response(request: PreparedRequest, answer: Answer, content: bytes) -> Response:
    response = Response()
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(answer.headers.items())
    response.url = request.url or ""
    response.request = request
    # What requests sets once a body has been read: there is no public way to say so.
    response._content = content
    response._content_consumed = True  # type: ignore[attr-defined]  # its stubs hide it
    return response
