"""Which steps of the way to a URL succeed; nothing is sent."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from webhookproxy.network import dial
from webhookproxy.network.guard import Policy, check_url
from webhookproxy.reasons import DeliveryReason


class Stage(StrEnum):
    """The steps that must succeed before anything can be sent, in order."""

    NAME = "name"
    ADDRESS = "address"
    CONNECTION = "connection"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Reach:
    """The steps that succeeded: all before `failed`, which failed for `reason` (None: all).

    `valid_until` is the certificate's last moment; None without TLS.
    """

    secure: bool
    failed: Stage | None = None
    reason: DeliveryReason | None = None
    valid_until: datetime | None = None


_STAGES = {
    DeliveryReason.NAME_NOT_RESOLVED: Stage.NAME,
    DeliveryReason.ADDRESS_NOT_ALLOWED: Stage.ADDRESS,
    DeliveryReason.TLS_EXPIRED: Stage.TLS,
    DeliveryReason.TLS_WRONG_NAME: Stage.TLS,
    DeliveryReason.TLS_UNTRUSTED: Stage.TLS,
    DeliveryReason.TLS_FAILED: Stage.TLS,
}


def reach(url: str, policy: Policy, resolver: dial.Resolver, seconds: float) -> Reach:
    """Open a connection to a URL as a delivery would, and close it, in at most `seconds`.

    Raises guard.UrlRefused for a URL that may no longer be used.
    """
    target = check_url(url, policy)
    secure = target.scheme == "https"
    deadline = time.monotonic() + seconds
    try:
        sock = dial.connect(target.host, target.port, policy, resolver, seconds)
    except dial.DialError as error:
        stage = _STAGES.get(error.reason, Stage.CONNECTION)
        return Reach(secure, stage, error.reason)
    if not secure:
        sock.close()
        return Reach(secure)
    return _shake_hands(sock, target.host, deadline - time.monotonic())


def _shake_hands(sock: socket.socket, host: str, seconds: float) -> Reach:
    try:
        wrapped = dial.wrap_in_time(sock, host, seconds)
    except dial.DialError as error:
        return Reach(True, Stage.TLS, error.reason)
    with wrapped:
        return Reach(True, valid_until=_valid_until(wrapped))


def _valid_until(sock: ssl.SSLSocket) -> datetime | None:
    certificate = sock.getpeercert() or {}
    ends = certificate.get("notAfter")
    if not isinstance(ends, str):
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
