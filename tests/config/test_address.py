"""The address that is printed for people to open."""

from __future__ import annotations

from typing import Any

import pytest

from webhookproxy.config.address import first_access_address, linked_address, pages_address
from webhookproxy.config.settings import load

KEYS = {"SECRET_KEY": "s" * 32, "DATA_KEYS": "d" * 32}


def loaded(**environ: str) -> dict[str, Any]:
    return load({**KEYS, **environ}, {}, "/srv/instance")


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, "http://127.0.0.1:5000"),
        ({"PORT": "8080", "BIND": "0.0.0.0"}, "http://127.0.0.1:8080"),  # noqa: S104
        ({"BIND": "192.168.0.7"}, "http://192.168.0.7:5000"),
        ({"BIND": "::1"}, "http://[::1]:5000"),
        ({"PUBLIC_URL": "https://relay.example.com/"}, "https://relay.example.com"),
        ({"DYNO": "web.1", "BIND": "0.0.0.0"}, "https://<the address of this Heroku dyno>"),  # noqa: S104
        # A developer's own machine may be a pod.
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "http://127.0.0.1:5000"),
    ],
)
def test_the_address_is_one_that_can_be_opened(environ: dict[str, str], address: str) -> None:
    assert pages_address(loaded(**environ)) == address


def test_where_the_server_really_listens_counts_more_than_the_settings() -> None:
    assert pages_address(loaded(PORT="0"), ("0.0.0.0", 4321)) == "http://127.0.0.1:4321"  # noqa: S104
    assert pages_address(loaded(PORT="0"), ("::", 4321)) == "http://127.0.0.1:4321"


def test_the_first_access_has_its_code_in_the_address() -> None:
    address = first_access_address("http://127.0.0.1:5000", "0123-4567-89ab-cdef")
    assert address == "http://127.0.0.1:5000/primeiro-acesso?codigo=0123-4567-89ab-cdef"


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, "http://127.0.0.1:5000"),
        ({"PUBLIC_URL": "https://relay.example.com/"}, "https://relay.example.com"),
        ({"BIND": "0.0.0.0"}, None),  # noqa: S104
        ({"BIND": "192.168.0.7"}, None),
        ({"DYNO": "web.1", "BIND": "0.0.0.0"}, None),  # noqa: S104
    ],
)
def test_a_message_has_a_link_only_where_the_address_is_known(
    environ: dict[str, str], address: str | None
) -> None:
    assert linked_address(loaded(**environ)) == address
