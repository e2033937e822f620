"""The processes of the installation, as any process can list them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.database.clock import ms_now
from webhookproxy.models import Lease, Process
from webhookproxy.models.installation.processes import Role
from webhookproxy.models.types import to_ms

# A process that has not written its row for this time, three beats of it, gives no sign of life.
SILENT_MS = 30_000
# More are not listed; rows of the dead go after five minutes.
LISTED = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """A process, when it last gave a sign of life, and whether a lease names it.

    `seen_ms` is how long ago that was, in milliseconds.
    """

    process: Process
    seen_ms: int
    has_lease: bool

    @property
    def lives(self) -> bool:
        """Return whether its row says what it does now."""
        return self.seen_ms <= SILENT_MS

    @property
    def role(self) -> str:
        """Return what it does; an owner that another one followed, frozen perhaps, is none."""
        if self.process.role == Role.OWNER and not self.has_lease:
            return Role.PAGES.value
        return self.process.role

    @property
    def is_owner(self) -> bool:
        """Return whether it owns the sockets, as far as is known."""
        return self.lives and self.role == Role.OWNER


def list_processes(session: Session) -> list[Listed]:
    """Return the processes that wrote of themselves: the owner, those that live, the others."""
    query = select(Process).order_by(Process.seen_at.desc(), Process.name).limit(LISTED)
    holders = set(session.scalars(select(Lease.holder)))
    now = ms_now()
    found = [
        Listed(row, now - to_ms(row.seen_at), row.name in holders) for row in session.scalars(query)
    ]
    return sorted(
        found, key=lambda each: (not each.is_owner, not each.lives, each.process.started_at)
    )
