"""Turns the text of a setting into its value; a ValueError says the rule as "must be ..."."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError


def switch(text: str) -> bool:
    """Return a switch's value: people write 0 and 1 in several ways."""
    answers = {"0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}
    try:
        return answers[text.lower()]
    except KeyError:
        raise ValueError("must be 0 or 1 (false, true, no and yes do too)") from None


def number(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `lowest` to `highest`."""

    def parse(text: str) -> int:
        rule = f"must be a whole number from {lowest} to {highest}"
        if not (text.isascii() and text.isdigit()) or len(text) > len(str(highest)):
            raise ValueError(rule)
        if not lowest <= int(text) <= highest:
            raise ValueError(rule)
        return int(text)

    return parse


def one_of(*allowed: str) -> Callable[[str], int]:
    """Return a parser of one of some numbers."""

    def parse(text: str) -> int:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return int(text)

    return parse


def gigabytes(text: str) -> float:
    """Return a size that may have decimals; 0 means no limit."""
    rule = "must be a number from 0.01 to 100000, or 0 for no limit"
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text, re.ASCII):
        raise ValueError(rule)
    if float(text) and not 0.01 <= float(text) <= 100_000:
        raise ValueError(rule)
    return float(text)


def origin(text: str) -> str:
    """Return the scheme, host and port of a server; empty stays empty."""
    rule = "must be an address like https://example.com, without user, path or query"
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        # Reading `port` raises ValueError for a wrong port number.
        bare = f"{parts.scheme}://{parts.netloc}" == text.rstrip("/") and parts.port != 0
    except ValueError:
        raise ValueError(rule) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not bare:
        raise ValueError(rule)
    if "@" in parts.netloc or not parts.netloc.isprintable() or " " in parts.netloc:
        raise ValueError(rule)
    return text.rstrip("/")


def web_address(text: str) -> str:
    """Return an address to call, which may hold a secret in its path; empty stays empty."""
    rule = "must be an address like https://example.com/path, without user or spaces"
    try:
        parts = urlsplit(text)
        # Reading `port` raises ValueError for a wrong port number.
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise ValueError(rule) from None
    if text and (not whole or "@" in parts.netloc or not text.isprintable() or " " in text):
        raise ValueError(rule)
    return text


def bearer(text: str) -> str:
    """Return a token that others send in a header; empty stays empty."""
    if text and not re.fullmatch(r"[!-~]{16,200}", text):
        raise ValueError("must have 16 to 200 characters (ASCII, without spaces)")
    return text


def hosts(text: str) -> tuple[str, ...]:
    """Return host names, separated by commas or spaces."""
    hosts = tuple(text.replace(",", " ").split())
    if any(set(host) & set("/@?#*") or not host.isprintable() for host in hosts):
        raise ValueError("must be host names separated by commas (.example.com: subdomains too)")
    return hosts


def address(text: str) -> str:
    """Return an IP address of this machine."""
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(
            "must be an IP address: 127.0.0.1 for this machine only, 0.0.0.0 for all"
        ) from None


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks of addresses and networks separated by commas or spaces."""
    try:
        return tuple(ip_network(each, strict=False) for each in text.replace(",", " ").split())
    except ValueError:
        raise ValueError("must be addresses or networks such as 10.0.0.0/8") from None


def level(text: str) -> str:
    """Return the name of a log level."""
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def database(text: str) -> str:
    """Return a database's address as SQLAlchemy wants it; empty stays empty."""
    rule = "must start with sqlite:///, postgres:// or postgresql:// and be a complete address"
    for scheme in ("postgres://", "postgresql://"):
        # Name psycopg 3: SQLAlchemy's default for PostgreSQL is another driver.
        if text.startswith(scheme):
            text = "postgresql+psycopg://" + text.removeprefix(scheme)
    if text and not text.startswith(("sqlite://", "postgresql+psycopg://")):
        raise ValueError(rule)
    if text:
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            raise ValueError(rule) from None
        if url.get_backend_name() == "postgresql":
            _check_options(url)
    return text


def postgresql(text: str) -> str:
    """Return an address of PostgreSQL as SQLAlchemy wants it; empty stays empty."""
    if text and not text.startswith(("postgres://", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("must start with postgres:// or postgresql:// and be a complete address")
    return database(text)


def _check_options(url: URL) -> None:
    """Raise ValueError for an option that the driver always refuses."""
    # Imported here: an installation on SQLite never needs the driver.
    from psycopg.pq import Conninfo, PGconn

    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    for name, value in url.query.items():
        if name not in known:
            raise ValueError(f"has an option that PostgreSQL's driver does not know ({name})")
        if name not in ("host", "hostaddr", "port"):
            # This asks no server: the driver reads its options before it looks for this socket.
            attempt = PGconn.connect_start(f"host=/nowhere {name}='{value}'".encode())
            refused = attempt.error_message.startswith(b"invalid")
            attempt.finish()
            if refused:
                raise ValueError(f"has an option whose value means nothing to PostgreSQL ({name})")
