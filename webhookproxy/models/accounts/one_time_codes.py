"""Codes that are good once: those of an authenticator app, and those for when it is lost."""

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
# 80 bits, which nobody guesses: a quick hash of such a code is as good as a slow one.
RECOVERY_BYTES = 10

_BETWEEN = re.compile(r"[\s-]+")
# What base32 does not have, and eyes take for what it has.
_MISREAD = str.maketrans("01", "ol")


def new_key() -> str:
    """A key for an authenticator app: 160 bits, in base32."""
    return pyotp.random_base32()


def app_address(key: str, email: str, issuer: str) -> str:
    """The `otpauth:` address that tells an app the key, and what to call it."""
    return pyotp.TOTP(key).provisioning_uri(name=email, issuer_name=issuer)


def qr_code(key: str, email: str, issuer: str) -> str:
    """A drawing for the app's camera, as an image's `data:` address.

    It is part of the page: there is no second request for it, which could be kept or asked alone.
    """
    drawn = segno.make_qr(app_address(key, email, issuer), error="m")
    return drawn.svg_data_uri(omitsize=True, border=4, dark="#000", light="#fff")


def in_fours(text: str, between: str = " ") -> str:
    """A text in groups of four, as one types it from paper."""
    return between.join(text[at : at + 4] for at in range(0, len(text), 4))


def matching_step(key: str, typed: str, now: datetime) -> int | None:
    """The step (30 s since 1970) whose code this is, of the three that are taken; else None."""
    given = _BETWEEN.sub("", typed).encode()
    totp, current = pyotp.TOTP(key), int(now.timestamp()) // STEP_SECONDS
    found = None
    # Every one is compared, so that the answer takes as long whichever it is.
    for step in range(current - SKEW_STEPS, current + SKEW_STEPS + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), given):
            found = step
    return found


def new_recovery_code() -> str:
    """A code that stands in for the app's once, in groups of four."""
    code = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
    return in_fours(code, "-")


def recovery_hash(typed: str) -> str:
    """What is stored of a recovery code; spaces, dashes and capitals make no difference."""
    code = _BETWEEN.sub("", typed).lower().translate(_MISREAD)
    return hashlib.sha256(code.encode()).hexdigest()
