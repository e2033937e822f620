"""One request and its answer over a kept-alive connection, within one deadline, whatever comes.

What an answer counts as: it counts once its status line and headers have arrived whole. From then
on the status decides: a body that is cut short, or still dripping a second later, changes nothing,
for the receiver has said what it did. Before that, and whenever the bytes break HTTP (a chunk
without a size), there is no answer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import gevent
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from webhookproxy.network import dial
from webhookproxy.network.guard import Policy
from webhookproxy.network.http.body import STREAMED_MAX, StreamedBody
from webhookproxy.network.http.common_answer import CommonAnswer
from webhookproxy.network.http.errors import NoAnswer, StaleLink, bad_answer
from webhookproxy.network.http.idle import IdleLinks
from webhookproxy.network.http.link import Answer, Link
from webhookproxy.network.http.message import Route, message_of, route_of
from webhookproxy.reasons import DeliveryReason

DEFAULT_TIMEOUT = 15.0
# How long the body is waited for once the head has come, in seconds.
BODY_SECONDS = 1.0
# Bytes of the answer that are kept; a success says little that anyone reads.
KEPT_ON_SUCCESS = 1_024
KEPT_ON_FAILURE = 16_384


class Client(BaseAdapter):
    """A way to others; may be used by many greenlets at once.

    Every address is checked when it is connected to; certificates are always checked. At most
    `max_idle` connections are kept. Redirects are answers like any other (see `redirects`), and
    nothing is decompressed. With `reads_whole_answers` the body of a success says something too:
    it is waited for until the deadline, and as much of it is read as of a failure's. `streamed_max`
    is for bodies that the caller reads: what is longer is an error.
    """

    def __init__(
        self,
        policy: Policy,
        resolver: dial.Resolver,
        max_idle: int = 8,
        *,
        reads_whole_answers: bool = False,
        streamed_max: int = STREAMED_MAX,
    ) -> None:
        super().__init__()
        self._streamed_max = streamed_max
        self._policy = policy
        self._resolver = resolver
        self._idle = IdleLinks(max_idle)
        self._route: Route | None = None
        self._kept_on_success = KEPT_ON_FAILURE if reads_whole_answers else KEPT_ON_SUCCESS
        self._body_seconds = math.inf if reads_whole_answers else BODY_SECONDS

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = DEFAULT_TIMEOUT,
        verify: bool | str = True,  # noqa: ARG002 - never obeyed
        cert: Any = None,  # noqa: ARG002 - never obeyed
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002 - never obeyed
    ) -> Response:
        """Send the request; the response's content is cut to 1 KB (2xx) or 16 KB.

        With `stream` the body is read by the caller instead, who has to close the response.
        `timeout` is the whole exchange's, in seconds, from the name to the last byte (a pair,
        which means something else to requests, counts as the default). Raises NoAnswer and
        nothing else, but for GreenletExit and a gevent.Timeout of the caller.
        """
        seconds = timeout if isinstance(timeout, (int, float)) else DEFAULT_TIMEOUT
        deadline = time.monotonic() + seconds
        route = self._route_to(request.method or "", request.url or "")
        message = message_of(route, request)
        link = self._idle.take(route.origin)
        if link is None:
            link = self._open(route, deadline)
            answer = _ask(link, message, deadline)
        else:
            answer = self._ask_kept(link, message, deadline)
        response = _response(request, answer)
        if stream:
            response.raw = StreamedBody(link, answer, self._idle, deadline, self._streamed_max)
            return response
        # What requests sets once a body has been read: there is no public way to say so.
        response._content = self._content(link, answer, deadline)
        response._content_consumed = True  # type: ignore[attr-defined]  # its stubs hide it
        return response

    def close(self) -> None:
        """Close the idle connections, and those in use when they are done."""
        self._idle.retire()

    def _route_to(self, method: str, url: str) -> Route:
        route = self._route
        if route is None or route.url != url or route.method != method:
            route = self._route = route_of(method, url, self._policy)
        return route

    def _open(self, route: Route, deadline: float) -> Link:
        target = route.target
        try:
            sock = dial.connect(
                target.host, target.port, self._policy, self._resolver, _left(deadline)
            )
            if target.scheme == "https":
                sock = dial.wrap_in_time(sock, target.host, _left(deadline))
        except dial.DialError as error:
            raise NoAnswer(error.reason, error.detail) from None
        return Link(sock, route.origin)

    def _ask_kept(self, link: Link, message: bytes, deadline: float) -> Answer:
        """Ask on a connection that was idle; raises StaleLink if it was no longer of use."""
        try:
            return _ask(link, message, deadline)
        except NoAnswer as error:
            if link.out_of_step:
                # Bytes that belong to no answer would spoil the next one of each kept connection.
                self._idle.retire()
            elif link.answered or error.reason is not DeliveryReason.CONNECTION_LOST:
                raise
            self._idle.close()
            raise StaleLink from None

    def _content(self, link: Link, answer: Answer, deadline: float) -> bytes:
        """Read the beginning of the body; the connection is kept or closed."""
        content = bytearray()
        limit = self._kept_on_success if 200 <= answer.status < 300 else KEPT_ON_FAILURE
        timer = None
        if not (isinstance(answer, CommonAnswer) and answer.is_in_hand()):
            timer = gevent.Timeout.start_new(min(self._body_seconds, _left(deadline)))
        reusable = False
        try:
            reusable = link.read_body(answer, content, limit)
        except gevent.Timeout as caught:
            if caught is not timer:
                raise
        except Exception:  # whatever odd bytes do to the parsers of http.client and email
            raise bad_answer() from None
        finally:
            if timer is not None:
                timer.close()
            answer.close()
            if reusable:
                self._idle.keep(link)
            else:
                link.close()
        return bytes(content)


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _ask(link: Link, message: bytes, deadline: float) -> Answer:
    """Send the message and read the answer's head; closes the connection if that fails."""
    timer = gevent.Timeout.start_new(_left(deadline))
    answer = None
    try:
        answer = link.ask(message)
        return answer
    except gevent.Timeout as caught:
        if caught is not timer:
            raise
        raise NoAnswer(
            DeliveryReason.ANSWER_TIMEOUT, "The receiver did not answer in time."
        ) from None
    except OSError:
        where = "in the middle of its answer" if link.answered else "without answering"
        raise NoAnswer(
            DeliveryReason.CONNECTION_LOST, f"The receiver closed the connection {where}."
        ) from None
    except Exception:  # whatever odd bytes do to the parsers of http.client and email
        raise bad_answer() from None
    finally:
        timer.close()
        if answer is None:
            link.close()


def _response(request: PreparedRequest, answer: Answer) -> Response:
    response = Response()
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(answer.headers.items())
    response.url = request.url or ""
    response.request = request
    return response
