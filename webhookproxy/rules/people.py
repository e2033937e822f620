"""The checks of an e-mail address and of a password."""

from __future__ import annotations

import re

from webhookproxy.rules import Refused

# Enough to catch a typing mistake; only a message that arrives proves an address.
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]+")

# ASVS 6.2.1 asks for 8 at least (15 is better) and 6.2.9 for 64 at least to be allowed.
PASSWORD_MIN = 10
PASSWORD_MAX = 200


def check_email(email: str) -> str:
    """Return the address in lower case; raise Refused if it does not look like one."""
    address = email.strip().lower()
    if not is_email(address):
        raise Refused.one(
            "email",
            "This is not an e-mail address: write it as name@company.com.",
            "Isto não é um e-mail: escreva como nome@empresa.com.br.",
        )
    return address


def is_email(text: str) -> bool:
    """Return whether this text can be an e-mail address."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


def check_password(password: str) -> None:
    """Raise Refused if the password is shorter than PASSWORD_MIN or longer than PASSWORD_MAX."""
    if len(password) < PASSWORD_MIN:
        raise Refused.one(
            "password",
            f"The password is too short: use at least {PASSWORD_MIN} characters.",
            f"A senha é curta demais: use pelo menos {PASSWORD_MIN} caracteres.",
        )
    if len(password) > PASSWORD_MAX:
        raise Refused.one(
            "password",
            f"The password is too long: use at most {PASSWORD_MAX} characters.",
            f"A senha é longa demais: use no máximo {PASSWORD_MAX} caracteres.",
        )
