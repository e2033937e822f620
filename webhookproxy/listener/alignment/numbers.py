"""The number that stands for an event where it is compared with others: payloads are long."""

from __future__ import annotations


def number_of(name: str, payload: str) -> int:
    """Return the number of a name and a payload as they are stored; another process has others."""
    return hash((name, payload))
