"""Bulk resends: many deliveries of one webhook queued again, in the background, in small steps.

Stored events that the webhook was not sent are queued in the same way. A request is a row. The
process that owns the sockets queues what is wanted in the order of the numbers (see
delivery.outcomes.resending), and notes its progress in the row.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, String, false, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import ms_now
from webhookproxy.extensions import Base
from webhookproxy.models.audit import Action, Actor, record_webhook
from webhookproxy.models.companies import find_company
from webhookproxy.models.deliveries.missed import Counted, Wanted
from webhookproxy.models.deliveries.tables import Delivery, end_deliveries
from webhookproxy.models.events import Event
from webhookproxy.models.installation.changes import note_change
from webhookproxy.models.types import Id, partial_index
from webhookproxy.models.webhooks import Webhook, find_webhook
from webhookproxy.reasons import DeliveryReason, DeliveryState
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState

_RUNNING = "state = 'running'"


class BulkState(StrEnum):
    """Still queueing, finished, or cancelled by a user before that."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Hold(StrEnum):
    """Why a bulk resend waits."""

    PAUSED = "paused"
    SIMULATED = "simulated"
    CIRCUIT = "circuit"
    DISCARDING = "discarding"


class BulkResend(Base):
    """A request and its progress. Times are milliseconds since 1970.

    It wants the deliveries of the webhook above `begins` and up to `upto` that ended in one of
    `states`; those up to `cursor` are done. If it is `stored` it wants stored events instead, and
    the numbers are those of events; `event_id` is the one event that it wants, if it is only one.
    `total` was counted at the request. `waiting` are the
    queued ones that have not ended again yet.
    """

    __tablename__ = "bulk_resends"
    __table_args__ = (
        Index("ix_bulk_resends_webhook_id_id", "webhook_id", "id"),
        # One at a time, also if two users ask at the same moment.
        partial_index("uq_bulk_resends_running", "webhook_id", where=_RUNNING, unique=True),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    company_id: Mapped[int] = mapped_column(Id)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    asked_by: Mapped[str] = mapped_column(String(254))
    asked_ms: Mapped[int] = mapped_column(Id)
    states: Mapped[list[str]] = mapped_column(JSON)
    event: Mapped[str] = mapped_column(String(200))
    since_ms: Mapped[int | None] = mapped_column(Id)
    begins: Mapped[int] = mapped_column(Id)
    upto: Mapped[int] = mapped_column(Id)
    cursor: Mapped[int] = mapped_column(Id)
    total: Mapped[int] = mapped_column()
    total_is_cut: Mapped[bool] = mapped_column()
    queued: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    delivered: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    waiting: Mapped[list[int]] = mapped_column(JSON, default=list)
    state: Mapped[str] = mapped_column(String(10), default=BulkState.RUNNING.value)
    ended_ms: Mapped[int | None] = mapped_column(Id)
    refusal_group_id: Mapped[int | None] = mapped_column(Id)
    stored: Mapped[bool] = mapped_column(server_default=false(), default=False)
    event_id: Mapped[int | None] = mapped_column(Id)

    @property
    def wanted(self) -> Wanted:
        """The deliveries that are resent."""
        states = tuple(DeliveryState(state) for state in self.states)
        return Wanted(
            self.webhook_id,
            states,
            event=self.event,
            since_ms=self.since_ms,
            refusal_group_id=self.refusal_group_id,
            stored=self.stored,
            event_id=self.event_id,
        )

    @property
    def expected(self) -> int:
        """How many it has, as known now: those that were refused since the request come in too."""
        taken = self.queued + self.skipped
        return taken if self.state == BulkState.FINISHED else max(self.total, taken)

    @property
    def arrived(self) -> float:
        """The part that was delivered, from 0 to 1."""
        if not self.delivered:
            return 0.0
        share = self.delivered / max(1, self.queued)
        return share * self.done if self.total_is_cut else self.delivered / self.expected

    @property
    def done(self) -> float:
        """The part that is done, from 0 to 1."""
        if self.state == BulkState.FINISHED:
            return 1.0
        if self.total_is_cut:
            return min(1.0, (self.cursor - self.begins) / max(1, self.upto - self.begins))
        return min(1.0, (self.queued + self.skipped) / max(1, self.total))

    def end(self, state: BulkState) -> None:
        """End the queueing."""
        self.state = state.value
        self.ended_ms = ms_now()


def hold(webhook: Webhook) -> Hold | None:
    """Return the reason why a webhook gets no resends now, or None."""
    if webhook.state == WebhookState.PAUSED:
        return Hold.PAUSED
    if webhook.state == WebhookState.SIMULATED:
        return Hold.SIMULATED
    if webhook.discard_until is not None:
        return Hold.DISCARDING
    return None if webhook.health.circuit_opened_at is None else Hold.CIRCUIT


def begin(session: Session, wanted: Wanted, counted: Counted, actor: Actor) -> int:
    """Request a bulk resend of the counted deliveries; return its number.

    Raises Refused if nothing was counted, if one of this webhook is running, or if the webhook is
    paused, simulated or deleted.
    """
    webhook = find_webhook(session, wanted.webhook_id)
    find_company(session, webhook.company_id)
    _refuse(session, webhook, counted)
    bulk = BulkResend(
        company_id=webhook.company_id,
        webhook_id=webhook.id,
        asked_by=actor.who,
        asked_ms=ms_now(),
        states=[state.value for state in wanted.states],
        event=wanted.event,
        since_ms=wanted.since_ms,
        refusal_group_id=wanted.refusal_group_id,
        stored=wanted.stored,
        event_id=wanted.event_id,
        begins=counted.begins,
        upto=counted.upto,
        cursor=counted.begins,
        total=counted.count,
        total_is_cut=counted.is_cut,
    )
    session.add(bulk)
    session.flush()
    action = Action.SEND_STORED if wanted.stored else Action.BULK_RESEND
    record_webhook(
        session, actor, action, bulk.company_id, bulk.webhook_id, _much(session, wanted, counted)
    )
    return bulk.id


def _much(session: Session, wanted: Wanted, counted: Counted) -> str:
    """Return for the audit how much was asked for: the id of the one event, or a number."""
    if wanted.event_id is not None:
        return session.scalar(select(Event.public_id).where(Event.id == wanted.event_id)) or ""
    return f"{'>' * counted.is_cut}{counted.count}"


def cancel(session: Session, bulk_id: int, actor: Actor) -> bool:
    """End it; return False if it had ended already.

    What it queued and was not begun is cancelled. An attempt that is under way ends by itself: if
    the receiver accepts it, the delivery counts as delivered.
    """
    bulk = session.get(BulkResend, bulk_id, with_for_update=True, populate_existing=True)
    if bulk is None or bulk.state != BulkState.RUNNING:
        return False
    withdrawn = _withdraw(session, bulk)
    bulk.waiting = [each for each in bulk.waiting if each not in withdrawn]
    bulk.queued -= len(withdrawn)
    bulk.end(BulkState.CANCELLED)
    done, action = f"{bulk.queued} of {bulk.total}", Action.BULK_RESEND_CANCELLED
    record_webhook(session, actor, action, bulk.company_id, bulk.webhook_id, done)
    return True


def _withdraw(session: Session, bulk: BulkResend) -> set[int]:
    """Cancel what a bulk resend queued and was not tried since; return which."""
    waits = Delivery.state == DeliveryState.QUEUED.value, Delivery.first_attempt_ms.is_(None)
    query = select(Delivery.id).where(Delivery.id.in_(bulk.waiting), *waits)
    ids = list(session.scalars(query.order_by(Delivery.id).with_for_update()))
    state, reason = DeliveryState.CANCELLED, DeliveryReason.DISCARDED
    now_ms = ms_now()
    end_deliveries(session.connection(), bulk.webhook_id, ids, state, reason, now_ms)
    if ids:
        note_change(session, bulk.company_id, bulk.webhook_id)
    return set(ids)


def running(session: Session, webhook_id: int) -> BulkResend | None:
    """Return the bulk resend of a webhook that is running, if one is."""
    query = select(BulkResend).where(BulkResend.webhook_id == webhook_id, text(_RUNNING))
    return session.scalar(query)


def _refuse(session: Session, webhook: Webhook, counted: Counted) -> None:
    name = f"webhook_{webhook.id}"
    if webhook.state in (WebhookState.PAUSED, WebhookState.SIMULATED):
        is_paused = webhook.state == WebhookState.PAUSED
        raise Refused.one(
            "webhook",
            f"{name} is {webhook.state}: `flask webhook resume {name}` activates it.",
            "O webhook está pausado: retome-o antes de reenviar."
            if is_paused
            else "O webhook está simulado, e nada seria enviado: ative-o antes de reenviar.",
        )
    if running(session, webhook.id) is not None:
        raise Refused.one(
            "webhook",
            f"A bulk resend of {name} is running: wait until it ends, or cancel it.",
            "Já há um reenvio em andamento neste webhook: espere que ele termine, ou cancele-o.",
        )
    if not counted.count and not counted.is_cut:
        raise Refused.one(
            "deliveries",
            f"Nothing of {name} matches, so there is nothing to send.",
            "Nada combina com isso: não há o que enviar.",
        )
