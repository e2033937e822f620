"""The server processes of an installation, as each last wrote of itself."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant


class Role(StrEnum):
    """What a process does with the sockets: it owns them, waits for them, or only serves pages."""

    OWNER = "owner"
    STANDBY = "standby"
    PAGES = "pages"


class Process(Base):
    """One row for each process, see `webhookproxy/engine/processes/presence.py`."""

    __tablename__ = "processes"

    # As a lease names its holder.
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    host: Mapped[str] = mapped_column(String(64))
    pid: Mapped[int] = mapped_column(Id)
    version: Mapped[str] = mapped_column(String(32))
    started_at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
    role: Mapped[str] = mapped_column(String(16))
    role_since: Mapped[datetime] = mapped_column(Instant)
    sockets_wished: Mapped[int] = mapped_column(Id)
    sockets_connected: Mapped[int] = mapped_column(Id)
    # Of the time since the row was last written.
    events_per_second: Mapped[float] = mapped_column(Float)
    deliveries_per_second: Mapped[float] = mapped_column(Float)
    # 1 is a whole core.
    core_share: Mapped[float] = mapped_column(Float)
    # None where the operating system does not tell it.
    memory_bytes: Mapped[int | None] = mapped_column(Id)
