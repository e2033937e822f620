"""Tokens that open something by themselves, in a link or a header; only hashes are stored."""

from __future__ import annotations

import hashlib
import secrets

# 128 bits cannot be guessed, so a quick hash of them is as good as a slow one.
_BYTES = 16


def new_token() -> str:
    """Return a token for a link."""
    return secrets.token_urlsafe(_BYTES)


def hash_of(token: str) -> str:
    """Return the hash of a token, which is all that is stored of it."""
    return hashlib.sha256(token.encode()).hexdigest()
