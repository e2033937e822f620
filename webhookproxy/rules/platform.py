"""Where the REST of 3C Plus is, and which addresses may be it: no other ever gets a token."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from webhookproxy.network.guard import Policy, UrlRefused, check_url

DEFAULT_REST = "https://app.3c.plus"
_REST_DOMAINS = ("3c.plus",)
_SOCKET_DOMAINS = ("3c.plus", "3cplus.com.br", "fluxoti.com")
# 3C Plus is leaving it: its REST there has answered 404 since August 2026.
_LEFT_DOMAINS = ("fluxoti.com",)


def rest_base(socket_url: str, rest_url: str, policy: Policy) -> str:
    """Return where a company's calls are asked for, without a slash at its end; empty: nowhere.

    That is the company's own REST address, or else the default if its socket is one of 3C Plus. For
    a socket elsewhere it is the socket's own server, if the setting REST_HOSTS names it. So a token
    is never sent to a server that it was not meant for.
    """
    if rest_url:
        base = rest_url
    elif _is_under(_host(socket_url), _SOCKET_DOMAINS):
        base = DEFAULT_REST
    else:
        base = socket_url
    return base.rstrip("/") if _is_allowed(base, policy) else ""


def is_left_host(socket_url: str) -> bool:
    """Return whether a socket is at an address that 3C Plus is leaving."""
    return _is_under(_host(socket_url), _LEFT_DOMAINS)


def check_rest_url(url: str, policy: Policy) -> str:
    """Return the address, normalised; empty stays empty. Raises UrlRefused."""
    if not url.strip():
        return ""
    target = check_url(url.strip(), policy)
    if target.scheme != "https" and not _is_named(target.url, policy):
        raise UrlRefused(
            "scheme",
            "The REST address must start with https://.",
            "O endereço REST deve começar com https://.",
        )
    if target.path_and_query != "/":
        raise UrlRefused(
            "path",
            "The REST address must have no path: write only https:// and the host.",
            "O endereço REST não pode ter caminho: informe só https:// e o domínio.",
        )
    if not _is_allowed(target.url, policy):
        raise UrlRefused(
            "host",
            "The REST address must be of 3C Plus, a host under 3c.plus; the setting REST_HOSTS "
            "allows others.",
            "O endereço REST deve ser da 3C Plus, como https://app.3c.plus.",
        )
    return target.url


def _is_allowed(url: str, policy: Policy) -> bool:
    # Without TLS anyone who answers for the name gets the token.
    is_theirs = url.startswith("https://") and _is_under(_host(url), _REST_DOMAINS)
    return is_theirs or _is_named(url, policy)


def _is_named(url: str, policy: Policy) -> bool:
    """Return whether the setting names the host; without TLS only for development."""
    has_tls = url.startswith("https://")
    return _host(url) in policy.rest_hosts and (has_tls or policy.allow_private)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_under(host: str, domains: Collection[str]) -> bool:
    return any(host == each or host.endswith(f".{each}") for each in domains)
