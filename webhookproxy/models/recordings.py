"""Links to the recordings of calls: made with the events, found by their token, revoked.

A link opens until its days are over, its event was purged, it or all of its company were revoked,
the company's switch is off, or the person of its call was removed. Its row has a hash of the token
and no more; the token itself is derived again for each body (see platform.recording_links).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, Index, String, and_, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.bulk import insert_rows
from webhookproxy.extensions import Base
from webhookproxy.models.accounts.link_tokens import hash_of
from webhookproxy.models.companies import Company
from webhookproxy.models.events import Event
from webhookproxy.models.types import Id
from webhookproxy.platform.recording_links import recording_token

DAY_MS = 24 * 3_600_000
# Links that are counted for a page.
COUNTED_MAX = 10_000
_COLUMNS = ("token_hash", "company_id", "event_id", "history_id", "made_ms", "expires_ms")

# The values of _COLUMNS.
LinkRow = tuple[str, int, int, str, int, int]


class RecordingLink(Base):
    """One link, of the event whose body carries it. Times are milliseconds since 1970."""

    __tablename__ = "recording_links"
    __table_args__ = (
        Index("ix_recording_links_company_id_expires_ms", "company_id", "expires_ms"),
        Index("ix_recording_links_event_id", "event_id"),
    )

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    company_id: Mapped[int] = mapped_column(Id)
    event_id: Mapped[int] = mapped_column(Id)
    history_id: Mapped[str] = mapped_column(String(64))
    made_ms: Mapped[int] = mapped_column(Id)
    expires_ms: Mapped[int] = mapped_column(Id)


@dataclass(frozen=True, slots=True)
class RecordingLinks:
    """How the links of a company are made: `base` is the public address of the server."""

    base: str
    key: str
    days: int

    def row(
        self, company_id: int, number: int, event_id: str, history_id: str, now_ms: int
    ) -> LinkRow:
        """Return the row of an event's link; `number` is that of the event."""
        token_hash = hash_of(recording_token(self.key, event_id))
        return token_hash, company_id, number, history_id, now_ms, now_ms + self.days * DAY_MS


def link_days(company: Company, retention_days: int) -> int:
    """Return for how many days a company's links open: no longer than its events are kept."""
    return min(company.recording_days, company.retention_days or retention_days, retention_days)


def links_of(company: Company, *, public_url: str, retention_days: int) -> RecordingLinks | None:
    """Return how a company's links are made; None if it wants none, or the server has no name."""
    if not (company.recording_links and public_url and company.recording_key):
        return None
    days = link_days(company, retention_days)
    return RecordingLinks(public_url, company.recording_key, days)


def add_links(connection: Connection, rows: Sequence[LinkRow]) -> None:
    """Add links, in the transaction of their events."""
    if rows:
        insert_rows(connection, "recording_links", _COLUMNS, rows)


def read_recording_key(engine: Engine, company_id: int) -> str:
    """Return the key that a company's links are derived from. Raises LookupError if it has none."""
    query = select(Company.recording_key).where(Company.id == company_id)
    with engine.connect() as connection:
        key = connection.execute(query).scalar()
    if key is None:
        raise LookupError(f"company_{company_id} has no key for links to recordings")
    return key


def valid_link(session: Session, token: str, now_ms: int) -> tuple[RecordingLink, Company] | None:
    """Return the link with this token and its company, if it opens something now; else None."""
    query = (
        select(RecordingLink, Company)
        .join(Company, Company.id == RecordingLink.company_id)
        # Of an event that is gone no one could find and remove the person any more.
        .join(Event, Event.id == RecordingLink.event_id)
        .where(
            RecordingLink.token_hash == hash_of(token),
            Company.recording_links,
            Company.deleted_at.is_(None),
            _is_open(func.coalesce(Company.recordings_revoked_ms, 0), now_ms),
        )
    )
    row = session.execute(query).first()
    return None if row is None else (row[0], row[1])


def count_valid_links(session: Session, company: Company, now_ms: int) -> int:
    """Return how many links of a company open something; counts up to COUNTED_MAX."""
    some = (
        select(RecordingLink.token_hash)
        .where(
            RecordingLink.company_id == company.id,
            _is_open(company.recordings_revoked_ms or 0, now_ms),
        )
        .limit(COUNTED_MAX)
    )
    return session.scalar(select(func.count()).select_from(some.subquery())) or 0


def opens_until(session: Session, company: Company, event_id: int, now_ms: int) -> int | None:
    """Return until when the link of an event opens something; None if it does not."""
    if not company.recording_links:
        return None
    return session.scalar(
        select(func.max(RecordingLink.expires_ms)).where(
            RecordingLink.event_id == event_id,
            _is_open(company.recordings_revoked_ms or 0, now_ms),
        )
    )


def _is_open(revoked_ms: ColumnElement[int] | int, now_ms: int) -> ColumnElement[bool]:
    """Return whether a link is in its time, and younger than the company's last revocation."""
    return and_(RecordingLink.expires_ms > now_ms, RecordingLink.made_ms > revoked_ms)


def revoke_links(company: Company, now_ms: int) -> None:
    """Let all links that a company has now open nothing."""
    company.recordings_revoked_ms = now_ms


def remove_links(connection: Connection, event_ids: Iterable[int]) -> int:
    """Remove the links of events for good; return how many there were."""
    chosen = RecordingLink.event_id.in_(list(event_ids))
    return connection.execute(delete(RecordingLink).where(chosen)).rowcount
