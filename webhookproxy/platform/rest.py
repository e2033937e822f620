"""Requests to the REST of 3C Plus, and what its answers mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import orjson
from gevent.lock import BoundedSemaphore

from webhookproxy.events.recovery.histories import NotUnderstood, Row, rows_of
from webhookproxy.events.recovery.periods import Period
from webhookproxy.network.dial import shared_resolver
from webhookproxy.network.http.client import Client
from webhookproxy.network.http.errors import NoAnswer, StaleLink
from webhookproxy.network.http.message import prepared
from webhookproxy.platform.pace import HOLD_MAX, Pace
from webhookproxy.reasons import DeliveryReason, PlatformTrouble
from webhookproxy.version import __version__

# How long an answer is waited for, whatever the other side does.
TIMEOUT_SECONDS = 20.0
# How long a company's turn, and then one of the few places for all companies, is waited for.
PATIENCE = 10.0
AT_ONCE = 4
# Calls of one page: few enough to be read without holding up the sockets.
PER_PAGE = 100
# Bytes of one answer.
ANSWER_MAX = 4_000_000
_AFTER_THROTTLED = 30.0


class PlatformError(Exception):
    """3C Plus gave no usable answer; `is_final`: asking again would not change that."""

    def __init__(
        self, trouble: PlatformTrouble, *, is_final: bool = False, after: float | None = None
    ) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble
        self.is_final = is_final
        self.after = after

    def wait_ms(self, failures: int, first_ms: int, most_ms: int) -> int:
        """Return how long to wait before asking again, when `failures` requests failed before.

        The first wait is `first_ms`, each next one twice as long up to `most_ms`; 3C Plus may ask
        for a longer one.
        """
        grown = min(first_ms << min(failures, 10), most_ms)
        return max(grown, round((self.after or 0.0) * 1000))


@dataclass(frozen=True, slots=True)
class Access:
    """Whose calls are asked for, where, and with which token, which its repr does not show."""

    company_id: int
    base: str
    token: str = field(repr=False)
    agent_id: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that say who asks; no other server may get them."""
        found = {"Authorization": f"Bearer {self.token}"}
        return {**found, "X-Agent-Id": self.agent_id} if self.agent_id else found


class Rest:
    """Asks 3C Plus; may be used by many greenlets at once."""

    def __init__(self, client: Client, pace: Pace) -> None:
        self.pace = pace
        self._client = client
        self._places = BoundedSemaphore(AT_ONCE)

    def calls(self, access: Access, period: Period, page: int) -> list[Row]:
        """Return a page of the calls of a period, the oldest first. Raises PlatformError."""
        asked = {
            "start_date": period.start,
            "end_date": period.end,
            "with_mailing": "true",
            "simple_paginate": "true",
            "per_page": PER_PAGE,
            "page": page,
        }
        try:
            return rows_of(self._get(access, f"/api/v1/calls?{urlencode(asked)}"))
        except NotUnderstood:
            raise PlatformError(PlatformTrouble.NOT_UNDERSTOOD) from None

    def me(self, access: Access) -> Mapping[str, Any]:
        """Return what 3C Plus says of the token. Raises PlatformError."""
        try:
            answer = orjson.loads(self._get(access, "/api/v1/me"))
        except ValueError:
            raise PlatformError(PlatformTrouble.NOT_UNDERSTOOD) from None
        found = answer.get("data", answer) if isinstance(answer, dict) else None
        if not isinstance(found, dict):
            raise PlatformError(PlatformTrouble.NOT_UNDERSTOOD)
        return found

    def _get(self, access: Access, path: str) -> bytes:
        if not access.base:
            raise PlatformError(PlatformTrouble.NO_ADDRESS, is_final=True)
        if not self.pace.take(access.company_id, PATIENCE):
            after = self.pace.free_in(access.company_id)
            raise PlatformError(PlatformTrouble.THROTTLED, after=after)
        if not self._places.acquire(timeout=PATIENCE):
            raise PlatformError(PlatformTrouble.THROTTLED)
        try:
            return self._exchange(access, path)
        finally:
            self._places.release()

    def _exchange(self, access: Access, path: str) -> bytes:
        """Send one request, and another if that met a connection that turned out to be closed."""
        try:
            try:
                return self._send(access, path)
            except StaleLink:
                return self._send(access, path)
        except NoAnswer as error:
            raise _not_reached(error) from None

    def _send(self, access: Access, path: str) -> bytes:
        request = prepared(access.base + path, "GET")
        request.headers["Accept"] = "application/json"
        request.headers.update(access.headers)
        request.headers["User-Agent"] = f"webhookproxy/{__version__}"
        response = self._client.send(request, stream=True, timeout=TIMEOUT_SECONDS)
        try:
            if response.status_code != HTTPStatus.OK:
                trouble = _trouble(response.status_code, response.headers.get("Retry-After"))
                if trouble.after:
                    self.pace.hold(access.company_id, trouble.after)
                raise trouble
            content = bytearray()
            while piece := response.raw.read(65_536):
                content += piece
                if len(content) > ANSWER_MAX:
                    raise PlatformError(PlatformTrouble.NOT_UNDERSTOOD)
        finally:
            response.close()
        if not content.strip():
            # So 3C Plus answers under bursts.
            raise PlatformError(PlatformTrouble.EMPTY)
        return bytes(content)


def shared_rest(extensions: dict[str, Any]) -> Rest:
    """Return the one of an application: the engine and the pages share each company's pace.

    It is made when it is asked for: most commands need none.
    """
    if "rest" not in extensions:
        extensions["rest"] = Rest(Client(extensions["policy"], shared_resolver()), Pace())
    found: Rest = extensions["rest"]
    return found


def _not_reached(error: NoAnswer) -> PlatformError:
    cut = error.reason in (DeliveryReason.BAD_ANSWER, DeliveryReason.CONNECTION_LOST)
    return PlatformError(PlatformTrouble.NOT_UNDERSTOOD if cut else PlatformTrouble.NOT_REACHED)


def _trouble(status: int, retry_after: str | None) -> PlatformError:
    """Return what a status means that is not 200."""
    if status == HTTPStatus.UNAUTHORIZED:
        return PlatformError(PlatformTrouble.UNAUTHORIZED, is_final=True)
    if status == HTTPStatus.FORBIDDEN:
        return PlatformError(PlatformTrouble.FORBIDDEN, is_final=True)
    # 422 is what 3C Plus says for too many requests, too.
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.UNPROCESSABLE_ENTITY):
        return PlatformError(PlatformTrouble.THROTTLED, after=_seconds(retry_after))
    # Also 524, of the gateway in front of it.
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        after = None if retry_after is None else _seconds(retry_after)
        return PlatformError(PlatformTrouble.FAILING, after=after)
    return PlatformError(PlatformTrouble.REFUSED, is_final=True)


def _seconds(retry_after: str | None) -> float:
    try:
        seconds = float(retry_after or _AFTER_THROTTLED)
    except ValueError:
        return _AFTER_THROTTLED
    return min(max(seconds, 0.0), HOLD_MAX) if math.isfinite(seconds) else _AFTER_THROTTLED
