"""A forbidden target is never dialed, in every spelling and for every answer of the DNS.

Both ways out are driven as they are in service, deliveries and sockets, with every connect() of the
process recorded; names are resolved by the tests themselves.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.delivery.waiting.window_rows import NOW_MS
from tests.support.receiver import Receiver
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.sending.sender import Sender
from webhookproxy.listener.client import Address, NotConnected, Socket
from webhookproxy.listener.token_check import Ignoring
from webhookproxy.models.deliveries.tables import Due, Facts
from webhookproxy.models.webhooks import Webhook
from webhookproxy.network.addresses import address_allowed
from webhookproxy.network.dial import Answer, Resolver
from webhookproxy.network.guard import Policy, UrlRefused, check_socket_url, check_url
from webhookproxy.reasons import ConnectionReason, DeliveryReason

STRICT = Policy()
HTTP = Policy(allow_http=True)
PRIVATE = Policy(allow_private=True)
FACTS = Facts("evt_7", 3, "call-was-created", "{}", "sid-1", "abcd…wxyz", NOW_MS)
DUE = Due(1, 9, "k", 0, 0, NOW_MS, None, None, FACTS)

HOSTILE = [
    line
    for line in (Path(__file__).parent / "hostile_urls.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
# Answers for a name; one forbidden address among several forbids them all.
HOSTILE_ANSWERS = [
    ("127.0.0.1",),
    ("10.0.0.5",),
    ("169.254.169.254",),
    ("0.0.0.1",),
    ("168.63.129.16",),
    ("100.100.100.200",),
    ("::1",),
    ("::ffff:169.254.169.254",),
    ("64:ff9b::a9fe:a9fe",),
    ("fe80::1%eth0",),
    ("fd00:ec2::254",),
    ("8.8.8.8", "10.0.0.5"),
    ("10.0.0.5", "8.8.8.8"),
    ("8.8.8.8", "2606:4700::1111", "::1"),
]


def resolving(*rounds: tuple[str, ...]) -> Resolver:
    """Give every name these addresses: the first at the first lookup, the last from then on."""
    left = list(rounds)

    def getaddrinfo(_host: str, port: int, **_named: object) -> list[Answer]:
        return [_answer(each, port) for each in (left.pop(0) if len(left) > 1 else left[0])]

    return Resolver(getaddrinfo)


def _answer(address: str, port: int) -> Answer:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.SOCK_STREAM, 6, "", (address, port)


def deliver(url: str, policy: Policy, resolver: Resolver) -> Outcome:
    """Try a webhook with this URL once, as if it was stored before the guard's rules."""
    sender = Sender(
        Webhook(id=9, url=url, timeout=5.0, parallelism=8), policy, resolver, lambda: NOW_MS / 1000
    )
    try:
        return sender.send(DUE)
    finally:
        sender.close()


def listen(url: str, policy: Policy, resolver: Resolver) -> ConnectionReason:
    """Return why a socket to this server, stored before the guard's rules, stays closed."""
    connection = Socket(Ignoring())
    try:
        with pytest.raises(NotConnected) as caught:
            connection.open(Address(url, "canary-token", ""), policy, resolver)
    finally:
        connection.close()
    return caught.value.reason


def assert_says_nothing(outcome: Outcome) -> None:
    """Check that nothing of the target is stored or told, except that it is forbidden."""
    assert outcome.reason is DeliveryReason.ADDRESS_NOT_ALLOWED
    assert (outcome.status, outcome.answer, outcome.retry_after) == (None, None, None)
    assert outcome.detail is not None
    numbers = outcome.detail.replace("2,048", "").replace("65535", "").replace("1024", "")
    assert not any(part in numbers for part in ("127", "169", "10.", "::", "canary"))


@pytest.mark.parametrize("url", HOSTILE)
@pytest.mark.parametrize("policy", [STRICT, HTTP], ids=["strict", "http"])
def test_a_hostile_url_is_never_dialed(url: str, policy: Policy, connects: list[Any]) -> None:
    for scheme in ("http", "https"):
        spelled = url.replace("http", scheme, 1)
        # In every reading the name would lead to this machine.
        outcome = deliver(spelled, policy, resolving(("127.0.0.1",)))
        assert_says_nothing(outcome)
        assert listen(spelled, policy, resolving(("127.0.0.1",))) in (
            ConnectionReason.ADDRESS_NOT_ALLOWED,
            ConnectionReason.HANDSHAKE_FAILED,
        )
    assert connects == []


@pytest.mark.parametrize("addresses", HOSTILE_ANSWERS, ids=" ".join)
def test_a_name_with_a_hostile_answer_is_never_dialed(
    addresses: tuple[str, ...], connects: list[Any]
) -> None:
    outcome = deliver("https://name.example/", STRICT, resolving(addresses))
    assert_says_nothing(outcome)
    reason = listen("https://name.example/", STRICT, resolving(addresses))
    assert reason is ConnectionReason.ADDRESS_NOT_ALLOWED
    assert connects == []


def test_metadata_addresses_are_never_dialed_with_private_targets_allowed(
    connects: list[Any],
) -> None:
    for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "fe80::1"):
        shown = f"[{address}]" if ":" in address else address
        assert_says_nothing(deliver(f"http://{shown}/", PRIVATE, Resolver()))
        assert_says_nothing(deliver("http://name.example/", PRIVATE, resolving((address,))))
        assert listen("http://name.example/", PRIVATE, resolving((address,))) is (
            ConnectionReason.ADDRESS_NOT_ALLOWED
        )
    assert connects == []


def test_a_name_that_is_rebound_between_two_attempts_is_not_dialed_again(
    connects: list[Any],
) -> None:
    with Receiver((200, {"Connection": "close"}, b"")) as receiver:
        resolver = resolving(("127.0.0.1",), ("169.254.169.254",))
        url = receiver.url(host="name.example")
        sender = Sender(
            Webhook(id=9, url=url, timeout=5.0, parallelism=8), PRIVATE, resolver, lambda: 1.0
        )
        assert sender.send(DUE).status == 200
        assert_says_nothing(sender.send(DUE))
        sender.close()
    assert len(connects) == 1


@pytest.fixture
def other() -> Iterator[Receiver]:
    """A server that no URL names: every request to it passed the guard by mistake."""
    with Receiver() as receiver:
        yield receiver


@pytest.mark.parametrize("scheme", ["http", "ws"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_by_neither_way(
    status: int, scheme: str, other: Receiver, connects: list[Any]
) -> None:
    location = other.url().replace("http", scheme, 1)
    with Receiver((status, {"Location": location}, b"moved")) as receiver:
        outcome = deliver(receiver.url(), PRIVATE, Resolver())
        assert (outcome.reason, outcome.status) == (DeliveryReason.REDIRECTED, status)
        reason = listen(receiver.url(), PRIVATE, Resolver())
        assert reason is ConnectionReason.HANDSHAKE_FAILED
        # One request each, and none after the redirect.
        assert connects == [("127.0.0.1", receiver.port)] * 2
    assert other.connections == 0


def test_a_proxy_of_the_environment_is_used_by_neither_way(
    other: Receiver, connects: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "ws_proxy", "all_proxy"):
        monkeypatch.setenv(name, other.url())
        monkeypatch.setenv(name.upper(), other.url())
    with Receiver() as receiver:
        resolver = resolving(("127.0.0.1",))
        url = receiver.url(host="name.example")
        assert deliver(url, PRIVATE, resolver).status == 200
        assert listen(url, PRIVATE, resolver) is ConnectionReason.HANDSHAKE_FAILED
        assert connects == [("127.0.0.1", receiver.port)] * 2
    assert other.connections == 0


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1\ufe0f",
        "127\ufe0f.1",
        "0x7f\u180b.1",
        "1\u034f27.0.0.1",
        "169.254.169\u2024254",
        "\uff11\uff12\uff17.1",
        "127.\u2488",
        "localhost\ufe0f",
        "[::1].example.com",
        "[2606:4700::1111].example.com",
        "[::1]1",
        "[::1%25lo]",
        "[fe80::1%eth0]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[64:ff9b:1:fffe::127.0.0.1]",
    ],
)
def test_an_odd_spelling_is_refused_when_it_is_saved_too(host: str, connects: list[Any]) -> None:
    for check in (check_url, check_socket_url):
        with pytest.raises(UrlRefused):
            check(f"https://{host}/", STRICT)
    assert_says_nothing(deliver(f"https://{host}/", STRICT, resolving(("127.0.0.1",))))
    assert connects == []


DENIED_IPV4 = [
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32"),
        *("169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24"),
        *("192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
]
DENIED_IPV6_PREFIXES = [
    *("::/16", "64:ff9b::/32", "100::/16", "2001:0::/32", "2001:db8::/32", "2002::/16"),
    *("2620:4f:8000::/48", "3fff::/20", "4000::/16", "5f00::/16", "fc00::/16", "fe80::/16"),
    *("fec0::/16", "ff02::/16"),
]
_DIGITS = {
    "plain": "0123456789",
    "wide": "".join(chr(0xFF10 + digit) for digit in range(10)),
    "bold": "".join(chr(0x1D7CE + digit) for digit in range(10)),
    "double": "".join(chr(0x1D7D8 + digit) for digit in range(10)),
    "raised": "⁰¹²³⁴⁵⁶⁷⁸⁹",
    "lowered": "₀₁₂₃₄₅₆₇₈₉",
}
# Left out or ignored by the Unicode forms that names are brought into (UTS 46).
_IGNORED = ["", "", "", "\ufe0f", "\ufe00", "\u034f", "\u180b"]
_BASES: list[Callable[[int], str]] = [
    str,
    hex,
    lambda n: f"0x{n:08X}",
    lambda n: f"0{n:o}",
    lambda n: f"000{n:o}",
]


@st.composite
def spelled_ipv4(draw: st.DrawFn) -> str:
    """A denied IPv4 address in one of the spellings that some program reads as that address."""
    network = draw(st.sampled_from(DENIED_IPV4))
    value = int(network[0]) + draw(st.integers(0, network.num_addresses - 1))
    last = draw(st.integers(1, 4))
    octets = IPv4Address(value).packed
    parts = [*octets[: last - 1], int.from_bytes(octets[last - 1 :], "big")]
    text = draw(st.sampled_from(["{}", "{}."])).format(
        draw(st.sampled_from([".", "\u3002", "\uff0e", "\uff61", "\u2024"])).join(
            draw(st.sampled_from(_BASES))(part) for part in parts
        )
    )
    digits = _DIGITS[draw(st.sampled_from(sorted(_DIGITS)))]
    text = "".join(digits[int(c)] if c in "0123456789" else c for c in text)
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.sampled_from(_IGNORED)) + text[at:]


@st.composite
def spelled_ipv6(draw: st.DrawFn) -> str:
    """A denied IPv6 address, or a denied IPv4 address inside one, in one of its spellings."""
    inner = draw(st.sampled_from(DENIED_IPV4))[0]
    prefix, length = draw(st.sampled_from(DENIED_IPV6_PREFIXES)).split("/")
    outer = int(IPv6Address(prefix)) | draw(st.integers(0, 2 ** (128 - int(length)) - 1))
    mapped = 0xFFFF << 32 | int(inner)
    address = IPv6Address(draw(st.sampled_from([outer, mapped])))
    if address.ipv4_mapped and address_allowed(str(address.ipv4_mapped), STRICT):
        address = IPv6Address(mapped)
    forms = [address.compressed, address.exploded, address.exploded.upper()]
    if address.ipv4_mapped:
        forms += [f"::ffff:{address.ipv4_mapped}", f"0:0::0:FFFF:{address.ipv4_mapped}"]
    return f"[{draw(st.sampled_from(forms))}]"


@settings(max_examples=10 * settings().max_examples)
@given(
    host=st.one_of(spelled_ipv4(), spelled_ipv6()),
    port=st.sampled_from(["", ":443", ":8443"]),
    rest=st.sampled_from(["", "/", "/hook?a=1"]),
)
def test_no_spelling_of_a_denied_address_passes(host: str, port: str, rest: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(UrlRefused):
            check_url(f"{scheme}://{host}{port}{rest}", HTTP)
    with pytest.raises(UrlRefused):
        check_socket_url(f"https://{host}{port}", STRICT)


@settings(max_examples=10 * settings().max_examples)
@given(st.sampled_from(DENIED_IPV4), st.data())
def test_no_address_of_a_denied_network_is_allowed(
    network: IPv4Network, data: st.DataObject
) -> None:
    value = int(network[0]) + data.draw(st.integers(0, network.num_addresses - 1))
    address = str(IPv4Address(value))
    for spelled in (address, f"::ffff:{address}", f"64:ff9b::{address}", f"::{address}"):
        assert not address_allowed(spelled, STRICT)
    first, last = value >> 16, value & 0xFFFF
    assert not address_allowed(f"2002:{first:x}:{last:x}::1", STRICT)
