"""What an answer says beyond its status: of receivers that many people use, and of redirects."""

from __future__ import annotations

from urllib.parse import urldefrag, urljoin, urlsplit

from webhookproxy.delivery.outcomes.retry import Kind, classify
from webhookproxy.network.guard import Policy, UrlRefused, check_url, masked_url
from webhookproxy.reasons import DeliveryReason

# Where a redirect leads is shown only if anybody could have known the address.
_PUBLIC = Policy(allow_private=False, allow_http=True)
_INTERNAL_SUFFIXES = (".local", ".localdomain", ".internal", ".intranet", ".lan", ".home.arpa")


def read_status(status: int, url: str) -> tuple[Kind, DeliveryReason]:
    """What a status from this URL means: as everywhere, but told apart for n8n and Make.

    n8n's test URL answers 404 unless somebody just clicked "Listen for test event"
    (docs.n8n.io, Webhook node: "Webhook URLs"); Make's answers 410 while the scenario is off
    (help.make.com, Webhooks).
    """
    kind, reason = classify(status)
    parts = urlsplit(url)
    host = parts.hostname or ""
    if status == 404 and "/webhook-test/" in parts.path:
        return kind, DeliveryReason.N8N_TEST_URL
    if kind is Kind.GONE and host.startswith("hook.") and host.endswith(".make.com"):
        return kind, DeliveryReason.MAKE_OFF
    return kind, reason


def redirect_target(url: str, location: str | None) -> str | None:
    """Where a redirect from `url` leads, fit to be shown: no query, no secret, nothing internal.

    None if it does not say, or says what must not be shown.
    """
    if not location:
        return None
    try:
        target = check_url(urldefrag(urljoin(url, location)).url, _PUBLIC)
    except (UrlRefused, ValueError):
        return None
    if "." not in target.host.strip(".") and ":" not in target.host:
        return None
    if target.host.endswith(_INTERNAL_SUFFIXES):
        return None
    return masked_url(target.url)
