"""Telephones in the forms that receivers ask for. A number without a country is Brazilian."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat

_REGION, _COUNTRY = "BR", 55
# A longer text is no telephone.
_LENGTH_MAX = 40
# An area's two digits, and the eight or nine of the subscriber.
_OLD_MOBILE, _MOBILE = 10, 11


@dataclass(frozen=True, slots=True)
class Telephone:
    """A valid number: E.164 "+5541900000001", national "(41) 90000-0001".

    A Brazilian mobile also has E.164 with its ninth digit, and as it was before there was one.
    """

    e164: str
    national: str
    with_ninth: str | None = None
    without_ninth: str | None = None


@lru_cache(maxsize=4096)
def read_telephone(text: str) -> Telephone | None:
    """Return the telephone that a text writes; None if it is none that can be called."""
    if len(text) > _LENGTH_MAX:
        return None
    number = _parsed(text)
    if number is None:
        return None
    digits = phonenumbers.national_significant_number(number)
    if number.country_code == _COUNTRY and len(digits) == _OLD_MOBILE and digits[2] in "6789":
        digits = f"{digits[:2]}9{digits[2:]}"
        number = _parsed(digits)
    if number is None or not phonenumbers.is_valid_number(number):
        return None
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    if number.country_code != _COUNTRY or len(digits) != _MOBILE or digits[2] != "9":
        return Telephone(e164, national)
    return Telephone(e164, national, e164, f"+{_COUNTRY}{digits[:2]}{digits[3:]}")


def _parsed(text: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, _REGION)
    except phonenumbers.NumberParseException:
        return None
