"""Every condition: how it begins and ends, and a stage on which all of them do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from flask import Flask
from sqlalchemy.orm import Session

from tests.alerts.world import NOON, Alerting
from webhookproxy.alerts.conditions import CONDITIONS, About, Condition, Watched
from webhookproxy.alerts.message import Message
from webhookproxy.alerts.watching.states import State, Subject
from webhookproxy.models import AlertWatch

DAYS = timedelta(days=1)
Do = Callable[[Alerting, int, int], None]


class Row(NamedTuple):
    """How a condition begins and ends; both get the company and the webhook."""

    condition: Condition
    begin: Do
    end: Do
    # What the lines of the first message say.
    says: str

    @property
    def watched(self) -> Watched:
        return CONDITIONS[self.condition]

    @property
    def is_single(self) -> bool:
        """Whether there is only one of what is in this state."""
        return self.watched.about is About.INSTALLATION


def health(alerting: Alerting, webhook: int, **columns: Any) -> None:
    sets = ", ".join(f"{name} = :{name}" for name in columns)
    alerting.execute(
        f"UPDATE webhook_health SET {sets} WHERE webhook_id = :webhook", webhook=webhook, **columns
    )


def lose(alerting: Alerting, company: int, _webhook: int) -> None:
    alerting.connection(company, "reconnecting", "dropped")


def connect(alerting: Alerting, company: int, _webhook: int) -> None:
    alerting.connection(company, "connected", "accepted")


def expire(alerting: Alerting, company: int, _webhook: int, days: int = 3) -> None:
    alerting.execute(
        "UPDATE companies SET token_expires_at = :at WHERE id = :company",
        at=alerting.now + days * DAYS,
        company=company,
    )


def fall_silent(alerting: Alerting, company: int, _webhook: int) -> None:
    hour = int(alerting.clock()) // 3600
    for week in range(1, 9):
        for each in range(hour - week * 168 - 2, hour - week * 168 + 6):
            alerting.execute(
                "INSERT INTO hourly_events (company_id, hour, name, count)"
                " VALUES (:company, :hour, 'x', 2400) ON CONFLICT DO NOTHING",
                company=company,
                hour=each,
            )
    alerting.execute(
        "UPDATE connections SET since = :before, last_event_at = :now WHERE company_id = :company",
        before=alerting.now - DAYS,
        now=alerting.now,
        company=company,
    )


def hear(alerting: Alerting, company: int, _webhook: int) -> None:
    """Have events come for the next hours."""
    alerting.execute(
        "UPDATE connections SET last_event_at = :later WHERE company_id = :company",
        later=alerting.now + timedelta(hours=3),
        company=company,
    )


def pause(alerting: Alerting, _company: int, webhook: int) -> None:
    alerting.execute(
        "UPDATE webhooks SET state = 'paused', paused_reason = 'gone', paused_at = :now"
        " WHERE id = :webhook",
        now=alerting.now,
        webhook=webhook,
    )


def resume(alerting: Alerting, _company: int, webhook: int) -> None:
    alerting.execute(
        "UPDATE webhooks SET state = 'active', paused_reason = NULL, paused_at = NULL"
        " WHERE id = :webhook",
        webhook=webhook,
    )


def refuse(alerting: Alerting, _company: int, webhook: int) -> None:
    facts = {"last_error": "refused_status", "last_error_status": 422}
    later = alerting.now + timedelta(hours=5)
    health(alerting, webhook, refusing_since=alerting.now, refusing_last_at=later, **facts)


def fall_behind(alerting: Alerting, _company: int, webhook: int) -> None:
    health(alerting, webhook, behind_since=alerting.now, created=100)


def miss(alerting: Alerting, company: int, _webhook: int) -> None:
    """Have a gap end now that no watcher saw."""
    alerting.execute(
        "INSERT INTO gaps (company_id, started_at, ended_at, reason)"
        " VALUES (:company, :began, :now, 'owner_gone')",
        company=company,
        began=alerting.now - timedelta(minutes=12),
        now=alerting.now,
    )
    alerting.execute(
        "UPDATE connections SET since = :now WHERE company_id = :company",
        company=company,
        now=alerting.now,
    )


def nothing(_alerting: Alerting, _company: int, _webhook: int) -> None:
    """A gap is over when it is told."""


def install(condition: Condition, reason: str | None = None) -> tuple[Do, Do]:
    """How a state of the installation begins and ends."""

    def begin(alerting: Alerting, _company: int, _webhook: int) -> None:
        alerting.installation[Subject(condition)] = State(alerting.now, reason)

    def end(alerting: Alerting, _company: int, _webhook: int) -> None:
        del alerting.installation[Subject(condition)]

    return begin, end


TABLE = (
    Row(Condition.CONNECTION_LOST, lose, connect, "sem conexão com a 3C Plus desde 12:00"),
    Row(
        Condition.TOKEN_REFUSED,
        lambda a, c, _w: a.connection(c, "token_refused", "refused"),
        connect,
        "recusa o token desde 12:00",
    ),
    Row(
        Condition.TOKEN_EXPIRES,
        expire,
        lambda a, c, w: expire(a, c, w, days=90),
        "o token vence em 26/11",
    ),
    Row(Condition.SILENCE, fall_silent, hear, "conectada, mas sem eventos desde 12:00"),
    Row(
        Condition.WEBHOOK_FAILING,
        lambda a, _c, w: a.fail(w),
        lambda a, _c, w: a.mend(w),
        "sua URL responde com erro: status 500, desde 12:00",
    ),
    Row(Condition.WEBHOOK_PAUSED, pause, resume, "não existe mais (status 410)"),
    Row(
        Condition.WEBHOOK_REFUSING,
        refuse,
        lambda a, _c, w: health(a, w, refusing_since=None, refusing_last_at=None),
        "recusa parte dos eventos com status 422 desde 12:00",
    ),
    Row(
        Condition.WEBHOOK_BEHIND,
        fall_behind,
        lambda a, _c, w: health(a, w, behind_since=None),
        "a fila cresce desde 12:00",
    ),
    Row(Condition.GAP, miss, nothing, "nenhum evento recebido de 11:48 a 12:00 (12 min)"),
    Row(
        Condition.DISK_FULL,
        *install(Condition.DISK_FULL, "disk_nearly_full"),
        "O disco do servidor está quase cheio",
    ),
    Row(
        Condition.NOT_STORING,
        *install(Condition.NOT_STORING, "database_refuses"),
        "não estão sendo gravados desde 12:00",
    ),
    Row(Condition.NO_OWNER, *install(Condition.NO_OWNER), "nenhum processo cuida das conexões"),
)


class Stage:
    """For each row of the table a user who is told of it alone, with places where it may happen.

    A place is a company with a webhook.
    """

    def __init__(self, app: Flask, places: int = 1) -> None:
        # Confirmed addresses are told of what comes after.
        self.alerting = Alerting(app, NOON - timedelta(minutes=1))
        self.users: dict[Condition, int] = {}
        self.places: dict[Condition, list[tuple[int, int]]] = {}
        for row in TABLE:
            self.places[row.condition] = []
            if not row.is_single:
                self._add_places(row.condition, places)
            companies = [company for company, _ in self.places[row.condition]]
            address = f"{row.condition}@exemplo.com.br"
            user = self.alerting.user(address, *companies, admin=row.is_single)
            self.users[row.condition] = user
        self.alerting.store.session(self._add_watches)
        self.alerting.now = NOON

    def _add_places(self, condition: Condition, count: int) -> None:
        for number in range(count):
            company = self.alerting.company(f"{condition} {number}")
            self.places[condition].append((company, self.alerting.webhook(company)))

    def _add_watches(self, session: Session) -> None:
        """Have those who see everything be told of one condition."""
        for row in TABLE:
            others = set(Condition) - {row.condition} if row.is_single else ()
            for condition in others:
                watch = AlertWatch(user_id=self.users[row.condition], condition=condition.value)
                watch.is_on = False
                session.add(watch)

    def begin(self, place: int | None = None) -> None:
        """Have everything begin now, in all places or in one."""
        self._change(lambda row: row.begin, place)

    def end(self, place: int | None = None) -> None:
        self._change(lambda row: row.end, place)

    def _change(self, what: Callable[[Row], Do], place: int | None) -> None:
        for row in TABLE:
            places = self.places[row.condition]
            if row.is_single:
                chosen = [(0, 0)] if not place else []
            else:
                chosen = places if place is None else places[place : place + 1]
            for each in chosen:
                what(row)(self.alerting, *each)

    def told(self, minutes: float, *, step: float = 10) -> dict[Condition, list[Message]]:
        """Let time pass; return what the user of each row was told."""
        before = len(self.alerting.channel.sent)
        self.alerting.run(minutes=minutes, step=step)
        return self.sent_since(before)

    def sent_since(self, before: int) -> dict[Condition, list[Message]]:
        """Return what the user of each row got after the first `before` messages."""
        found: dict[Condition, list[Message]] = {row.condition: [] for row in TABLE}
        for target, message in self.alerting.channel.sent[before:]:
            found[Condition(target.partition("@")[0])].append(message)
        return found
