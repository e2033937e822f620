"""Records the outages of all webhooks, from what their lanes store: one look a second.

Only the owner of the sockets does it. Everything is in the rows, so the next owner goes on with an
outage that lasts, and finds one that began while no process ran.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import gevent
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session, joinedload

from webhookproxy.broadcast import ignore_change
from webhookproxy.database.clock import seconds_now
from webhookproxy.database.fence import WHOLE, Share
from webhookproxy.database.store import Store
from webhookproxy.models.deliveries.periods import first_delivery
from webhookproxy.models.outages import Outage, OutageKind
from webhookproxy.models.types import to_ms
from webhookproxy.models.webhooks import Webhook, secrets_later
from webhookproxy.reasons import DeliveryReason
from webhookproxy.troubles.accounts import ROUND, Accounts, is_over
from webhookproxy.troubles.limits import WELL_MS
from webhookproxy.troubles.now import is_refusing

# Seconds until the next step, and while there are more webhooks to look at.
PAUSE = 1.0
PAUSE_MORE = 0.25
# Webhooks that one step looks at; the others come in the next.
AT_ONCE = 25
# An outage that ended longer ago was recorded by then.
_RECENT = timedelta(days=1)
# A delivery that waited when the outage began is looked for among those that came so long before.
_BEFORE_MS = 15 * 60_000

_CONCERNED = (
    "FROM webhooks w JOIN webhook_health h ON h.webhook_id = w.id"
    " WHERE w.deleted_at IS NULL AND (w.paused_at IS NOT NULL"
    " OR h.refusing_since IS NOT NULL OR h.failing_since IS NOT NULL"
    " AND (h.working_since IS NULL OR h.working_since > :recent)"
    " OR EXISTS (SELECT 1 FROM outages o WHERE o.webhook_id = w.id AND o.settled_at IS NULL))"
)
_COMPANIES = text(f"SELECT w.company_id {_CONCERNED}")
_NEXT = f"SELECT w.id {_CONCERNED} AND w.id > :after{{share}} ORDER BY w.id LIMIT :most"
_BEFORE = text(
    "SELECT COUNT(*) AS looked_at, MAX(id) AS last, MIN(CASE WHEN waited THEN id END) AS first"
    " FROM (SELECT id, COALESCE(ended_ms, :began) >= :began AS waited FROM deliveries"
    " WHERE webhook_id = :webhook AND id > :after AND id < :until ORDER BY id LIMIT :most) r"
)


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a webhook was failing, refusing or paused; `ended` is None while it lasts."""

    kind: OutageKind
    began: datetime
    ended: datetime | None
    reason: str
    status: int | None


def spans_of(webhook: Webhook, now: datetime) -> list[Span]:
    """Return the outages that a webhook's row tells of: those that last, and the last of each kind.

    A webhook that fails and is then paused has both.
    """
    health, spans = webhook.health, []
    reason, status = health.last_error or DeliveryReason.FAILED_STATUS, health.last_error_status
    if webhook.paused_at is not None:
        cause = webhook.paused_reason or DeliveryReason.WEBHOOK_PAUSED
        said = status if webhook.paused_reason else None
        spans.append(Span(OutageKind.PAUSED, webhook.paused_at, None, cause, said))
    failing, working = health.failing_since, health.working_since
    if failing is not None and (working is None or now - working < _RECENT):
        spans.append(Span(OutageKind.FAILING, failing, working, reason, status))
    refusing = health.refusing_since
    if refusing is not None:
        ended = None if is_refusing(health, to_ms(now)) else health.refusing_last_at
        spans.append(Span(OutageKind.REFUSING, refusing, ended, reason, status))
    return spans


class Outages:
    """Works in steps; `pause` is the number of seconds to wait before the next."""

    def __init__(
        self,
        store: Store,
        reading: Engine,
        tell: Callable[[int], None] = ignore_change,
        clock: Callable[[], float] = seconds_now,
        share: Share = WHOLE,
    ) -> None:
        self.pause = PAUSE
        self._query = text(_NEXT.format(share=share.where("w.company_id")))
        self._store = store
        self._reading = reading
        self._tell = tell
        self._clock = clock
        self._accounts = Accounts(store)
        # The last webhook that was looked at.
        self._after = 0

    def step(self) -> bool:
        """Look at some webhooks. Return whether something was stored."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        with Session(self._reading) as session:
            webhooks = self._concerned(session, now)
            changed = False
            for webhook in webhooks:
                # SQLite does not yield: many webhooks must not hold up the sockets.
                gevent.sleep(0)
                if self._look(session, webhook, now):
                    self._tell(webhook.company_id)
                    changed = True
        return changed

    def concerned(self) -> Collection[int]:
        """Return the companies, of all shares, that have such webhooks."""
        recent = to_ms(datetime.fromtimestamp(self._clock(), UTC) - _RECENT)
        with self._reading.connect() as connection:
            return set(connection.execute(_COMPANIES, {"recent": recent}).scalars())

    def _concerned(self, session: Session, now: datetime) -> Sequence[Webhook]:
        """Return the next webhooks that have an outage, or had one that is not settled."""
        given = {"after": self._after, "recent": to_ms(now - _RECENT), "most": AT_ONCE}
        ids = session.execute(self._query, given).scalars().all()
        has_more = len(ids) == AT_ONCE
        self._after = ids[-1] if has_more else 0
        self.pause = PAUSE_MORE if has_more else PAUSE
        # A secret that no key opens must not stop this.
        options = joinedload(Webhook.health), *secrets_later()
        query = select(Webhook).where(Webhook.id.in_(ids)).options(*options).order_by(Webhook.id)
        return session.scalars(query).all()

    def _look(self, session: Session, webhook: Webhook, now: datetime) -> bool:
        """Record the outages of a webhook and go on with their accounts; return if any changed."""
        unsettled = select(Outage).where(
            Outage.webhook_id == webhook.id, Outage.settled_at.is_(None)
        )
        rows = {(row.kind, row.began_at): row for row in session.scalars(unsettled)}
        spans = spans_of(webhook, now)
        changed = False
        for span in spans:
            row = rows.pop((span.kind.value, span.began), None)
            if row is None:
                changed = self._begin(session, webhook.id, span) or changed
            elif row.ended_at != span.ended:
                self._end(row.id, span.ended)
                changed = True
            elif row.ended_at is not None:
                over = is_over(row, webhook.health, now)
                changed = self._accounts.go_on(session, row, now, over=over) or changed
        for row in rows.values():
            # The webhook's row tells of it no more: it was resumed, or has a newer outage.
            if row.ended_at is None:
                self._end(row.id, _unseen_end(row, now))
                changed = True
            else:
                changed = self._accounts.go_on(session, row, now, over=True) or changed
        return changed

    def _begin(self, session: Session, webhook_id: int, span: Span) -> bool:
        """Store a new outage; return False if it was stored and settled before."""
        known = select(Outage.id).where(
            Outage.webhook_id == webhook_id,
            Outage.kind == span.kind.value,
            Outage.began_at == span.began,
        )
        if session.scalar(known) is not None:
            return False
        outage = {
            "webhook_id": webhook_id,
            "kind": span.kind.value,
            "reason": span.reason,
            "status": span.status,
            "began_at": span.began,
            "ended_at": span.ended,
            "first_id": _first_id(session, webhook_id, span),
        }
        self._store.session(lambda writing: writing.add(Outage(**outage)))
        return True

    def _end(self, outage_id: int, ended: datetime | None) -> None:
        """Store the end of an outage, or that it goes on after all."""

        def job(session: Session) -> None:
            outage = session.get(Outage, outage_id)
            if outage is not None:
                outage.ended_at = ended

        self._store.session(job)


def _unseen_end(outage: Outage, now: datetime) -> datetime:
    if outage.kind == OutageKind.REFUSING:
        # Its lane forgot it, which it does this long after the last refusal that counted.
        return max(outage.began_at, now - timedelta(milliseconds=WELL_MS))
    return now


def _first_id(session: Session, webhook_id: int, span: Span) -> int:
    """Return the lowest number of a delivery that waited when an outage began, or came in it."""
    began = to_ms(span.began)
    after, until = first_delivery(session, began - _BEFORE_MS) - 1, first_delivery(session, began)
    given = {"webhook": webhook_id, "began": began, "until": until, "most": ROUND}
    while True:
        round_ = session.execute(_BEFORE, {**given, "after": after}).one()
        if round_.first is not None:
            return int(round_.first)
        if round_.looked_at < ROUND:
            return until
        after = round_.last
        # Another round must not keep the sockets waiting.
        gevent.sleep(0)
