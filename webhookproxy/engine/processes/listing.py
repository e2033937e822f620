"""The processes of the installation, as any process can list them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from webhookproxy.database.clock import ms_now
from webhookproxy.engine.owners import Owners
from webhookproxy.models import Process
from webhookproxy.models.installation.processes import Role
from webhookproxy.models.types import from_ms, to_ms

# A process that has not written its row for this time, three beats of it, gives no sign of life.
SILENT_MS = 30_000
# More are not listed; rows of the dead go after five minutes.
LISTED = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """A process, when it last gave a sign of life, and the shards whose leases name it.

    `seen_ms` is how long ago that was, in milliseconds, and `beats` whether one of these leases has
    a fresh heartbeat.
    """

    process: Process
    seen_ms: int
    shards: frozenset[int]
    beats: bool

    @property
    def lives(self) -> bool:
        """Return whether its row says what it does now: an owner's heartbeats tell sooner."""
        is_silent_owner = self.role == Role.OWNER and not self.beats
        return self.seen_ms <= SILENT_MS and not is_silent_owner

    @property
    def role(self) -> str:
        """Return what it does; an owner that others followed, frozen perhaps, is none."""
        if self.process.role == Role.OWNER and not self.shards:
            return Role.PAGES.value
        return self.process.role

    @property
    def is_owner(self) -> bool:
        """Return whether it owns sockets, as far as is known."""
        return self.lives and self.role == Role.OWNER


def list_processes(session: Session, owners: Owners) -> list[Listed]:
    """Return the processes that wrote of themselves: owners, those that live, the others."""
    query = select(Process).order_by(Process.seen_at.desc(), Process.name).limit(LISTED)
    now = ms_now()
    found = []
    for row in session.scalars(query):
        shards = owners.held_by(row.name)
        beats = bool(shards - owners.missing)
        found.append(Listed(row, now - to_ms(row.seen_at), shards, beats))
    return sorted(
        found, key=lambda each: (not each.is_owner, not each.lives, each.process.started_at)
    )


def is_oldest(reading: Engine, name: str) -> bool:
    """Return whether no process that lives began before this one."""
    living = Process.seen_at > from_ms(ms_now() - SILENT_MS)
    query = select(Process.name).where(living).order_by(Process.started_at, Process.name).limit(1)
    with reading.connect() as connection:
        return connection.scalar(query) in (name, None)
