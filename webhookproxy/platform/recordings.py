"""Asks 3C Plus for the recording of a call, and reads it piece by piece; nothing is kept.

The address is the company's REST base and the id of the history, and never one that a payload has.
3C Plus may answer with one redirect; the token does not go there.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from requests import PreparedRequest, Response

from webhookproxy.network.dial import shared_resolver, time_limit
from webhookproxy.network.guard import Policy
from webhookproxy.network.http.client import Client
from webhookproxy.network.http.errors import NoAnswer
from webhookproxy.network.http.message import prepared
from webhookproxy.platform.pace import Pace
from webhookproxy.platform.recording_links import is_askable
from webhookproxy.platform.rest import PATIENCE, Access, shared_rest
from webhookproxy.version import __version__

# Above one in five seconds 3C Plus refuses.
PAUSE_SECONDS = 5.0
# How long the head of an answer and then its first bytes are waited for, and how long all of it may
# take.
HEAD_SECONDS = 20.0
WHOLE_SECONDS = 600.0
PIECE = 65_536
# A call of ten hours in the usual quality.
AUDIO_MAX = 500_000_000
OF_COMPANY, IN_ALL = 4, 16

_REDIRECTS = (301, 302, 303, 307, 308)
_AUDIO = re.compile(r"(audio/[a-z0-9.+-]{1,60})\s*(?:;.*)?", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes [0-9]{1,15}-[0-9]{1,15}/(?:[0-9]{1,15}|\*)")
_LENGTH = re.compile(r"[0-9]{1,15}")
# What one part of a recording is asked for with; everything else is not passed on.
_RANGE = re.compile(r"bytes=(?:[0-9]{1,15}-[0-9]{0,15}|-[0-9]{1,15})")
_NOT_READY = (202, 204, 404, 422, 425)


class RecordingTrouble(StrEnum):
    """Why there is no recording to hear."""

    NOT_READY = "not_ready"
    NO_AUDIO = "no_audio"
    NOT_AUDIO = "not_audio"
    OUT_OF_RANGE = "out_of_range"
    THROTTLED = "throttled"
    TOO_MANY = "too_many"
    REFUSED = "refused"
    FAILING = "failing"
    NOT_UNDERSTOOD = "not_understood"
    NOT_REACHED = "not_reached"
    NO_ADDRESS = "no_address"


class RecordingError(Exception):
    """There is no recording to hear now; `after`: in how many seconds to try again."""

    def __init__(self, trouble: RecordingTrouble, after: float | None = None) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble
        self.after = after


class Audio:
    """A recording that is being read; close it in the end, whatever happened."""

    def __init__(self, response: Response, content_type: str, first: bytes) -> None:
        self.status = response.status_code
        self.content_type = content_type
        self.headers = _passed_on(response)
        self._response = response
        self._first = first

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes as they come. Raises NoAnswer if 3C Plus does not send them all."""
        yield self._first
        while piece := self._response.raw.read(PIECE):
            yield piece

    def close(self) -> None:
        """Let go of the connection."""
        self._response.close()


class Recordings:
    """Asks for recordings at their own pace, which is a part of the company's pace."""

    def __init__(self, policy: Policy, client: Client, shared: Pace, own: Pace) -> None:
        self._policy = policy
        self._client = client
        self._shared = shared
        self._own = own
        self._open: Counter[int] = Counter()

    @contextmanager
    def place(self, company_id: int) -> Iterator[None]:
        """Hold one of the few places for recordings. Raises RecordingError without one."""
        if self._open[company_id] >= OF_COMPANY or self._open.total() >= IN_ALL:
            raise RecordingError(RecordingTrouble.TOO_MANY, after=PAUSE_SECONDS)
        self._open[company_id] += 1
        try:
            yield
        finally:
            self._open[company_id] -= 1
            self._open += Counter()

    def ask(self, access: Access, history_id: str, wanted_range: str = "") -> Audio:
        """Return the recording of a call, or a part of it. Raises RecordingError."""
        if not access.base or not is_askable(history_id):
            raise RecordingError(RecordingTrouble.NO_ADDRESS)
        self._take_turn(access.company_id)
        request = prepared(f"{access.base}/api/v1/calls/{history_id}/recording", "GET")
        request.headers.update({**_plain_headers(wanted_range), **access.headers})
        deadline = time.monotonic() + WHOLE_SECONDS
        response = self._send(request, deadline)
        is_elsewhere = response.status_code in _REDIRECTS
        if is_elsewhere:
            response = self._follow(response, wanted_range, deadline)
        try:
            return self._read(access, response, wanted_range, is_elsewhere=is_elsewhere)
        except BaseException:
            response.close()
            raise

    def _take_turn(self, company_id: int) -> None:
        for pace in (self._own, self._shared):
            if not pace.take(company_id, PATIENCE):
                after = pace.free_in(company_id)
                raise RecordingError(RecordingTrouble.THROTTLED, after=after)

    def _send(self, request: PreparedRequest, deadline: float) -> Response:
        with _in_time():
            left = max(0.0, deadline - time.monotonic())
            return self._client.send(request, stream=True, timeout=left)

    def _follow(self, response: Response, wanted_range: str, deadline: float) -> Response:
        """Go where 3C Plus says, once and without the token; the client guards the address."""
        location = response.headers.get("Location", "")
        response.close()
        try:
            target = urldefrag(urljoin(response.url, location)).url
            is_secret = urlsplit(target).scheme == "https"
        except ValueError:
            raise RecordingError(RecordingTrouble.NOT_UNDERSTOOD) from None
        if not location or not (is_secret or self._policy.allow_private):
            raise RecordingError(RecordingTrouble.NOT_UNDERSTOOD)
        request = prepared(target, "GET")
        request.headers.update(_plain_headers(wanted_range))
        return self._send(request, deadline)

    def _read(
        self, access: Access, response: Response, wanted_range: str, *, is_elsewhere: bool
    ) -> Audio:
        """Return what an answer has, once it is known to be audio."""
        status = response.status_code
        if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise self._refusal(access, response, is_elsewhere=is_elsewhere)
        if status == HTTPStatus.PARTIAL_CONTENT and not _is_part(response, wanted_range):
            raise RecordingError(RecordingTrouble.NOT_UNDERSTOOD)
        with _in_time():
            first = response.raw.read(PIECE)
        if not first:
            raise RecordingError(RecordingTrouble.NO_AUDIO)
        kind = _AUDIO.fullmatch(response.headers.get("Content-Type", "").strip())
        if kind is None or response.headers.get("Content-Encoding", "identity") != "identity":
            raise RecordingError(RecordingTrouble.NOT_AUDIO)
        return Audio(response, kind[1].lower(), first)

    def _refusal(self, access: Access, response: Response, *, is_elsewhere: bool) -> RecordingError:
        """Return what a status means that is no recording."""
        status = response.status_code
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return RecordingError(RecordingTrouble.OUT_OF_RANGE)
        if status == HTTPStatus.TOO_MANY_REQUESTS and not is_elsewhere:
            self._shared.hold(access.company_id, PAUSE_SECONDS)
            return RecordingError(RecordingTrouble.THROTTLED, after=PAUSE_SECONDS)
        if status in _NOT_READY:
            # 422 is what 3C Plus says for too many requests, too.
            return RecordingError(RecordingTrouble.NOT_READY, after=PAUSE_SECONDS)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and not is_elsewhere:
            return RecordingError(RecordingTrouble.REFUSED)
        return RecordingError(RecordingTrouble.FAILING, after=PAUSE_SECONDS)


def usable_range(text: str) -> str:
    """Return what a visitor asked for with Range, if it is one part; else an empty text."""
    return text if _RANGE.fullmatch(text) else ""


def shared_recordings(extensions: dict[str, Any]) -> Recordings:
    """Return the one of an application: its pages share the places and the paces."""
    if "recordings" not in extensions:
        policy: Policy = extensions["policy"]
        # No connection is kept: one is asked for now and then.
        client = Client(policy, shared_resolver(), max_idle=0, streamed_max=AUDIO_MAX)
        shared = shared_rest(extensions).pace
        own = Pace(seconds=PAUSE_SECONDS)
        extensions["recordings"] = Recordings(policy, client, shared, own)
    found: Recordings = extensions["recordings"]
    return found


@contextmanager
def _in_time() -> Iterator[None]:
    """Raise RecordingError if no answer comes, or not within HEAD_SECONDS."""
    missing = RecordingError(RecordingTrouble.NOT_REACHED)
    try:
        with time_limit(HEAD_SECONDS, missing):
            yield
    except NoAnswer:
        raise missing from None


def _plain_headers(wanted_range: str) -> dict[str, str]:
    headers = {"Accept": "audio/*", "User-Agent": f"webhookproxy/{__version__}"}
    return {**headers, "Range": wanted_range} if wanted_range else headers


def _is_part(response: Response, wanted_range: str) -> bool:
    """Return whether the answer says which part of the recording it is, and one was asked for."""
    said = response.headers.get("Content-Range", "")
    return bool(wanted_range) and _CONTENT_RANGE.fullmatch(said) is not None


def _passed_on(response: Response) -> dict[str, str]:
    """Return the headers that the visitor gets too."""
    found = {}
    if _LENGTH.fullmatch(length := response.headers.get("Content-Length", "")):
        found["Content-Length"] = length
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        found["Content-Range"] = response.headers["Content-Range"]
    if found.get("Content-Range") or response.headers.get("Accept-Ranges") == "bytes":
        found["Accept-Ranges"] = "bytes"
    return found
