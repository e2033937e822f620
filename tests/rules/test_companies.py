"""A stored token goes to no other server, on each way in which an address is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from webhookproxy.network.guard import Policy
from webhookproxy.rules import Refused
from webhookproxy.rules.companies import CompanyInput, changed_company, check_company
from webhookproxy.rules.platform import is_left_host

POLICY = Policy(rest_hosts=frozenset({"rest.example.com"}))
STORED = CompanyInput("Acme", "canary-token", "https://socket.3c.plus/")
NAMED = CompanyInput(
    "Acme", "canary-token", "https://socket.3c.plus/", rest_url="https://rest.example.com/"
)
TWO = CompanyInput("Acme", "canary-token", "https://socket.3c.plus/", rest_token="canary-rest")

MOVES: dict[str, tuple[CompanyInput, dict[str, Any], str]] = {
    "a domain of its own": (STORED, {"rest_url": "https://acme.3c.plus"}, "token"),
    "its own domain, and the token": (
        STORED,
        {"rest_url": "https://acme.3c.plus", "token": "canary-again"},
        "",
    ),
    "the default, written out": (STORED, {"rest_url": "https://app.3c.plus/"}, ""),
    "a host that the installation names": (
        STORED,
        {"rest_url": "https://rest.example.com"},
        "token",
    ),
    "back to the default": (NAMED, {"rest_url": ""}, "token"),
    "another port": (NAMED, {"rest_url": "https://rest.example.com:8443"}, "token"),
    "a second token, and only the first": (
        TWO,
        {"rest_url": "https://acme.3c.plus", "token": "canary-again"},
        "rest_token",
    ),
    "a second token, and it": (
        TWO,
        {"rest_url": "https://acme.3c.plus", "rest_token": "canary-again"},
        "",
    ),
    "without the second token": (
        TWO,
        {"rest_url": "https://acme.3c.plus", "rest_token": None},
        "token",
    ),
    "the first token, where the second was asked with": (
        replace(TWO, rest_url="https://acme.3c.plus/"),
        {"rest_token": None},
        "token",
    ),
    "the first token again, at the default": (TWO, {"rest_token": None}, ""),
    "a second token, and a socket that leads the calls elsewhere": (
        TWO,
        {"socket_url": "https://rest.example.com", "token": "canary-again"},
        "rest_token",
    ),
    "nothing that matters": (NAMED, {"name": "Outra"}, ""),
    "a socket that leads the calls elsewhere": (
        STORED,
        {"socket_url": "https://rest.example.com", "token": "canary-again"},
        "",
    ),
}


@pytest.mark.parametrize(("stored", "given", "field"), MOVES.values(), ids=MOVES)
def test_a_new_rest_address_asks_for_the_token_again(
    stored: CompanyInput, given: dict[str, Any], field: str
) -> None:
    if not field:
        changed_company(stored, given, POLICY)
        return
    with pytest.raises(Refused) as refused:
        changed_company(stored, given, POLICY)
    assert [each.field for each in refused.value.problems] == [field]


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.com",
        "https://3c.plus.evil.com",
        "https://evil3c.plus",
        "https://app.3c.plus@evil.com",
        "https://app.3c.plus/api/v1",
        "http://app.3c.plus",
        "https://10.0.0.1",
        "ftp://app.3c.plus",
    ],
)
def test_an_address_that_is_nobodys_of_3c_plus_is_refused_with_or_without_a_token(
    address: str,
) -> None:
    for given in ({"rest_url": address}, {"rest_url": address, "token": "canary-again"}):
        with pytest.raises(Refused) as refused:
            check_company(changed_company(STORED, given, POLICY), POLICY)
        assert "rest_url" in [each.field for each in refused.value.problems]


def test_the_domain_that_3c_plus_leaves_is_known() -> None:
    assert is_left_host("https://socket.3c.fluxoti.com/")
    for host in ("https://socket.3c.plus/", "https://fluxoti.com.example.com/", "nothing"):
        assert not is_left_host(host)
