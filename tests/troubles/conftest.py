"""A sending half for these tests, as those of the delivery have it."""

from __future__ import annotations

from tests.delivery.conftest import any_half, half

__all__ = ["any_half", "half"]
