"""Generated secrets, kept until the user opens the one page that shows them."""

from __future__ import annotations

import time
from collections import OrderedDict

KEPT_MAX = 100
KEPT_SECONDS = 600.0

# By the login and the webhook. One process serves the pages, so its memory is the right place: a
# secret goes into no cookie and, but for the webhook's own encrypted column, into no table.
_kept: OrderedDict[tuple[str, int], tuple[float, str]] = OrderedDict()


def keep(login: str, webhook_id: int, secret: str) -> None:
    """Keep a secret for the login in which it was generated, for KEPT_SECONDS."""
    _kept[login, webhook_id] = (time.monotonic(), secret)
    while len(_kept) > KEPT_MAX:
        _kept.popitem(last=False)


def waits(login: str, webhook_id: int) -> bool:
    """Return whether a secret of this webhook waits to be shown in this login."""
    return (login, webhook_id) in _kept


def take(login: str, webhook_id: int) -> str | None:
    """Return the secret, once; None if it was shown already, or kept for too long."""
    since, secret = _kept.pop((login, webhook_id), (0.0, ""))
    return secret if secret and time.monotonic() - since < KEPT_SECONDS else None
