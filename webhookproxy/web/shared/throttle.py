"""Limits on how often something may be tried, against guessing and flooding."""

from __future__ import annotations

import time
from typing import NoReturn

from flask import abort, current_app, request
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from webhookproxy.network.addresses import counted_as

# One process serves the pages, so its memory is the right place.
_LIMITS: dict[str, RateLimitItem] = {
    # An address and a user's name: guesses of that user's password.
    "login": RateLimitItemPerMinute(5),
    # A user's name from anywhere: guesses spread over many addresses.
    "account": RateLimitItemPerHour(30),
    # One address with many names.
    "address": RateLimitItemPerMinute(20),
    # One address with many tokens of links: for guests, and for forgotten passwords.
    "guest": RateLimitItemPerMinute(20),
    # One address that asks for recordings, each from 3C Plus.
    "recording": RateLimitItemPerMinute(60),
    "code": RateLimitItemPerMinute(5),
    # Every form that is sent without a login.
    "anonymous": RateLimitItemPerMinute(120),
    # The second factor, after the right password: by address and user's name, the same for longer,
    # and by the name alone.
    "second": RateLimitItemPerMinute(5),
    "second_hour": RateLimitItemPerHour(30),
    "second_account": RateLimitItemPerHour(30),
    "trial": RateLimitItemPerMinute(20),
    # Each one may send a message to a stranger.
    "alert_address": RateLimitItemPerMinute(10),
    # Each one opens a socket to 3C Plus and one to every URL of a company.
    "diagnosis": RateLimitItemPerMinute(6),
    # Each one reads up to a hundred thousand rows.
    "export": RateLimitItemPerMinute(10),
    # Each one reads every stored payload.
    "privacy": RateLimitItemPerMinute(20),
}
# No e-mail is longer; a key is kept in memory for as long as its limit lasts.
_KEY_CHARACTERS = 254


def limit(kind: str, *key: str) -> None:
    """Count one try; answer 429 with Retry-After after too many with this key."""
    if not allowed(kind, *key):
        refuse(kind, *key)


def allowed(kind: str, *key: str) -> bool:
    """Count one try, and return whether it is not one too many with this key."""
    return _limiter().hit(_LIMITS[kind], kind, *_short(key))


def refuse(kind: str, *key: str) -> NoReturn:
    """Answer 429, with Retry-After for this key."""
    reset, _ = _limiter().get_window_stats(_LIMITS[kind], kind, *_short(key))
    # The limiter counts by the machine's time.
    wait = reset - time.time()  # noqa: TID251
    abort(429, response=None, retry_after=max(1, round(wait)))


def address() -> str:
    """Return where the request comes from; tries from one address are counted together."""
    return counted_as(request.remote_addr or "?")


def _short(key: tuple[str, ...]) -> list[str]:
    return [part[:_KEY_CHARACTERS] for part in key]


def _limiter() -> MovingWindowRateLimiter:
    limiter: MovingWindowRateLimiter | None = current_app.extensions.get("throttle")
    if limiter is None:
        limiter = MovingWindowRateLimiter(MemoryStorage())
        current_app.extensions["throttle"] = limiter
    return limiter
