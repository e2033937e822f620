"""Looks up the name of a new address, without connecting."""

from __future__ import annotations

from collections.abc import Callable

from webhookproxy.cli.shared.context import policy
from webhookproxy.network.dial import DialError, resolve, shared_resolver
from webhookproxy.network.guard import Policy, Target, UrlRefused
from webhookproxy.reasons import DeliveryReason
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
        resolve(target.host, target.port, policy(), shared_resolver(), LOOKUP_SECONDS)
    except DialError as error:
        if error.reason is not DeliveryReason.ADDRESS_NOT_ALLOWED:
            return (
                f"Warning: {target.host} does not resolve now; the address was saved anyway, and "
                "the name is looked up again at every connection."
            )
        raise Refused.one(
            "url",
            f"{target.host} leads to an address that is not allowed: use one that is public.",
            f"{target.host} leva a um endereço não permitido: use um endereço público.",
        ) from None
    return None
