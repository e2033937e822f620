"""Webhooks: the receivers of events, and their health."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, false, select, text
from sqlalchemy.orm import Mapped, Session, defer, joinedload, mapped_column, relationship
from sqlalchemy.orm.interfaces import ORMOption

from webhookproxy.database.clock import utc_now
from webhookproxy.events.formats.stored import read_format
from webhookproxy.extensions import Base
from webhookproxy.models.installation.changes import note_change
from webhookproxy.models.past_formats import change_format
from webhookproxy.models.types import Id, Instant, Secret, partial_index, to_ms
from webhookproxy.network.guard import Policy
from webhookproxy.rules import Refused, keeps_secrets
from webhookproxy.rules.filters import read_filters, stored_filters
from webhookproxy.rules.headers import read_headers, stored_headers
from webhookproxy.rules.success import read_success_rule, stored_success_rule
from webhookproxy.rules.webhooks import WebhookInput, WebhookState, check_webhook

_LIVE = "deleted_at IS NULL"
# The fields that a row and a WebhookInput have in the same form.
_PLAIN_FIELDS = (
    "name", "url", "authorization", "secret", "parallelism", "timeout", "rate_limit", "max_age",
    "takes_recovered",
)  # fmt: skip


class Webhook(Base):
    """A URL that gets a company's events; `events` None means all of them."""

    __tablename__ = "webhooks"
    __table_args__ = (
        Index("ix_webhooks_company_id", "company_id"),
        partial_index("uq_webhooks_file_key", "company_id", "file_key", where=_LIVE, unique=True),
        # Receivers keep the number: it is never given to another webhook.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(120))
    url: Mapped[str] = mapped_column(String(2048))
    events: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    # By the name of the event: it is sent only if all conditions hold.
    filters: Mapped[dict[str, list[dict[str, str]]] | None] = mapped_column(JSON(none_as_null=True))
    # None is the default. The number is that of the format: 0 until there is another one.
    format: Mapped[dict[str, Any] | None] = mapped_column("body_format", JSON(none_as_null=True))
    format_number: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    authorization: Mapped[str | None] = mapped_column(Secret)
    secret: Mapped[str | None] = mapped_column(Secret)
    # This one signs too, for some time after a rotation (see models.signing_secrets).
    previous_secret: Mapped[str | None] = mapped_column(Secret)
    previous_secret_until: Mapped[datetime | None] = mapped_column(Instant)
    # Own headers, one "name: value" a line.
    headers: Mapped[str | None] = mapped_column(Secret)
    # What the answer must say besides a 2xx; None: nothing.
    success_rule: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    # Whether events of recovered calls are sent too.
    takes_recovered: Mapped[bool] = mapped_column(server_default=false(), default=False)
    state: Mapped[str] = mapped_column(String(12), default=WebhookState.ACTIVE.value)
    parallelism: Mapped[int] = mapped_column(default=8)
    timeout: Mapped[float] = mapped_column(default=15.0)
    rate_limit: Mapped[float | None] = mapped_column()
    max_age: Mapped[float] = mapped_column(default=72.0)
    # The webhook's clock stands still during a pause: `paused_ms` is the length of all pauses
    # before the one that began at `paused_at`.
    paused_at: Mapped[datetime | None] = mapped_column(Instant)
    paused_ms: Mapped[int] = mapped_column(Id, default=0)
    paused_reason: Mapped[str | None] = mapped_column(String(30))
    # Deliveries up to this number are discarded: none is sent, and housekeeping ends them.
    discard_until: Mapped[int | None] = mapped_column(Id)
    # The key by which a configuration file manages it, if one does.
    file_key: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Instant, default=utc_now)
    # Set by every save, also one without a change, which closes the circuit too.
    saved_at: Mapped[datetime] = mapped_column(Instant, default=utc_now)
    deleted_at: Mapped[datetime | None] = mapped_column(Instant)
    version: Mapped[int] = mapped_column(default=1)
    health: Mapped[WebhookHealth] = relationship(back_populates="webhook", uselist=False)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy declares it so

    def input(self) -> WebhookInput:
        """Return the fields that would store this webhook again."""
        return WebhookInput(
            **{name: getattr(self, name) for name in _PLAIN_FIELDS},
            events=None if self.events is None else tuple(self.events),
            state=WebhookState(self.state),
            filters=read_filters(self.filters),
            format=read_format(self.format),
            headers=read_headers(self.headers),
            success_rule=read_success_rule(self.success_rule),
        )

    def clock_ms(self, now: datetime) -> int:
        """Return the webhook's clock: milliseconds of this instant without the time of pauses."""
        return to_ms(self.paused_at or now) - self.paused_ms

    def signs_twice_until(self, now: datetime) -> datetime | None:
        """Return the end of the time with two signing secrets; None if only one signs now."""
        until = self.previous_secret_until
        return until if self.previous_secret and until and until > now else None

    def forget_previous_secret(self) -> None:
        """Let only one secret sign from now on."""
        self.previous_secret = self.previous_secret_until = None

    def change_state(self, state: WebhookState, now: datetime, reason: str | None = None) -> None:
        """Pause, resume or simulate, and add up the time of pauses."""
        if state == WebhookState.PAUSED:
            self.paused_at = self.paused_at or now
        elif self.paused_at is not None:
            self.paused_ms += to_ms(now) - to_ms(self.paused_at)
            self.paused_at = None
        self.paused_reason = reason if state == WebhookState.PAUSED else None
        self.state = state.value


class WebhookHealth(Base):
    """The totals and the circuit of a webhook.

    The sending process writes the circuit from its memory. The totals change only by an amount,
    because resends and cancellations change them too. Pages and `flask status` read these and never
    count rows.
    """

    __tablename__ = "webhook_health"

    webhook_id: Mapped[int] = mapped_column(
        ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True
    )
    created: Mapped[int] = mapped_column(Id, default=0)
    delivered: Mapped[int] = mapped_column(Id, default=0)
    refused: Mapped[int] = mapped_column(Id, default=0)
    expired: Mapped[int] = mapped_column(Id, default=0)
    cancelled: Mapped[int] = mapped_column(Id, default=0)
    simulated: Mapped[int] = mapped_column(Id, default=0)
    circuit_opened_at: Mapped[datetime | None] = mapped_column(Instant)
    next_probe_at: Mapped[datetime | None] = mapped_column(Instant)
    failed_probes: Mapped[int] = mapped_column(default=0)
    last_success_at: Mapped[datetime | None] = mapped_column(Instant)
    last_error: Mapped[str | None] = mapped_column(String(30))
    last_error_status: Mapped[int | None] = mapped_column()
    last_error_at: Mapped[datetime | None] = mapped_column(Instant)
    # The delivery whose attempt was the last that failed.
    failed_delivery_id: Mapped[int | None] = mapped_column(Id)
    # Failed attempts since the last success, and when the first of them failed.
    failures: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    failures_since: Mapped[datetime | None] = mapped_column(Instant)
    # The beginning of the last time that the webhook failed, and the first success after it.
    failing_since: Mapped[datetime | None] = mapped_column(Instant)
    working_since: Mapped[datetime | None] = mapped_column(Instant)
    # Since when a part of the events is refused, when that was seen last, and the first attempts
    # that say so.
    refusing_since: Mapped[datetime | None] = mapped_column(Instant)
    refusing_last_at: Mapped[datetime | None] = mapped_column(Instant)
    first_attempts: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    first_refused: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    # Since when events wait too long, and no shorter than before.
    behind_since: Mapped[datetime | None] = mapped_column(Instant)
    webhook: Mapped[Webhook] = relationship(back_populates="health")

    @property
    def waiting(self) -> int:
        """The number of deliveries that have not ended yet."""
        ended = self.delivered + self.refused + self.expired + self.cancelled + self.simulated
        return max(0, self.created - ended)


def create_webhook(
    session: Session,
    company_id: int,
    given: WebhookInput,
    policy: Policy,
    file_key: str | None = None,
) -> Webhook:
    """Create a webhook of a company; raise Refused with all problems of the fields."""
    clean = check_webhook(given, policy)
    webhook = Webhook(company_id=company_id, health=WebhookHealth(), paused_ms=0, format_number=0)
    webhook.file_key = file_key
    _fill(session, webhook, clean)
    session.add(webhook)
    session.flush()
    note_change(session, company_id)
    return webhook


def edit_webhook(session: Session, webhook: Webhook, given: WebhookInput, policy: Policy) -> None:
    """Replace the fields of a webhook, close its circuit and try it at once."""
    _fill(session, webhook, check_webhook(given, policy))
    webhook.health.circuit_opened_at = None
    webhook.health.next_probe_at = None
    webhook.health.failed_probes = 0
    # Two saves get different times, even within a millisecond.
    webhook.saved_at = max(utc_now(), webhook.saved_at + timedelta(milliseconds=1))
    session.flush()
    note_change(session, webhook.company_id)


def _fill(session: Session, webhook: Webhook, clean: WebhookInput) -> None:
    stays = webhook.url is None or keeps_secrets(webhook.url, clean.url, same_path=False)
    # A secret set by hand counts at once, and another server never had the old one.
    if webhook.secret != clean.secret or not stays:
        webhook.forget_previous_secret()
    for name in _PLAIN_FIELDS:
        setattr(webhook, name, getattr(clean, name))
    webhook.events = None if clean.events is None else list(clean.events)
    webhook.filters = stored_filters(clean.filters)
    webhook.headers = stored_headers(clean.headers)
    webhook.success_rule = stored_success_rule(clean.success_rule)
    webhook.format, webhook.format_number = change_format(
        session, webhook.id, webhook.format_number, webhook.format, clean.format
    )
    if webhook.state != clean.state.value:
        webhook.change_state(clean.state, utc_now())


def switch_webhook(
    session: Session, webhook: Webhook, state: WebhookState, reason: str | None = None
) -> bool:
    """Pause, resume or simulate a webhook; return False if it was so already."""
    if webhook.state == state.value:
        return False
    webhook.change_state(state, utc_now(), reason)
    session.flush()
    note_change(session, webhook.company_id)
    return True


def find_webhook(session: Session, webhook_id: int) -> Webhook:
    """Return a webhook that is not deleted; raise Refused if the number has none."""
    webhook = session.get(Webhook, webhook_id)
    if webhook is None or webhook.deleted_at is not None:
        raise Refused.one(
            "webhook",
            f"There is no webhook_{webhook_id}: `flask webhook list COMPANY` shows the webhooks.",
            f"Não há webhook webhook_{webhook_id}.",
        )
    return webhook


def secrets_later() -> list[ORMOption]:
    """Return options to read a secret when it is asked for: decrypting takes time, and may fail."""
    secrets = (Webhook.authorization, Webhook.secret, Webhook.previous_secret, Webhook.headers)
    return [defer(each) for each in secrets]


def live_webhooks(session: Session, company_ids: Collection[int]) -> list[Webhook]:
    """Return the webhooks of these companies, oldest first, with health, without deleted ones."""
    query = (
        select(Webhook)
        .where(Webhook.company_id.in_(company_ids), Webhook.deleted_at.is_(None))
        .options(joinedload(Webhook.health), *secrets_later())
        .order_by(Webhook.id)
    )
    return list(session.scalars(query))


def delete_webhook(session: Session, webhook: Webhook) -> None:
    """Mark the webhook as deleted: nothing is sent to it.

    The process that owns the sockets cancels waiting deliveries and removes the rows in batches.
    """
    webhook.deleted_at = utc_now()
    session.flush()
    note_change(session, webhook.company_id)
