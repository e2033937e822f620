"""Whom the server believes about the address of its visitors."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask, request

from tests.support.application import application


def seen_address(app: Flask, forwarded: str) -> str:
    """The visitor's address as the application sees it."""
    seen: list[str] = []
    app.before_request(lambda: seen.append(request.remote_addr or ""))
    app.test_client().get("/saude", headers={"X-Forwarded-For": forwarded})
    return seen[0]


@pytest.mark.parametrize(
    ("hops", "address"), [("0", "127.0.0.1"), ("1", "203.0.113.9"), ("2", "198.51.100.7")]
)
def test_as_many_proxies_are_believed_as_there_are(
    sqlite_url: str, tmp_path: Path, hops: str, address: str
) -> None:
    with application(sqlite_url, tmp_path, PROXY_HOPS=hops) as app:
        assert seen_address(app, "198.51.100.7, 203.0.113.9") == address
