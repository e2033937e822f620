"""The checks of a URL before it is saved, and how it is shown.

Functions of their arguments. They only help the person who types a URL, because a name may have
another address when it is used. The real guard is `address_allowed`: `dial` asks it for every
address before it connects.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

import idna

from webhookproxy.network.addresses import (
    Policy,
    address_allowed,
    ipv4_in_any_spelling,
    parse_address,
)

__all__ = [
    "Policy",
    "Target",
    "UrlRefused",
    "address_allowed",
    "check_socket_url",
    "check_url",
    "masked_url",
]

URL_MAX = 2048
DEFAULT_PORTS = {"http": 80, "https": 443}

_LOCALHOST = re.compile(r"(?:.*\.)?localhost(?:\.localdomain)?|ip6-(?:localhost|loopback)")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_BRACKETED = re.compile(r"\[[^\[\]]*\](?::[0-9]*)?")
# Dots of Chinese, Japanese and half-width text, which browsers read as a dot.
_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")
_PATH_SAFE = "/%:@!$&'()*+,;=~-._[]"
_SECRET_SEGMENT = 16


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a URL: `host` in punycode and lower case, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int
    path_and_query: str
    url: str


class UrlRefused(ValueError):
    """A URL that may not be used: `code` for programs, a sentence for each kind of reader."""

    def __init__(self, code: str, english: str, portuguese: str) -> None:
        super().__init__(english)
        self.code = code
        self.english = english
        self.portuguese = portuguese


def check_url(url: str, policy: Policy) -> Target:
    """Return the webhook's URL, normalised; raise UrlRefused with its problem."""
    parts = _split(url)
    if parts.scheme not in ("http", "https"):
        raise UrlRefused(
            "scheme", "The URL must start with https://.", "A URL deve começar com https://."
        )
    if parts.scheme == "http" and not (policy.allow_http or policy.allow_private):
        raise _http_refused(
            "ALLOW_HTTP=1 allows it, ALLOW_PRIVATE_TARGETS=1 also to this machine, for tests",
            "a configuração ALLOW_HTTP=1 o permite; ALLOW_PRIVATE_TARGETS=1, só para testes, "
            "também para a própria máquina",
        )
    return _target(parts, parts.scheme, policy)


def check_socket_url(url: str, policy: Policy) -> Target:
    """Return the address of a Socket.IO server, with https (or http); raise UrlRefused."""
    parts = _split(url)
    scheme = {"wss": "https", "ws": "http"}.get(parts.scheme, parts.scheme)
    if scheme not in ("http", "https"):
        raise UrlRefused(
            "scheme",
            "The socket's address must start with https:// or wss://.",
            "O endereço do socket deve começar com https:// ou wss://.",
        )
    if scheme == "http" and not policy.allow_private:
        raise _http_refused(
            "ALLOW_PRIVATE_TARGETS=1 allows it, for tests",
            "a configuração ALLOW_PRIVATE_TARGETS=1 o permite, só para testes",
        )
    if parts.path not in ("", "/") or parts.query:
        raise UrlRefused(
            "path",
            "The socket's address must have no path: write only https:// and the host.",
            "O endereço do socket não pode ter caminho: informe só https:// e o domínio.",
        )
    return _target(parts, scheme, policy)


def masked_url(url: str) -> str:
    """Return the URL for logs and lists: no user, query or fragment, long path segments cut.

    A segment of 16 characters or more may be a secret (n8n, Zapier and Bitrix24 keep theirs in
    the path): only its first four and "…" stay.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "…"
    segments = [
        f"{segment[:4]}…" if len(segment) >= _SECRET_SEGMENT else segment
        for segment in parts.path.split("/")
    ]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{'/'.join(segments)}"


def _split(url: str) -> SplitResult:
    """Return the URL's parts; raise UrlRefused if it can be read in two ways."""
    if not url:
        raise UrlRefused("empty", "The URL is empty: give one.", "Informe a URL.")
    if len(url) > URL_MAX:
        raise UrlRefused(
            "too_long",
            f"The URL is longer than {URL_MAX:,} characters.",
            "A URL passa de 2.048 caracteres.",
        )
    # urlsplit() drops line breaks and tabs, and clients differ in what a backslash means.
    if "\\" in url or not url.isprintable() or " " in url:
        raise UrlRefused(
            "characters",
            "The URL has spaces, control characters or a backslash: remove them.",
            "A URL tem espaços, caracteres de controle ou barra invertida: remova-os.",
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _bad_host() from None
    if "@" in parts.netloc:
        raise UrlRefused(
            "userinfo",
            "The URL has a user or password before the host: use the authorization field.",
            "A URL tem usuário ou senha antes do domínio: use o campo de autorização.",
        )
    if "#" in url:
        raise UrlRefused(
            "fragment",
            "The URL has a part after #, which is never sent: remove it.",
            "A URL tem uma parte depois de #, que nunca é enviada: remova-a.",
        )
    return parts


def _target(parts: SplitResult, scheme: str, policy: Policy) -> Target:
    host = _host(parts, policy)
    port = _port(parts, DEFAULT_PORTS[scheme])
    path = quote(parts.path, safe=_PATH_SAFE) or "/"
    if parts.query:
        path += "?" + quote(parts.query, safe=_PATH_SAFE + "?")
    authority = f"[{host}]" if ":" in host else host
    if port != DEFAULT_PORTS[scheme]:
        authority += f":{port}"
    normalised = f"{scheme}://{authority}{path}"
    if len(normalised) > URL_MAX:
        raise UrlRefused(
            "too_long",
            f"The URL is longer than {URL_MAX:,} characters once its accents are encoded.",
            "A URL passa de 2.048 caracteres depois de codificados os acentos.",
        )
    return Target(scheme, host, port, path, normalised)


def _host(parts: SplitResult, policy: Policy) -> str:
    """Return the host as a name in punycode, or as an IP address in its usual spelling."""
    name = parts.hostname
    if not name:
        raise UrlRefused("no_host", "The URL has no host.", "A URL não tem domínio.")
    if "[" in parts.netloc:
        # urlsplit() of several Pythons ignores text between the bracket and the port.
        if not _BRACKETED.fullmatch(parts.netloc):
            raise _bad_host()
        return _checked_address(name, policy)
    name = _ascii(unicodedata.normalize("NFKC", name).translate(_DOTS).lower().removesuffix("."))
    # Only after punycode: a character that it drops (a variation selector) must not hide a number.
    try:
        address = ipv4_in_any_spelling(name)
    except ValueError:
        raise _bad_host() from None
    if address is not None:
        return _checked_address(address, policy)
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise _bad_host()
    if _LOCALHOST.fullmatch(name) and not policy.allow_private:
        raise UrlRefused(
            "localhost",
            "The URL leads to this server itself: use one that is reachable from the internet.",
            "A URL leva ao próprio servidor: use uma acessível pela internet.",
        )
    return name


def _ascii(name: str) -> str:
    """Return the name in punycode."""
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except UnicodeError:
        raise _bad_host() from None


def _checked_address(text: str, policy: Policy) -> str:
    ip = parse_address(text)
    if ip is None:
        raise _bad_host()
    if not address_allowed(text, policy):
        raise UrlRefused(
            "address",
            "The URL leads to an address that is not allowed, such as one of an internal network.",
            "A URL leva a um endereço não permitido, como o de uma rede interna.",
        )
    return str(ip)


def _port(parts: SplitResult, default: int) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port is None:
        return default
    if port < 1024 and port not in (80, 443):
        raise UrlRefused(
            "port",
            "The port must be 80, 443 or between 1024 and 65535.",
            "A porta deve ser 80, 443 ou ficar entre 1024 e 65535.",
        )
    return port


def _http_refused(english: str, portuguese: str) -> UrlRefused:
    """Return the refusal of plain http; the words name the setting that allows it."""
    return UrlRefused(
        "http",
        f"Plain http is not allowed on this server: use https ({english}).",
        f"Este servidor não aceita http sem criptografia: use https ({portuguese}).",
    )


def _bad_host() -> UrlRefused:
    return UrlRefused(
        "bad_host",
        "The URL's host is not a valid name or address.",
        "O domínio da URL não é um nome ou endereço válido.",
    )
