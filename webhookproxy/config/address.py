"""The address at which people open the pages, as far as the settings tell."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any


def pages_address(config: Mapping[str, Any], bound: tuple[str, int] | None = None) -> str:
    """Return the address of the pages, without a path.

    `bound` is where the server really listens; without it BIND and PORT say where it would.
    """
    if config["PUBLIC_URL"]:
        return str(config["PUBLIC_URL"])
    host, port = bound or (config["BIND"], config["PORT"])
    if config["HOSTING"] and not ip_address(host).is_loopback:
        return f"https://<the address of this {config['HOSTING']}>"
    # All addresses of the machine: the one that works in a browser on this machine.
    if ip_address(host).is_unspecified:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def linked_address(config: Mapping[str, Any]) -> str | None:
    """Return the address that a link in a message leads to, without a path; None if unknown.

    Without PUBLIC_URL it is known only of a server that this machine alone can reach.
    """
    if config["PUBLIC_URL"] or ip_address(config["BIND"]).is_loopback:
        return pages_address(config)
    return None


def first_access_address(base: str, code: str) -> str:
    """Return the page on which the first administrator is created, with the code filled in."""
    return f"{base}/primeiro-acesso?codigo={code}"
