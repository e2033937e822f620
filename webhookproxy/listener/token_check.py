"""Whether 3C Plus accepts a token, asked with a socket of its own that lives for a moment."""

from __future__ import annotations

from typing import Any

import gevent

from webhookproxy.listener.client import Address, NotConnected, Socket
from webhookproxy.listener.handlers import Handlers
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import ConnectionReason

# Somebody waits for the page; the connection itself is given half as much again.
CHECK_SECONDS = 10.0


def check_token(
    address: Address, policy: Policy, resolver: Resolver, seconds: float = CHECK_SECONDS
) -> ConnectionReason:
    """ACCEPTED, or why no connection was made, within so many seconds.

    For a company that is not connected: some servers close the first socket of a token when a
    second one comes. What arrives on this one is thrown away.
    """
    socket = Socket(_deaf())
    try:
        with gevent.Timeout(seconds):
            socket.open(address, policy, resolver)
    except gevent.Timeout:
        return ConnectionReason.HANDSHAKE_TIMEOUT
    except NotConnected as error:
        return error.reason
    finally:
        socket.close()
    return ConnectionReason.ACCEPTED


def _deaf() -> Handlers:
    def nothing(*_told: Any) -> None:
        """Nobody wants to know."""

    return Handlers(
        connected=nothing,
        event=nothing,
        values=nothing,
        malformed=nothing,
        oversized=nothing,
        room=nothing,
    )
