"""Codes that are good once: of an authenticator app, for recovery, and for the first user."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime

import pyotp
import segno

STEP_SECONDS = 30
# Clocks differ: the codes of one step before and one after are taken too (RFC 6238, 5.2).
SKEW_STEPS = 1
RECOVERY_CODES = 10
# 80 bits cannot be guessed: a quick hash of such a code is as good as a slow one.
RECOVERY_BYTES = 10

# The code of the first administrator changes each minute, and is good for this many.
FIRST_CODE_MINUTES = 60

_BETWEEN = re.compile(r"[\s-]+")
# Characters that base32 does not have, and that eyes take for ones that it has.
_MISREAD = str.maketrans("01", "ol")


def new_key() -> str:
    """Return a key for an authenticator app: 160 bits, in base32."""
    return pyotp.random_base32()


def app_address(key: str, email: str, issuer: str) -> str:
    """Return the `otpauth:` address that gives an app the key and its name."""
    return pyotp.TOTP(key).provisioning_uri(name=email, issuer_name=issuer)


def qr_code(key: str, email: str, issuer: str) -> str:
    """Return a QR code for the app's camera, as an image's `data:` address.

    It is part of the page: a request of its own could be cached, or sent alone.
    """
    drawn = segno.make_qr(app_address(key, email, issuer), error="m")
    return drawn.svg_data_uri(omitsize=True, border=4, dark="#000", light="#fff")


def in_fours(text: str, between: str = " ") -> str:
    """Return a text in groups of four, as one types it from paper."""
    return between.join(text[at : at + 4] for at in range(0, len(text), 4))


def matching_step(key: str, typed: str, now: datetime) -> int | None:
    """Return the step (of 30 s, since 1970) whose code this is; None if it is not a current one."""
    given = _BETWEEN.sub("", typed).encode()
    totp, current = pyotp.TOTP(key), int(now.timestamp()) // STEP_SECONDS
    found = None
    # Every step is compared, so that the time says nothing about which one it is.
    for step in range(current - SKEW_STEPS, current + SKEW_STEPS + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), given):
            found = step
    return found


def new_recovery_code() -> str:
    """Return a recovery code, in groups of four."""
    code = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
    return in_fours(code, "-")


def recovery_hash(typed: str) -> str:
    """Return the hash of a recovery code; spaces, dashes and capitals make no difference."""
    code = _BETWEEN.sub("", typed).lower().translate(_MISREAD)
    return hashlib.sha256(code.encode()).hexdigest()


def first_code(secret_key: str, now: datetime) -> str:
    """Return the code with which the first administrator is created, within an hour.

    It is the same in every process of an installation, and is asked for only until a user exists.
    """
    return _first_code(secret_key, int(now.timestamp()) // 60)


def is_first_code(secret_key: str, typed: str, now: datetime) -> bool:
    """Return whether this is the code of one of the last 60 minutes, however it is typed."""
    given = _BETWEEN.sub("", typed).lower().encode()
    minute = int(now.timestamp()) // 60
    found = False
    # Every minute is compared, so that the time says nothing about which one it is.
    for each in range(minute - FIRST_CODE_MINUTES, minute + 1):
        code = _BETWEEN.sub("", _first_code(secret_key, each))
        found |= hmac.compare_digest(code.encode(), given)
    return found


def _first_code(secret_key: str, minute: int) -> str:
    words = f"webhookproxy first administrator {minute}".encode()
    return in_fours(hmac.digest(secret_key.encode(), words, "sha256").hex()[:16], "-")
