"""How many requests a token may make, and an address without a good one."""

from __future__ import annotations

import math
import time

from flask import current_app, g, request
from flask.wrappers import Response
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from webhookproxy.api.shared.problems import ApiProblem
from webhookproxy.network.addresses import counted_as

# Tests of one token: as many as one address may send from the pages.
_TESTS = RateLimitItemPerMinute(20)
# Requests from one address whose token is missing, wrong or over.
_STRANGERS = RateLimitItemPerMinute(120)


def count(token_id: int) -> None:
    """Count a request of a token. Raises ApiProblem beyond API_REQUESTS_PER_SECOND."""
    limit, limiter = _limit(), _limiter()
    has_room = limiter.hit(limit, "token", str(token_id))
    reset, remaining = limiter.get_window_stats(limit, "token", str(token_id))
    # The limiter counts by the machine's time.
    wait = max(1, math.ceil(reset - time.time()))  # noqa: TID251
    g.rate_left = (remaining, wait)
    if not has_room:
        raise ApiProblem(429, headers={"Retry-After": str(wait)})


def count_test(token_id: int) -> None:
    """Count a test of a token. Raises ApiProblem after too many in a minute."""
    if not _limiter().hit(_TESTS, "test", str(token_id)):
        raise ApiProblem(429, headers={"Retry-After": "60"})


def count_stranger() -> None:
    """Count a request without a good token. Raises ApiProblem after too many in a minute."""
    address = counted_as(request.remote_addr or "?")
    if not _limiter().hit(_STRANGERS, "stranger", address):
        raise ApiProblem(429, headers={"Retry-After": "60"})


def say_what_is_left(answer: Response) -> Response:
    """Add the headers of the IETF's draft: the token's limit, and what is left of it."""
    if (left := g.get("rate_left")) is not None:
        answer.headers["RateLimit-Policy"] = f'"token";q={_limit().amount};w=1'
        answer.headers["RateLimit"] = f'"token";r={left[0]};t={left[1]}'
    return answer


def _limit() -> RateLimitItemPerSecond:
    return RateLimitItemPerSecond(current_app.config["API_REQUESTS_PER_SECOND"])


def _limiter() -> MovingWindowRateLimiter:
    limiter: MovingWindowRateLimiter | None = current_app.extensions.get("api_rates")
    if limiter is None:
        limiter = MovingWindowRateLimiter(MemoryStorage())
        current_app.extensions["api_rates"] = limiter
    return limiter
