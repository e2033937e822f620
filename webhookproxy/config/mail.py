"""The settings of the mail server; a ValueError says the rule as "must be ..."."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

_PORTS = {"smtp": 587, "smtps": 465}
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
# RFC 5321 allows more, which no mail server of today gives out. The HTML standard has this too.
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
    r"@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_ADDRESS_MAX = 254


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mails are handed over. `has_tls` is TLS from the first byte, not STARTTLS."""

    host: str
    port: int
    has_tls: bool
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def is_on_this_machine(self) -> bool:
        """Return whether nothing between here and the server can be listened to."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def server(text: str) -> MailServer | None:
    """Return the mail server; None for an empty text."""
    rule = (
        "must be an address like smtp://user:password@mail.example.com:587 (smtps:// for port "
        "465), with %40 for an @ in the user or the password"
    )
    if not text:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(rule) from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not _is_bare(parts, text) or port == 0 or bool(user) != bool(password):
        raise ValueError(rule)
    # Such a server waits for us, and we would wait for its greeting.
    if parts.scheme == "smtp" and port == _PORTS["smtps"]:
        raise ValueError("must begin with smtps:// for port 465")
    # Python's smtplib sends both as ASCII.
    if not (user + password).isascii() or not (user + password).isprintable():
        raise ValueError("must have a user and a password of ASCII characters")
    host = parts.hostname or ""
    return MailServer(host, port or _PORTS[parts.scheme], parts.scheme == "smtps", user, password)


def sender(text: str) -> str:
    """Return the sender's address; empty stays empty."""
    if text and not is_mail_address(text):
        raise ValueError("must be an e-mail address like avisos@example.com, without a name")
    return text


def is_mail_address(text: str) -> bool:
    """Return whether e-mails can be sent to this address: ASCII, without any special form."""
    return len(text) <= _ADDRESS_MAX and _ADDRESS.fullmatch(text) is not None


def _is_bare(parts: SplitResult, text: str) -> bool:
    """Return whether an address has a host and nothing after its port."""
    if parts.scheme not in _PORTS or parts.path not in ("", "/") or "?" in text or "#" in text:
        return False
    host = parts.hostname or ""
    return _HOST.fullmatch(host) is not None or _is_ipv6(host)


def _is_ipv6(host: str) -> bool:
    try:
        return ip_address(host).version == 6
    except ValueError:
        return False
