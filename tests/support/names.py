"""Names that a test resolves, and every connect() after that."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from webhookproxy.network import dial
from webhookproxy.network.dial import DialError, Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import DeliveryReason

STRICT = Policy(allow_private=False, allow_http=False)
PRIVATE = Policy(allow_private=True, allow_http=False)


def answers(*addresses: str, port: int = 443) -> list[dial.Answer]:
    return [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
        if ":" in address
        else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
        for address in addresses
    ]


def resolving(*addresses: str, port: int = 443) -> Resolver:
    """A resolver for which every name has these addresses."""
    return Resolver(getaddrinfo=lambda *_args, **_named: answers(*addresses, port=port))


def let_names_resolve(monkeypatch: pytest.MonkeyPatch, getaddrinfo: dial.GetAddrInfo) -> None:
    """Give these answers to every lookup except the sockets'."""
    monkeypatch.setattr(dial.shared_resolver(), "_getaddrinfo", getaddrinfo)


def reason_of(call: Callable[[], object]) -> DeliveryReason:
    with pytest.raises(DialError) as caught:
        call()
    assert caught.value.detail.endswith((".", "?"))
    assert not any(character.isdigit() for character in caught.value.detail)
    return caught.value.reason
