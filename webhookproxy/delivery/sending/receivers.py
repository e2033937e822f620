"""What an answer means beyond its status: receivers that are off, busy, or redirect by habit."""

from __future__ import annotations

import re
from urllib.parse import urldefrag, urljoin, urlsplit

from webhookproxy.delivery.outcomes.retry import Kind, classify
from webhookproxy.network.guard import Policy, UrlRefused, check_url, masked_url
from webhookproxy.reasons import DeliveryReason

# The target of a redirect is shown only if it is an address that anyone could know.
_PUBLIC = Policy(allow_private=False, allow_http=True)
_INTERNAL_SUFFIXES = (".local", ".localdomain", ".internal", ".intranet", ".lan", ".home.arpa")
_MAKE_HOST = re.compile(r"hook\.(.+\.)?(make|integromat|make\.celonis)\.com")
# Only with these statuses a Retry-After counts: the others are about one event.
_PATIENCE = {
    403: DeliveryReason.BUSY,
    409: DeliveryReason.BUSY,
    413: DeliveryReason.BUSY,
    503: DeliveryReason.FAILED_STATUS,
}
# What busy receivers write where they mean 429: Make, Bitrix24, Google, Salesforce, AWS, Notion.
_SLOWER = (
    r"too[ _-]?many[ _-]?requests|rate[ _-]?limit|throttl|operation_time_limit|overload_limit"
    r"|(query|request|api)[ _-]?limit[ _-]?exceeded|(muitas|limite de) requisições"
)
_NO_CREDITS = (
    r"(insufficient|not enough|no more|out of|sem)[ _](credit|crédito|quota|balance)"
    r"|(credit|crédito|quota|cota)\w*.{0,20}(exceeded|exhausted|used up|esgotad|esgotaram)"
)
_LATER = r"queue is full|try again later|tente novamente mais tarde"
_LOCKED = r"\block(ed)?\b|deadlock|try again|please retry"
_BUSY_SAYINGS = tuple(
    (statuses, re.compile(saying, re.IGNORECASE), reason)
    for statuses, saying, reason in (
        ((400, 403, 409, 503), _SLOWER, DeliveryReason.THROTTLED),
        ((403,), _NO_CREDITS, DeliveryReason.OUT_OF_CREDITS),
        ((400, 403, 409), _LATER, DeliveryReason.BUSY),
        ((409,), _LOCKED, DeliveryReason.BUSY),
        # Bitrix24: the next request may come with a new token, so this is about no event.
        ((401,), r"expired_token", DeliveryReason.REFUSED_STATUS),
    )
)


def read_answer(
    url: str,
    status: int,
    *,
    said: str = "",
    location: str | None = None,
    asks_patience: bool = False,
) -> tuple[Kind, DeliveryReason]:
    """Return what an answer from this URL means, for the schedules and for people.

    `said` is the beginning of its body, `location` where it redirects to, and `asks_patience`
    says that it has a Retry-After.
    """
    kind, reason = classify(status)
    if reason is DeliveryReason.REDIRECTED:
        return _read_redirect(url, location or "")
    if kind in (Kind.REFUSAL, Kind.ERROR, Kind.FAILURE):
        return _read_failure(url, status, said, asks_patience=asks_patience)
    # Make answers 410 while the scenario is switched off (help.make.com, Webhooks).
    if kind is Kind.GONE and _is_make(url):
        return kind, DeliveryReason.MAKE_OFF
    return kind, reason


def read_bad_success(url: str, said: str) -> tuple[Kind, DeliveryReason]:
    """Return what a 2xx means whose text does not meet the webhook's rule of success.

    It is a refusal of this event, unless it says what busy receivers say: Bitrix24's
    QUERY_LIMIT_EXCEEDED may come with a 200.
    """
    for _, saying, reason in _BUSY_SAYINGS:
        if reason is not DeliveryReason.REFUSED_STATUS and saying.search(said):
            return Kind.BUSY, _busy_reason(url, reason)
    return Kind.REFUSAL, DeliveryReason.ANSWER_FAILED


def _read_redirect(url: str, location: str) -> tuple[Kind, DeliveryReason]:
    """Tell apart the redirects of Google Apps Script.

    A script answers with a redirect to its output, once it ran (developers.google.com, Apps
    Script: "Content Service"). One that is not published for anyone redirects to a login.
    """
    try:
        target = urlsplit(urljoin(url, location))
        host = urlsplit(url).hostname
    except ValueError:
        return classify(302)
    if target[:3] == ("https", "script.googleusercontent.com", "/macros/echo"):
        return Kind.SUCCESS, DeliveryReason.APPS_SCRIPT_RAN
    if host == "script.google.com" and target.hostname == "accounts.google.com":
        return Kind.FAILURE, DeliveryReason.APPS_SCRIPT_PRIVATE
    return classify(302)


def _read_failure(
    url: str, status: int, said: str, *, asks_patience: bool
) -> tuple[Kind, DeliveryReason]:
    """Tell apart what is busy, and n8n's test URL."""
    for statuses, saying, reason in _BUSY_SAYINGS:
        if status in statuses and saying.search(said):
            return Kind.BUSY, _busy_reason(url, reason)
    if asks_patience and status in _PATIENCE:
        return Kind.BUSY, _PATIENCE[status]
    kind, reason = classify(status)
    # n8n's test URL answers 404 unless a user just clicked "Listen for test event"
    # (docs.n8n.io, Webhook node: "Webhook URLs").
    if status == 404 and "/webhook-test/" in urlsplit(url).path:
        return kind, DeliveryReason.N8N_TEST_URL
    return kind, reason


def _busy_reason(url: str, reason: DeliveryReason) -> DeliveryReason:
    full = reason is DeliveryReason.BUSY and _is_make(url)
    return DeliveryReason.MAKE_QUEUE_FULL if full else reason


def _is_make(url: str) -> bool:
    return _MAKE_HOST.fullmatch(urlsplit(url).hostname or "") is not None


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
