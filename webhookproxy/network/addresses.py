"""Which IP addresses may be connected to: the tables, and every spelling of an address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

# Our own tables: is_global of `ipaddress` changes between Python's patch releases, and once called
# 64:ff9b::/96, 2002::/16 and 192.0.0.192 global (cpython issue 113171).
_PUBLIC_IPV4_DENIED = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        # Azure's host services, inside a public block.
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_IPV6 = IPv6Network("2000::/3")
_PUBLIC_IPV6_DENIED = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
# The networks that `allow_private` adds. It is a list, and not "all but 169.254/16", so that these
# stay out: link-local, 0.0.0.0, multicast, forms of IPv6 with an IPv4 address (NAT64, 6to4,
# Teredo), 100.64/10, where Alibaba keeps its metadata, and 198.18/15.
_PRIVATE_IPV4 = tuple(
    IPv4Network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_PRIVATE_IPV6 = (IPv6Network("::1/128"), IPv6Network("fc00::/7"))
# The metadata services of AWS and Google, which are 169.254.169.254 in another spelling.
_PRIVATE_IPV6_DENIED = (IPv6Network("fd00:ec2::/32"), IPv6Network("fd20:ce::/32"))


@dataclass(frozen=True, slots=True)
class Policy:
    """The addresses that the settings allow.

    `allow_private` (ALLOW_PRIVATE_TARGETS): loopback, private addresses and plain http, for
    development and tests; never link-local addresses, where clouds keep their credentials.
    `allow_http` (ALLOW_HTTP): webhooks may be plain http to public addresses.
    `rest_hosts` (REST_HOSTS): hosts that count as the REST of 3C Plus, besides its own.
    """

    allow_private: bool = False
    allow_http: bool = False
    rest_hosts: frozenset[str] = frozenset()


def address_allowed(address: str, policy: Policy) -> bool:
    """Return whether a connection to this IP address may be opened.

    `address` is as getaddrinfo gives it. An address with a zone (fe80::1%eth0), or a text that
    is not an address, is not allowed; ::ffff:0:0/96 counts as the IPv4 address inside it.
    """
    ip = parse_address(address)
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    if ip is None:
        return False
    return _is_public(ip) or (policy.allow_private and _is_private(ip))


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in its usual spelling; None for other text, or with a zone (::1%eth0)."""
    try:
        if ":" not in text:
            return IPv4Address(text)
        ip = IPv6Address(text)
    except AddressValueError:
        return None
    return None if ip.scope_id is not None else ip


def ipv4_in_any_spelling(name: str) -> str | None:
    """Return the dotted form of 127.1, 0x7f.1, 0177.0.0.1, 2130706433; None for a name.

    By the URL standard (url.spec.whatwg.org, "ends in a number checker" and "IPv4 parser") a host
    that ends in a number is an IPv4 address or wrong, never a name. Raises ValueError if wrong.
    """
    pieces = name.split(".")
    if not re.fullmatch(r"[0-9]+|0x[0-9a-f]*", pieces[-1]):
        return None
    if len(pieces) > 4:
        raise ValueError(f"{name!r} is not an IPv4 address")
    numbers = [_ipv4_number(piece) for piece in pieces]
    last = numbers.pop()
    if any(number > 255 for number in numbers) or last >= 256 ** (4 - len(numbers)):
        raise ValueError(f"{name!r} is not an IPv4 address")
    value = last
    for place, number in enumerate(numbers):
        value += number << 8 * (3 - place)
    return str(IPv4Address(value))


def counted_as(address: str) -> str:
    """Return the address that limits are counted for.

    That is the address itself, but for IPv6 its /64: one visitor has 2^64 addresses there.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return address


def _ipv4_number(piece: str) -> int:
    # The length is bounded because int() refuses thousands of digits with another error.
    if re.fullmatch(r"0x[0-9a-f]{0,64}", piece):
        return int(piece[2:] or "0", 16)
    if re.fullmatch(r"0[0-7]{0,64}", piece):
        return int(piece, 8)
    if re.fullmatch(r"[1-9][0-9]{0,64}", piece):
        return int(piece)
    raise ValueError(f"{piece!r} is not part of an IPv4 address")


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _PUBLIC_IPV4_DENIED)
    return ip in _PUBLIC_IPV6 and not any(ip in network for network in _PUBLIC_IPV6_DENIED)


def _is_private(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv4Address):
        return any(ip in network for network in _PRIVATE_IPV4)
    if any(ip in network for network in _PRIVATE_IPV6_DENIED):
        return False
    return any(ip in network for network in _PRIVATE_IPV6)
