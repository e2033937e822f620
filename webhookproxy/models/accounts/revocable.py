"""The end of a token that opens something by itself: its time, or its revocation before that."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from webhookproxy.database.clock import utc_now
from webhookproxy.models.types import Instant


class Revocable:
    """The columns of a row whose token is valid until it expires or is revoked."""

    expires_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def is_valid(self) -> bool:
        """Return whether it opens anything now."""
        return self.revoked_at is None and self.expires_at > utc_now()

    @property
    def ended_at(self) -> datetime:
        """Return when it ended or ends."""
        return self.expires_at if self.revoked_at is None else self.revoked_at

    def revoke(self) -> bool:
        """End it at once; return False if it had ended."""
        if not self.is_valid:
            return False
        self.revoked_at = utc_now()
        return True
