"""Passwords are hashed in a thread of their own: 0.1 s of it must not stop the sockets."""

from __future__ import annotations

import hmac
from functools import cache

from argon2.exceptions import InvalidHashError, VerificationError
from flask import current_app
from gevent.threadpool import ThreadPool

from webhookproxy.models.accounts.people import hasher
from webhookproxy.rules.people import check_password

_pool = ThreadPool(1)


def hashed(password: str) -> str:
    """The hash of a password; Refused if it is too short or too long."""
    # Checked here: what is raised in a thread of the pool is printed on the console, with a trace.
    check_password(password)
    return str(_pool.apply(hasher.hash, (password,)))


def verified(password_hash: str | None, password: str) -> bool:
    """Whether the password is right; takes as long when there is no such user (None)."""
    return bool(_pool.apply(_verify, (password_hash, password)))


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return bool(hasher.check_needs_rehash(password_hash))


def first_code() -> str:
    """The code that the first administrator must know; it is printed on the server's console.

    Every process of one installation has the same, and it is asked for only while there is no user.
    """
    key = str(current_app.config["SECRET_KEY"]).encode()
    digest = hmac.digest(key, b"webhookproxy first administrator", "sha256").hex()
    return "-".join(digest[at : at + 4] for at in range(0, 16, 4))


@cache
def _nobody() -> str:
    return hasher.hash("the password of nobody")


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        hasher.verify(password_hash or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None
