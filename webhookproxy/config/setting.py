"""The form of a setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable.

    `default` is the text that stands for an absent or empty variable; `parse` returns the value,
    or raises ValueError with the rule as "must be ...".
    """

    name: str
    default: str
    unit: str
    reason: str
    parse: Callable[[str], Any]
