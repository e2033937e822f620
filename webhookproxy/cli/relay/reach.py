"""Looks up the name of a new address, without connecting."""

from __future__ import annotations

from collections.abc import Callable

import gevent

from webhookproxy.cli.shared.context import policy
from webhookproxy.network.addresses import address_allowed
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy, Target, UrlRefused
from webhookproxy.rules import Refused

LOOKUP_SECONDS = 3.0


def lookup_warning(url: str, check: Callable[[str, Policy], Target]) -> str | None:
    """Return a sentence if the URL's host does not resolve now, else None.

    Raises Refused if any of its addresses is not allowed. A URL that `check` refuses is left to
    the rules, which report all problems together.
    """
    try:
        target = check(url.strip(), policy())
    except UrlRefused:
        return None
    try:
        with gevent.Timeout(LOOKUP_SECONDS):
            answers = Resolver().lookup(target.host, target.port)
    except (OSError, UnicodeError, gevent.Timeout):
        return (
            f"Warning: {target.host} does not resolve now; the address was saved anyway, and the "
            "name is looked up again at every connection."
        )
    if not all(address_allowed(str(answer[4][0]), policy()) for answer in answers):
        raise Refused.one(
            "url",
            f"{target.host} leads to an address that is not allowed: use one that is public.",
            f"{target.host} leva a um endereço não permitido: use um endereço público.",
        )
    return None
