"""How often something may be tried, so that nobody can guess or flood."""

from __future__ import annotations

import time

from flask import abort, current_app, request
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

# One process serves the pages, so its memory is the right place.
_LIMITS: dict[str, RateLimitItem] = {
    # An address with a user's name: somebody guesses that user's password.
    "login": RateLimitItemPerMinute(5),
    # The same from anywhere: a guess spread over many addresses.
    "account": RateLimitItemPerHour(30),
    # One address with many names.
    "address": RateLimitItemPerMinute(20),
    "code": RateLimitItemPerMinute(5),
    "trial": RateLimitItemPerMinute(20),
    # Each one reads every stored payload.
    "privacy": RateLimitItemPerMinute(20),
}


def limit(kind: str, *key: str) -> None:
    """Count one try; 429 with Retry-After once there were too many with this key."""
    limiter = _limiter()
    item = _LIMITS[kind]
    if not limiter.hit(item, kind, *key):
        reset, _ = limiter.get_window_stats(item, kind, *key)
        abort(429, response=None, retry_after=max(1, round(reset - time.time())))


def address() -> str:
    """Where the request comes from, as far as the believed proxies say."""
    return request.remote_addr or "?"


def _limiter() -> MovingWindowRateLimiter:
    limiter: MovingWindowRateLimiter | None = current_app.extensions.get("throttle")
    if limiter is None:
        limiter = MovingWindowRateLimiter(MemoryStorage())
        current_app.extensions["throttle"] = limiter
    return limiter
