"""Whether 3C Plus accepts a token, asked with a socket of its own that lives for a moment."""

from __future__ import annotations

import gevent

from webhookproxy.listener.client import Address, NotConnected, Socket
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import ConnectionReason

# A user waits for the page; the connection itself has half as much again.
CHECK_SECONDS = 10.0


class Ignoring:
    """The owner of a socket whose events are dropped."""

    def connected(self, socket_id: str, pid: str) -> None: ...
    def event(self, text: str, offset: str = "") -> None: ...
    def malformed(self, error: Exception, text: str) -> None: ...
    def oversized(self, text: str, length: int) -> None: ...
    def pinged(self) -> None: ...
    def wait_until_accepting(self, timeout: float) -> bool:  # noqa: ARG002 - the protocol's
        """Take everything at once."""
        return True


def check_token(
    address: Address, policy: Policy, resolver: Resolver, seconds: float = CHECK_SECONDS
) -> ConnectionReason:
    """Return ACCEPTED, or why no connection was made, within `seconds`.

    For a company that is not connected: some servers close the first socket of a token when a
    second one comes. What arrives on this one is thrown away.
    """
    socket = Socket(Ignoring())
    try:
        with gevent.Timeout(seconds):
            socket.open(address, policy, resolver)
    except gevent.Timeout:
        return ConnectionReason.HANDSHAKE_TIMEOUT
    except NotConnected as error:
        return error.reason
    finally:
        socket.close()
    # Some servers accept every token, and close the connection of a bad one at once.
    return socket.lost or ConnectionReason.ACCEPTED
