"""Every test runs in a process patched by gevent, and none dials anything but loopback."""

# ruff: noqa: E402 - nothing may be imported before the patch
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import socket

import pytest
import pytest_socket

# The plugin was imported before the patch and puts back, after every test, what it saw then.
pytest_socket._true_socket = socket.socket  # type: ignore[misc]
pytest_socket._true_connect = socket.socket.connect
pytest_socket._true_getaddrinfo = socket.getaddrinfo
pytest_socket._true_gethostbyname = socket.gethostbyname


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.option.allow_hosts = "127.0.0.1,::1"
