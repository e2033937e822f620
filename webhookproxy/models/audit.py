"""Who did what: a table that only grows.

Code that changes something for a person calls one of the `record` functions in the transaction of
the change, so that both are committed or neither is:

    def job(session: Session) -> None:
        webhook = find_webhook(session, number)
        delete_webhook(session, webhook)
        record_webhook(session, actor, Action.WEBHOOK_DELETED, webhook.company_id, webhook.id)

A page makes its Actor before the job, while it has a request: `Actor(user.id, user.email,
request.remote_addr or "")`. Secrets, payloads and the words of a search never go in. Triggers in
the database refuse every UPDATE, and a DELETE of entries younger than thirty days.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Index, Select, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import Base
from webhookproxy.logs.redaction import one_line
from webhookproxy.models.types import Id, Instant
from webhookproxy.rules import ADDRESSES, SECRETS
from webhookproxy.rules.people import is_email

if TYPE_CHECKING:
    from webhookproxy.models.companies import Company
    from webhookproxy.models.webhooks import Webhook
    from webhookproxy.rules.companies import CompanyInput
    from webhookproxy.rules.webhooks import WebhookInput

Q = TypeVar("Q")

DETAIL_MAX = 500
PAGE = 50

# A telephone or a CPF typed as an e-mail could never be removed.
_NUMBER = re.compile(r"\d[\d .()/-]{8,}\d")


class Action(StrEnum):
    """The recorded actions; the codes are stored, so never rename one."""

    LOGIN = "login"
    LOGIN_REFUSED = "login_refused"
    LOGOUT = "logout"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    PASSWORD_LINK_MADE = "password_link_made"  # noqa: S105
    SECOND_FACTOR_CHANGED = "second_factor_changed"
    USER_CREATED = "user_created"
    USER_CHANGED = "user_changed"
    USER_DELETED = "user_deleted"
    COMPANY_CREATED = "company_created"
    COMPANY_CHANGED = "company_changed"
    COMPANY_DELETED = "company_deleted"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    DIAGNOSED = "diagnosed"
    NEXT_TOKEN_CHANGED = "next_token_changed"  # noqa: S105
    CALLS_RECOVERED = "calls_recovered"
    WEBHOOK_CREATED = "webhook_created"
    WEBHOOK_CHANGED = "webhook_changed"
    WEBHOOK_DELETED = "webhook_deleted"
    WEBHOOK_PAUSED = "webhook_paused"
    WEBHOOK_RESUMED = "webhook_resumed"
    WEBHOOK_TESTED = "webhook_tested"
    SECRET_SET = "secret_set"  # noqa: S105
    SECRET_ROTATED = "secret_rotated"  # noqa: S105
    HOST_CHANGED = "host_changed"
    PAYLOAD_VIEWED = "payload_viewed"
    RESEND = "resend"
    BULK_RESEND = "bulk_resend"
    BULK_RESEND_CANCELLED = "bulk_resend_cancelled"
    SEND_STORED = "send_stored"
    TRY_NOW = "try_now"
    CANCEL = "cancel"
    DELETE = "delete"
    EXPORT = "export"
    PRIVACY_EXPUNGE = "privacy_expunge"
    GUEST_LINK_MADE = "guest_link_made"
    GUEST_LINK_REVOKED = "guest_link_revoked"
    GUEST_LINK_USED = "guest_link_used"
    RECORDING_HEARD = "recording_heard"
    API_TOKEN_MADE = "api_token_made"  # noqa: S105
    API_TOKEN_REVOKED = "api_token_revoked"  # noqa: S105
    ALERT_ADDRESS_ADDED = "alert_address_added"
    ALERT_ADDRESS_CONFIRMED = "alert_address_confirmed"
    ALERT_ADDRESS_REMOVED = "alert_address_removed"
    ALERTS_CHANGED = "alerts_changed"
    KEYS_ROTATED = "keys_rotated"
    BACKUP_MADE = "backup_made"
    SHARE_MOVED = "share_moved"


@dataclass(frozen=True, slots=True)
class Actor:
    """A user, with the present e-mail, or a program, by its name.

    For a refused login `user_id` is None and `who` is the typed text, which is kept if it is an
    e-mail. `address` is the origin of the request.
    """

    user_id: int | None
    who: str
    address: str = ""


CLI = Actor(None, "cli")
SERVER = Actor(None, "server")
# The names of those who came with a link: a guest's, or one to a recording.
GUEST, LISTENER = "guest", "recording"


class AuditEntry(Base):
    """One action. It outlives the user and the company: no foreign keys."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_at", "at"),
        Index("ix_audit_who_id", "who", "id"),
        Index("ix_audit_action_id", "action", "id"),
        Index("ix_audit_company_id_id", "company_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    user_id: Mapped[int | None] = mapped_column(Id)
    who: Mapped[str] = mapped_column(String(254))
    action: Mapped[str] = mapped_column(String(30))
    company_id: Mapped[int | None] = mapped_column(Id)
    subject: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(String(DETAIL_MAX))


def record(
    session: Session,
    actor: Actor,
    action: Action,
    *,
    company_id: int | None = None,
    subject: str = "",
    detail: str = "",
) -> None:
    """Add an entry, which commits with the session's other changes.

    `subject` is a public id (webhook_7, evt_…, or a user's e-mail), `detail` a few words: names of
    fields, counts. Line breaks become escapes; long texts are cut.
    """
    is_typed = actor.user_id is None and action is Action.LOGIN_REFUSED
    entry = AuditEntry(
        at=utc_now(),
        user_id=actor.user_id,
        who=_line(_typed(actor.who) if is_typed else actor.who, 254),
        action=action.value,
        company_id=company_id,
        subject=_line(subject, 64),
        address=_line(actor.address, 64),
        detail=_line(detail, DETAIL_MAX),
    )
    session.add(entry)


def record_company(
    session: Session, actor: Actor, action: Action, company_id: int, detail: str = ""
) -> None:
    """Add an entry about a company, see record."""
    subject = f"company_{company_id}"
    record(session, actor, action, company_id=company_id, subject=subject, detail=detail)


def record_webhook(
    session: Session,
    actor: Actor,
    action: Action,
    company_id: int,
    webhook_id: int,
    detail: str = "",
) -> None:
    """Add an entry about a webhook, see record."""
    subject = f"webhook_{webhook_id}"
    record(session, actor, action, company_id=company_id, subject=subject, detail=detail)


def record_edit(
    session: Session,
    actor: Actor,
    action: Action,
    before: Any,
    after: Any,
    *,
    company_id: int,
    subject: str,
) -> None:
    """Add the entries of an edit; `before` and `after` are the row's `input()` around it.

    One entry names the changed fields, another a secret that was set or cleared, a third a new
    host. A save without a change adds the first entry too: it closes a circuit.
    """
    names = [
        field.name
        for field in fields(before)
        if getattr(before, field.name) != getattr(after, field.name)
    ]
    about: dict[str, Any] = {"company_id": company_id, "subject": subject}
    renamed = f" | {before.name} -> {after.name}" if "name" in names else ""
    record(session, actor, action, detail=" ".join(names) + renamed, **about)
    if secrets := [name for name in names if name in SECRETS]:
        record(session, actor, Action.SECRET_SET, detail=" ".join(secrets), **about)
    for name in names:
        if name in ADDRESSES:
            old, new = (urlsplit(getattr(each, name)).netloc for each in (before, after))
            if old != new:
                record(session, actor, Action.HOST_CHANGED, detail=f"{old} -> {new}", **about)


def record_company_edit(
    session: Session, actor: Actor, before: CompanyInput, company: Company
) -> None:
    """Add the entries of an edit of a company, see record_edit."""
    about: dict[str, Any] = {"company_id": company.id, "subject": f"company_{company.id}"}
    record_edit(session, actor, Action.COMPANY_CHANGED, before, company.input(), **about)


def record_webhook_edit(
    session: Session, actor: Actor, before: WebhookInput, webhook: Webhook
) -> None:
    """Add the entries of an edit of a webhook, see record_edit."""
    about: dict[str, Any] = {"company_id": webhook.company_id, "subject": f"webhook_{webhook.id}"}
    record_edit(session, actor, Action.WEBHOOK_CHANGED, before, webhook.input(), **about)


@dataclass(frozen=True, slots=True)
class Entries:
    """One page of entries, newest first; `more` is the `before` of the next page, if any."""

    entries: Sequence[AuditEntry]
    more: int | None


def find_entries(
    session: Session,
    *,
    who: str | None = None,
    action: Action | None = None,
    company_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> Entries:
    """Return the newest entries that fit every filter; `before` is the `more` of the last page.

    The time goes from `since` on, up to `until` exclusive. `who` is an e-mail, "cli" or "server".
    """
    query = _within(select(AuditEntry), since, until)
    for column, value in (
        (AuditEntry.who, who),
        (AuditEntry.action, action and action.value),
        (AuditEntry.company_id, company_id),
    ):
        query = query if value is None else query.where(column == value)
    query = query if before is None else query.where(AuditEntry.id < before)
    found = list(session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit + 1)))
    page = found[:limit]
    return Entries(page, page[-1].id if len(found) > limit else None)


def logged_in_from(session: Session, who: str, since: datetime) -> set[str]:
    """Return the addresses from which this e-mail logged in since then."""
    was_theirs = (AuditEntry.who == who, AuditEntry.action == Action.LOGIN.value)
    query = select(AuditEntry.address).where(*was_theirs)
    return set(session.scalars(_within(query, since, None).distinct()))


def _within(query: Select[Q], since: datetime | None, until: datetime | None) -> Select[Q]:
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    return query if until is None else query.where(AuditEntry.at < until)


def _typed(text: str) -> str:
    """Return a text typed as an e-mail; "" if it is none, because it may be a password."""
    return _NUMBER.sub("…", text) if is_email(text) else ""


def _line(text: str, length: int) -> str:
    line = one_line(text)
    return line if len(line) <= length else f"{line[: length - 1]}…"
