"""Whom the server believes about the address of its visitors."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask, request, request_started

from tests.support.application import application


def seen_address(app: Flask, forwarded: str, peer: str = "127.0.0.1") -> str:
    """Return the visitor's address as the application sees it."""
    seen: list[str] = []

    def note(_sender: Flask, **_: object) -> None:
        seen.append(request.remote_addr or "")

    headers = {"X-Forwarded-For": forwarded}
    with request_started.connected_to(note, app):
        app.test_client().get("/saude", headers=headers, environ_base={"REMOTE_ADDR": peer})
    return seen[0]


@pytest.mark.parametrize(
    ("hops", "address"), [("0", "127.0.0.1"), ("1", "203.0.113.9"), ("2", "198.51.100.7")]
)
def test_as_many_proxies_are_believed_as_there_are(
    sqlite_url: str, tmp_path: Path, hops: str, address: str
) -> None:
    with application(sqlite_url, tmp_path, PROXY_HOPS=hops) as app:
        assert seen_address(app, "198.51.100.7, 203.0.113.9") == address


def test_forwarded_addresses_are_believed_from_a_trusted_peer_only(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = {"PROXY_HOPS": "1", "TRUSTED_PROXIES": "192.0.2.0/24"}
    with application(sqlite_url, tmp_path, **given) as app:
        assert seen_address(app, "203.0.113.9") == "127.0.0.1"
        assert seen_address(app, "203.0.113.9", peer="192.0.2.7") == "203.0.113.9"
        assert seen_address(app, "203.0.113.9", peer="::ffff:192.0.2.7") == "203.0.113.9"
    said = [record.message for record in caplog.records if "TRUSTED_PROXIES" in record.message]
    assert len(said) == 1
    assert said[0].startswith("X-Forwarded-For of 127.0.0.1 is not believed: ")


def test_on_heroku_its_router_is_believed(sqlite_url: str, tmp_path: Path) -> None:
    given = {"PROXY_HOPS": "1", "DYNO": "web.1", "ALLOW_PRIVATE_TARGETS": "0"}
    with application(sqlite_url, tmp_path, **given) as app:
        assert seen_address(app, "203.0.113.9", peer="10.1.2.3") == "203.0.113.9"
        assert seen_address(app, "203.0.113.9") == "127.0.0.1"


@pytest.mark.parametrize("hops", ["0", "1", "2"])
def test_connections_are_counted_for_the_address_that_the_pages_see(
    sqlite_url: str, tmp_path: Path, hops: str
) -> None:
    forwarded = "198.51.100.7, 203.0.113.9"
    with application(sqlite_url, tmp_path, PROXY_HOPS=hops) as app:
        environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": forwarded}
        assert app.extensions["proxies"].address(environ) == seen_address(app, forwarded)
