"""Webhooks: where events go, and how each of them is doing."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import JSON, ForeignKey, Index, String, func, select, text
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from webhookproxy.extensions import Base
from webhookproxy.models.deliveries.tables import OPEN, Delivery
from webhookproxy.models.installation.changes import note_change
from webhookproxy.models.types import Id, Instant, Secret, to_ms
from webhookproxy.network.guard import Policy
from webhookproxy.rules import Refused, keeps_secrets
from webhookproxy.rules.filters import read_filters, stored_filters
from webhookproxy.rules.webhooks import WebhookInput, WebhookState, check_secret, check_webhook

# How long after a rotation the old signing secret signs too, in hours.
ROTATION_HOURS = 24


class Webhook(Base):
    """A URL that gets a company's events; `events` None means all of them."""

    __tablename__ = "webhooks"
    __table_args__ = (
        Index("ix_webhooks_company_id", "company_id"),
        # Receivers keep the number: it is never given to another webhook.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(120))
    url: Mapped[str] = mapped_column(String(2048))
    events: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    # By the name of the event: conditions that all must hold, or it is not sent.
    filters: Mapped[dict[str, list[dict[str, str]]] | None] = mapped_column(JSON(none_as_null=True))
    authorization: Mapped[str | None] = mapped_column(Secret)
    secret: Mapped[str | None] = mapped_column(Secret)
    # After a rotation this one signs too, until then (see rotate_secret).
    previous_secret: Mapped[str | None] = mapped_column(Secret)
    previous_secret_until: Mapped[datetime | None] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(String(12), default=WebhookState.ACTIVE.value)
    parallelism: Mapped[int] = mapped_column(default=8)
    timeout: Mapped[float] = mapped_column(default=15.0)
    rate_limit: Mapped[float | None] = mapped_column()
    max_age: Mapped[float] = mapped_column(default=72.0)
    # While a webhook is paused its clock stands still: `paused_ms` is how long it has stood in
    # all, without the pause that began at `paused_at`.
    paused_at: Mapped[datetime | None] = mapped_column(Instant)
    paused_ms: Mapped[int] = mapped_column(Id, default=0)
    paused_reason: Mapped[str | None] = mapped_column(String(30))
    # Deliveries up to this number are being discarded: none is sent, and housekeeping ends them.
    discard_until: Mapped[int | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant, default=lambda: datetime.now(UTC))
    # Set at every save, also one that changes nothing: that closes the circuit too.
    saved_at: Mapped[datetime] = mapped_column(Instant, default=lambda: datetime.now(UTC))
    deleted_at: Mapped[datetime | None] = mapped_column(Instant)
    version: Mapped[int] = mapped_column(default=1)
    health: Mapped[WebhookHealth] = relationship(back_populates="webhook", uselist=False)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy declares it so

    def input(self) -> WebhookInput:
        """The fields as they would be given to store this webhook again."""
        return WebhookInput(
            name=self.name,
            url=self.url,
            events=None if self.events is None else tuple(self.events),
            authorization=self.authorization,
            secret=self.secret,
            state=WebhookState(self.state),
            parallelism=self.parallelism,
            timeout=self.timeout,
            rate_limit=self.rate_limit,
            max_age=self.max_age,
            filters=read_filters(self.filters),
        )

    def clock_ms(self, now: datetime) -> int:
        """The webhook's own clock: this instant less the time it was paused, in milliseconds."""
        return to_ms(self.paused_at or now) - self.paused_ms

    def signs_twice_until(self, now: datetime) -> datetime | None:
        """Until when the secret before the last signs too; None if only one signs now."""
        until = self.previous_secret_until
        return until if self.previous_secret and until and until > now else None

    def change_state(self, state: WebhookState, now: datetime, reason: str | None = None) -> None:
        """Pause, resume or simulate, keeping account of how long the webhook's clock stood."""
        if state == WebhookState.PAUSED:
            self.paused_at = self.paused_at or now
        elif self.paused_at is not None:
            self.paused_ms += to_ms(now) - to_ms(self.paused_at)
            self.paused_at = None
        self.paused_reason = reason if state == WebhookState.PAUSED else None
        self.state = state.value


class WebhookHealth(Base):
    """The totals and the circuit of a webhook.

    The circuit is written by the process that sends, from its memory. The totals change only by
    an amount, because whoever resends or cancels a delivery changes them too. Pages and `flask
    status` read these and never count rows: what waits is `created` less what ended.
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
    webhook: Mapped[Webhook] = relationship(back_populates="health")

    @property
    def waiting(self) -> int:
        """How many deliveries have not ended yet."""
        ended = self.delivered + self.refused + self.expired + self.cancelled + self.simulated
        return max(0, self.created - ended)


def create_webhook(
    session: Session, company_id: int, given: WebhookInput, policy: Policy
) -> Webhook:
    """A new webhook of a company; Refused with all that is wrong with the fields."""
    clean = check_webhook(given, policy)
    webhook = Webhook(company_id=company_id, health=WebhookHealth(), paused_ms=0)
    _fill(webhook, clean)
    session.add(webhook)
    session.flush()
    note_change(session, company_id)
    return webhook


def edit_webhook(session: Session, webhook: Webhook, given: WebhookInput, policy: Policy) -> None:
    """Replace the fields of a webhook; its circuit closes and it is tried at once."""
    _fill(webhook, check_webhook(given, policy))
    webhook.health.circuit_opened_at = None
    webhook.health.next_probe_at = None
    webhook.health.failed_probes = 0
    # One save after another is a later one, even within a millisecond.
    webhook.saved_at = max(datetime.now(UTC), webhook.saved_at + timedelta(milliseconds=1))
    session.flush()
    note_change(session, webhook.company_id)


def rotate_secret(session: Session, webhook: Webhook, new_secret: str | None = None) -> str:
    """Replace the signing secret; for ROTATION_HOURS the old one signs too. Returns the new one.

    Without `new_secret` one is made: show it once, it is never shown again. Of three within the
    time only the last two sign. Refused if the webhook signs nothing, or with that very secret.
    """
    if webhook.secret is None:
        raise Refused.one(
            "secret",
            f"webhook_{webhook.id} has no secret to replace: set one with `flask webhook edit`.",
            "Este webhook não tem segredo para trocar: defina um.",
        )
    # 43 characters of 32 random bytes, which is what Standard Webhooks asks for.
    secret = secrets.token_urlsafe(32) if new_secret is None else new_secret
    check_secret(secret)
    if secret == webhook.secret:
        raise Refused.one(
            "secret",
            "This is the secret that is in force: give another one, or none to have one made.",
            "Este já é o segredo em uso: informe outro, ou deixe em branco para gerarmos um.",
        )
    webhook.previous_secret = webhook.secret
    webhook.previous_secret_until = datetime.now(UTC) + timedelta(hours=ROTATION_HOURS)
    webhook.secret = secret
    session.flush()
    note_change(session, webhook.company_id)
    return secret


def end_rotation(session: Session, webhook: Webhook) -> bool:
    """Have only the new secret sign from now on; False if the old one signed no more already.

    For whoever has given the new one to the receiver, which then need not wait.
    """
    until = webhook.previous_secret_until
    if webhook.previous_secret is None or until is None:
        return False
    _forget_previous(webhook)
    session.flush()
    note_change(session, webhook.company_id)
    return until > datetime.now(UTC)


def _forget_previous(webhook: Webhook) -> None:
    webhook.previous_secret = webhook.previous_secret_until = None


def _fill(webhook: Webhook, clean: WebhookInput) -> None:
    stays = webhook.url is None or keeps_secrets(webhook.url, clean.url, same_path=False)
    # Who sets a secret by hand wants it now, and another server was never given the old one.
    if webhook.secret != clean.secret or not stays:
        _forget_previous(webhook)
    webhook.name = clean.name
    webhook.url = clean.url
    webhook.events = None if clean.events is None else list(clean.events)
    webhook.authorization = clean.authorization
    webhook.secret = clean.secret
    webhook.parallelism = clean.parallelism
    webhook.timeout = clean.timeout
    webhook.rate_limit = clean.rate_limit
    webhook.max_age = clean.max_age
    webhook.filters = stored_filters(clean.filters)
    if webhook.state != clean.state.value:
        webhook.change_state(clean.state, datetime.now(UTC))


def switch_webhook(
    session: Session, webhook: Webhook, state: WebhookState, reason: str | None = None
) -> bool:
    """Pause, resume or simulate a webhook; False if it was so already."""
    if webhook.state == state.value:
        return False
    webhook.change_state(state, datetime.now(UTC), reason)
    session.flush()
    note_change(session, webhook.company_id)
    return True


def resume_webhook(session: Session, webhook: Webhook, *, discard: bool) -> bool:
    """Send again; False, and nothing is discarded, if the webhook was active already.

    With `discard`, nothing that waits at this moment is sent: the process that owns the sockets
    ends it as cancelled, in batches. What arrives later is sent.
    """
    if webhook.state == WebhookState.ACTIVE.value:
        return False
    if discard:
        # Numbers are given by one process, in order: what is committed later has a higher one.
        newest = select(func.max(Delivery.id)).where(Delivery.webhook_id == webhook.id, text(OPEN))
        webhook.discard_until = session.scalar(newest) or webhook.discard_until
    return switch_webhook(session, webhook, WebhookState.ACTIVE)


def find_webhook(session: Session, webhook_id: int) -> Webhook:
    """A webhook that is not deleted; Refused if there is none with this number."""
    webhook = session.get(Webhook, webhook_id)
    if webhook is None or webhook.deleted_at is not None:
        raise Refused.one(
            "webhook",
            f"There is no webhook_{webhook_id}: `flask webhook list COMPANY` shows those "
            "there are.",
            f"Não há webhook webhook_{webhook_id}.",
        )
    return webhook


def live_webhooks(session: Session, company_ids: Collection[int]) -> list[Webhook]:
    """The webhooks of these companies that are not deleted, oldest first, with their health."""
    query = (
        select(Webhook)
        .where(Webhook.company_id.in_(company_ids), Webhook.deleted_at.is_(None))
        .options(joinedload(Webhook.health))
        .order_by(Webhook.id)
    )
    return list(session.scalars(query))


def delete_webhook(session: Session, webhook: Webhook) -> None:
    """Leave a tombstone: nothing is sent to the webhook any more.

    The process that owns the sockets cancels what waits and removes the rows in batches.
    """
    webhook.deleted_at = datetime.now(UTC)
    session.flush()
    note_change(session, webhook.company_id)
