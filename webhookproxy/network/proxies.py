"""Whose word about a visitor's address is believed: that of the proxies in front, and no other."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

from werkzeug.http import parse_list_header
from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

Networks = tuple[IPv4Network | IPv6Network, ...]


class Proxies:
    """WSGI middleware that reads forwarded headers only from a trusted direct peer.

    `hops` is how many proxies stand in front. Without this rule anyone who reaches the port beside
    the proxy could choose the address that is throttled and written into the audit.
    """

    def __init__(self, application: WSGIApplication, trusted: Networks, hops: int) -> None:
        self._direct = application
        self._behind = ProxyFix(application, x_for=hops, x_proto=hops)
        self._trusted = trusted
        self._hops = hops
        self._said = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, with the visitor's own address if a proxy is believed."""
        application = self._behind if self._believes(environ) else self._direct
        return application(environ, start_response)

    def address(self, environ: dict[str, Any]) -> str:
        """Return the visitor's address of a request that was not handled yet."""
        peer = str(environ.get("REMOTE_ADDR", ""))
        forwarded = parse_list_header(environ.get("HTTP_X_FORWARDED_FOR", ""))
        if len(forwarded) >= self._hops > 0 and self._believes(environ):
            return forwarded[-self._hops]
        return peer

    def _believes(self, environ: WSGIEnvironment) -> bool:
        if not self._hops or "HTTP_X_FORWARDED_FOR" not in environ:
            return False
        given = environ.get("REMOTE_ADDR", "").removeprefix("::ffff:")
        try:
            believed = any(ip_address(given) in network for network in self._trusted)
        except ValueError:
            believed = False
        if not believed and not self._said:
            self._said = True
            logger.warning(
                "X-Forwarded-For of %s is not believed: if that is your proxy, add its address to "
                "TRUSTED_PROXIES",
                given,
            )
        return believed
