"""Passwords are hashed in their own thread: the 0.1 s that it takes must not stop the sockets."""

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
    """Return the hash of a password. Raises Refused if it is too short or too long."""
    # Checked here: what is raised in a thread of the pool is printed on the console, with a trace.
    check_password(password)
    return str(_pool.apply(hasher.hash, (password,)))


def verified(password_hash: str | None, password: str) -> bool:
    """Return whether the password is right; it takes as long if there is no such user (None)."""
    return bool(_pool.apply(_verify, (password_hash, password)))


def needs_rehash(password_hash: str) -> bool:
    """Return whether the hash was made with weaker parameters than today's."""
    return bool(hasher.check_needs_rehash(password_hash))


def first_code() -> str:
    """Return the code that the first administrator must know; the server's console shows it.

    It is the same in every process of an installation, and is asked for only until a user exists.
    """
    key = str(current_app.config["SECRET_KEY"]).encode()
    digest = hmac.digest(key, b"webhookproxy first administrator", "sha256").hex()
    return "-".join(digest[at : at + 4] for at in range(0, 16, 4))


@cache
def _dummy_hash() -> str:
    return hasher.hash("no password of any user")


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        hasher.verify(password_hash or _dummy_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None
