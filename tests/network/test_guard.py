from __future__ import annotations

from pathlib import Path

import pytest

from webhookproxy.network.guard import (
    Policy,
    UrlRefused,
    address_allowed,
    check_socket_url,
    check_url,
    masked_url,
)

STRICT = Policy(allow_private=False, allow_http=False)
HTTP = Policy(allow_private=False, allow_http=True)
PRIVATE = Policy(allow_private=True, allow_http=False)

HOSTILE = [
    line
    for line in (Path(__file__).parent / "hostile_urls.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize("url", HOSTILE)
@pytest.mark.parametrize("policy", [STRICT, HTTP], ids=["strict", "http"])
def test_a_hostile_url_is_refused(url: str, policy: Policy) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(UrlRefused):
            check_url(url.replace("http", scheme, 1), policy)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.1", "0.255.255.255", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1"),
        *("168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192"),
        *("192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1"),
        *("192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:a00:1", "::ffff:0:127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1"),
        *("2001:0:7f00:1::", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::"),
        *("2002:808:808::1", "2620:4f:8000::1", "3fff::1", "4000::1", "5f00::1", "fc00::1"),
        *("fd00:ec2::254", "fe80::1", "fe80::1%lo", "2606:4700::1%eth0", "fec0::1", "ff02::1"),
        *("", "localhost", "127.1", "2130706433", "8.8.8", "0177.0.0.1", "[::1]", "8.8.8.8 "),
    ],
)
def test_an_address_that_is_not_public_is_not_allowed(address: str) -> None:
    assert not address_allowed(address, STRICT)
    assert not address_allowed(address, HTTP)


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"),
        *("192.0.1.1", "168.63.129.17", "223.255.255.255", "2606:4700::1111", "2a00::1"),
        *("2001:200::1", "2800:3f0::1", "::ffff:8.8.8.8"),
    ],
)
def test_a_public_address_is_allowed(address: str) -> None:
    assert address_allowed(address, STRICT)
    assert address_allowed(address, PRIVATE)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "10.1.2.3", "172.20.0.1"),
        *("192.168.1.1", "fc00::1", "fd12:3456::1"),
    ],
)
def test_private_addresses_are_allowed_by_their_switch(address: str) -> None:
    assert address_allowed(address, PRIVATE)


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::", "::a9fe:a9fe"),
        *("fe80::1", "fe80::a9fe:a9fe", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200"),
        *("0.0.0.1", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "168.63.129.16"),
    ],
)
def test_link_local_addresses_are_never_allowed(address: str) -> None:
    assert not address_allowed(address, PRIVATE)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "empty"),
        ("https://", "no_host"),
        ("https:///path", "no_host"),
        ("https:example.com", "no_host"),
        ("https://:443/", "no_host"),
        ("example.com/hook", "scheme"),
        ("ftp://example.com/", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("http://example.com/", "http"),
        ("https://me@example.com/", "userinfo"),
        ("https://@example.com/", "userinfo"),
        ("https://me:pw@example.com/", "userinfo"),
        ("https://example.com/#top", "fragment"),
        ("https://example.com/#", "fragment"),
        ("https://example.com/" + "a" * 2048, "too_long"),
        ("https://example.com/" + "é" * 400, "too_long"),
        ("https://example.com/a b", "characters"),
        ("https://example.com/\r\nHost: x", "characters"),
        ("https://exam\tple.com/", "characters"),
        ("https://example.com/\x00", "characters"),
        ("https://example.com/\u2028", "characters"),
        ("https://example.com/\ud800", "characters"),
        ("https://example.com\\@127.0.0.1/", "characters"),
        ("https://a..b/", "bad_host"),
        ("https://-a.com/", "bad_host"),
        ("https://" + "a" * 64 + ".com/", "bad_host"),
        ("https://" + "a." * 127 + "com/", "bad_host"),
        ("https://exa%6dple.com/", "bad_host"),
        ("https://exa*mple.com/", "bad_host"),
        ("https://[::1/", "bad_host"),
        ("https://[::g]/", "bad_host"),
        ("https://1.2.3.4.5/", "bad_host"),
        ("https://256.1.1.1/", "bad_host"),
        ("https://08.8.8.8/", "bad_host"),
        ("https://99999999999/", "bad_host"),
        ("https://" + "9" * 1500 + "/", "bad_host"),
        ("https://example.123/", "bad_host"),
        ("https://exa\u2100mple.com/", "bad_host"),
        ("https://localhost/", "localhost"),
        ("https://LOCALHOST./", "localhost"),
        ("https://a.localhost/", "localhost"),
        ("https://localhost.localdomain/", "localhost"),
        ("https://127.1/", "address"),
        ("https://0X7F.1/", "address"),
        ("https://017700000001/", "address"),
        ("https://2852039166/", "address"),
        ("https://①⑥⑨.②⑤④.①⑥⑨.②⑤④/", "address"),
        ("https://127。0。0。1/", "address"),
        ("https://example.com:0/", "port"),
        ("https://example.com:22/", "port"),
        ("https://example.com:1023/", "port"),
        ("https://example.com:65536/", "port"),
        ("https://example.com:https/", "port"),
    ],
)
def test_each_kind_of_bad_url_has_its_code_and_its_sentences(url: str, code: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        check_url(url, STRICT)
    assert caught.value.code == code
    for sentence in (caught.value.english, caught.value.portuguese):
        assert sentence.endswith(".")
        assert "\n" not in sentence


@pytest.mark.parametrize(
    ("url", "normalised"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM.:443/Hook?a=1&b=%20", "https://example.com/Hook?a=1&b=%20"),
        ("https://example.com:8443/x", "https://example.com:8443/x"),
        ("https://example.com:80/x", "https://example.com:80/x"),
        ("https://example.com?a=1", "https://example.com/?a=1"),
        ("https://ação.com.br/olá?é=ç", "https://xn--ao-siap.com.br/ol%C3%A1?%C3%A9=%C3%A7"),
        ("https://straße.de/", "https://xn--strae-oqa.de/"),
        ("https://\uff45xample.com/", "https://example.com/"),
        ("https://my_host.example.com/", "https://my_host.example.com/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://134744072/", "https://8.8.8.8/"),
        ("https://[2606:4700:0:0::1111]/", "https://[2606:4700::1111]/"),
        ("https://example.com/?q=https://a.b/[c]", "https://example.com/?q=https://a.b/[c]"),
    ],
)
def test_a_good_url_is_normalised_and_stays_so(url: str, normalised: str) -> None:
    assert check_url(url, STRICT).url == normalised
    assert check_url(normalised, STRICT).url == normalised


def test_a_target_tells_where_to_connect_and_what_to_ask() -> None:
    target = check_url("http://[::1]:8080/a?b", PRIVATE)
    assert (target.scheme, target.host, target.port) == ("http", "::1", 8080)
    assert target.path_and_query == "/a?b"


def test_plain_http_needs_one_of_the_switches() -> None:
    assert check_url("http://example.com/", HTTP).port == 80
    assert check_url("http://example.com/", PRIVATE).port == 80
    with pytest.raises(UrlRefused):
        check_url("http://127.0.0.1/", HTTP)


def test_loopback_names_and_addresses_need_their_switch() -> None:
    assert check_url("http://localhost:5000/", PRIVATE).host == "localhost"
    assert check_url("http://127.1:5000/", PRIVATE).host == "127.0.0.1"
    with pytest.raises(UrlRefused):
        check_url("http://169.254.169.254/", PRIVATE)


@pytest.mark.parametrize(
    ("url", "normalised"),
    [
        ("https://socket.3c.plus", "https://socket.3c.plus/"),
        ("wss://socket.3c.plus/", "https://socket.3c.plus/"),
        ("wss://socket.3c.plus:443", "https://socket.3c.plus/"),
    ],
)
def test_a_socket_url_is_a_secure_host_without_path(url: str, normalised: str) -> None:
    assert check_socket_url(url, STRICT).url == normalised


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://socket.3c.plus/socket.io/", "path"),
        ("https://socket.3c.plus/?token=x", "path"),
        ("ws://socket.3c.plus", "http"),
        ("http://socket.3c.plus", "http"),
        ("ftp://socket.3c.plus", "scheme"),
        ("https://10.0.0.1", "address"),
    ],
)
def test_any_other_socket_url_is_refused(url: str, code: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        check_socket_url(url, HTTP)
    assert caught.value.code == code


def test_a_socket_on_loopback_needs_the_private_switch() -> None:
    assert check_socket_url("ws://127.0.0.1:4000", PRIVATE).url == "http://127.0.0.1:4000/"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.com/hook?key=secret#x", "https://a.com/hook"),
        ("https://me:pw@a.com/hook", "https://a.com/hook"),
        ("https://a.com:8443/rest/1/abcdefghijklmnop/x", "https://a.com:8443/rest/1/abcd…/x"),
        ("https://a.com/abcdefghijklmno", "https://a.com/abcdefghijklmno"),
        ("https://[::1]/x", "https://[::1]/x"),
        ("https://[::1/x?secret", "…"),
    ],
)
def test_a_url_in_a_log_shows_no_secret(url: str, shown: str) -> None:
    assert masked_url(url) == shown
