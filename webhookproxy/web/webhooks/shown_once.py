"""Secrets that were made for somebody, kept until the one page that shows them is opened."""

from __future__ import annotations

import time
from collections import OrderedDict

KEPT_MAX = 100
KEPT_SECONDS = 600.0

# By the login and the webhook; one process serves the pages, so its memory is the right place.
_kept: OrderedDict[tuple[str, int], tuple[float, str]] = OrderedDict()


def keep(login: str, webhook_id: int, secret: str) -> None:
    """Keep a new secret for whoever had it made, in this login and for a while only."""
    _kept[login, webhook_id] = (time.monotonic(), secret)
    while len(_kept) > KEPT_MAX:
        _kept.popitem(last=False)


def waits(login: str, webhook_id: int) -> bool:
    """Whether this login has a secret of this webhook still to see."""
    return (login, webhook_id) in _kept


def take(login: str, webhook_id: int) -> str | None:
    """The secret, once; None if it was shown already, or nobody came for it in time."""
    since, secret = _kept.pop((login, webhook_id), (0.0, ""))
    return secret if secret and time.monotonic() - since < KEPT_SECONDS else None
