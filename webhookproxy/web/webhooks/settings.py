"""The settings of a webhook as its page says them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from webhookproxy.events.formats.definition import LABELS, Encoding, Format
from webhookproxy.events.formats.stored import read_format
from webhookproxy.events.newer_version import NewerVersion
from webhookproxy.models import Webhook
from webhookproxy.rules.filters import read_filters
from webhookproxy.rules.headers import read_headers
from webhookproxy.rules.success import read_success_rule, success_words

T = TypeVar("T")

_UNKNOWN = "de outra versão deste programa, que esta não conhece"


def settings_of(webhook: Webhook) -> dict[str, Any]:
    """Return what the template needs. What a newer version stored is said to be unknown."""
    form = _read(lambda: format_words(read_format(webhook.format)))
    rule = _read(lambda: success_words(read_success_rule(webhook.success_rule)))
    filters = _read(lambda: read_filters(webhook.filters) or {})
    return {
        "format_words": form or _UNKNOWN,
        "success_words": rule or f"qualquer 2xx, porque a regra é {_UNKNOWN}",
        "filters": filters or {},
        "filters_unknown": filters is None,
        "own_headers": [name for name, _ in read_headers(webhook.headers)],
    }


def _read(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except NewerVersion:
        return None


def format_words(given: Format) -> str:
    """Return a format in the words of the form."""
    written = ", como formulário" if given.encoding is Encoding.FORM else ""
    return f"{LABELS[given.kind]}{written}"
