"""Every condition: its beginning and its end are told once, also beside a takeover or a crash."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from flask import Flask

from tests.alerts.world import NOON, Alerting
from webhookproxy.alerts.conditions import CONDITIONS, About, Condition
from webhookproxy.alerts.message import Message
from webhookproxy.alerts.watching.states import State, Subject
from webhookproxy.database.store import StoreUnavailable

DAYS = timedelta(days=1)
Do = Callable[[Alerting, int, int], None]


class Row(NamedTuple):
    """How a condition begins and ends; both get the company and the webhook."""

    condition: Condition
    begin: Do
    end: Do
    # What the lines of the first message say.
    says: str


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
                " VALUES (:company, :hour, 'x', 2400)",
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


def fill(alerting: Alerting, _company: int, _webhook: int) -> None:
    alerting.installation[Subject(Condition.DISK_FULL)] = State(alerting.now, "disk_nearly_full")


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
    Row(
        Condition.DISK_FULL,
        fill,
        lambda a, _c, _w: a.installation.clear(),
        "O disco do servidor está quase cheio",
    ),
)


def is_of_administrators(row: Row) -> bool:
    return CONDITIONS[row.condition].about is About.INSTALLATION


class Stage:
    """A company with a webhook and a user of its own for each row of the table."""

    def __init__(self, app: Flask) -> None:
        self.alerting = Alerting(app)
        self.places: dict[Condition, tuple[int, int]] = {}
        for row in TABLE:
            company = self.alerting.company(row.condition)
            self.places[row.condition] = company, self.alerting.webhook(company)
            address = f"{row.condition}@exemplo.com.br"
            self.alerting.user(address, company, admin=is_of_administrators(row))

    def change(self, what: Callable[[Row], Do]) -> None:
        for row in TABLE:
            what(row)(self.alerting, *self.places[row.condition])

    def told(self, minutes: float) -> dict[Condition, list[Message]]:
        """Let time pass; return what the user of each row was told of its condition."""
        before = len(self.alerting.channel.sent)
        self.alerting.run(minutes=minutes, step=10)
        found: dict[Condition, list[Message]] = {row.condition: [] for row in TABLE}
        for target, message in self.alerting.channel.sent[before:]:
            condition = Condition(target.partition("@")[0])
            alerts: Any = message.data["alerts"]
            # An administrator is told of all companies.
            if condition in {each["condition"] for each in alerts}:
                found[condition].append(message)
        return found


@pytest.fixture
def stage(any_app: Flask) -> Stage:
    return Stage(any_app)


def test_each_condition_is_told_once_and_its_end_once_also_by_the_next_owner(stage: Stage) -> None:
    assert stage.told(0) == {row.condition: [] for row in TABLE}
    stage.change(lambda row: row.begin)
    told = stage.told(40)
    stage.alerting.build()
    assert {key: len(each) for key, each in told.items() if len(each) != 1} == {}, told
    for row in TABLE:
        (message,) = told[row.condition]
        assert any(row.says in line for line in message.lines), message
        if not is_of_administrators(row):
            assert message.kind == "alert.opened"
            assert CONDITIONS[row.condition].label in message.subject
    assert stage.told(60) == {row.condition: [] for row in TABLE}
    stage.change(lambda row: row.end)
    told = stage.told(30)
    stage.alerting.build()
    assert {key: len(each) for key, each in told.items() if len(each) != 1} == {}, told
    for row in TABLE:
        (message,) = told[row.condition]
        # An administrator, who sees all of it at the same time, gets a digest.
        if not is_of_administrators(row):
            assert (message.kind, message.subject[:11]) == ("alert.closed", "Resolvido: ")
    assert stage.told(60) == {row.condition: [] for row in TABLE}


def test_a_gap_that_nobody_told_while_it_lasted_is_told_when_it_is_over(app: Flask) -> None:
    alerting = Alerting(app)
    company, other = alerting.company("Loja A"), alerting.company("Loja B")
    alerting.user("ana@exemplo.com.br", admin=True)
    for each in (company, other):
        alerting.connection(each, "reconnecting", "owner_gone")
    # This process did not run meanwhile.
    alerting.now += timedelta(minutes=42)
    alerting.connection(company, "connected", "accepted")
    (gap, lost) = sorted(alerting.run(minutes=30), key=lambda each: each.subject)[::-1]
    assert (lost.kind, lost.subject) == ("alert.opened", "Conexão perdida: Loja B")
    assert (gap.kind, gap.subject) == (
        "alert.opened",
        "Lacuna: tempo sem receber eventos: Loja A",
    )
    assert "nenhum evento recebido de 12:00 a 12:42 (42 min)" in gap.lines[0]
    # The end of what was told has the length of the gap.
    alerting.connection(other, "connected", "accepted")
    (closed,) = alerting.run(minutes=60)
    assert (closed.kind, closed.subject) == ("alert.closed", "Resolvido: Conexão perdida: Loja B")


def test_a_crash_between_sending_and_commit_repeats_one_message_with_its_id(
    app: Flask,
) -> None:
    alerting = Alerting(app)
    company = alerting.company("Loja A")
    alerting.user("ana@exemplo.com.br", company)
    alerting.connection(company, "token_refused", "refused")

    class Dead:
        def session(self, _job: object) -> None:
            raise StoreUnavailable("killed")

    alerting.outbox._store = Dead()  # type: ignore[assignment]
    for _ in range(2):
        alerting.now += timedelta(minutes=3)
        alerting.watcher.step()
    for _ in range(3):
        alerting.outbox.step()
        assert alerting.outbox.join(20)
    assert len(alerting.channel.sent) == 1
    alerting.build()
    alerting.run(minutes=60, step=10)
    first, second = (message for _, message in alerting.channel.sent)
    assert first.id == second.id


def test_what_is_alike_goes_together(app: Flask) -> None:
    alerting = Alerting(app)
    companies = [alerting.company(f"Loja {number:02d}") for number in range(31)]
    alerting.user("ana@exemplo.com.br", admin=True)
    for company in companies:
        alerting.connection(company, "token_refused", "refused")
    (message,) = alerting.run(minutes=30, step=5)
    assert message.subject == "Token recusado em 31 empresas: Loja 00, Loja 01, Loja 02 e mais 28"
    assert message.lines[10] == "E mais 21."
    for company in companies[1:]:
        alerting.connection(company, "connected", "accepted")
    (message,) = alerting.run(minutes=30, step=5)
    assert message.subject.startswith("Resolvido: Token recusado em 30 empresas: Loja 01")


def test_a_state_that_comes_and_goes_is_told_in_digests(app: Flask) -> None:
    alerting = Alerting(app)
    webhook = alerting.webhook(alerting.company("Loja A"))
    alerting.user("ana@exemplo.com.br", admin=True)
    messages: list[Message] = []
    for _ in range(6):
        alerting.fail(webhook)
        messages += alerting.run(minutes=8, step=2)
        alerting.mend(webhook)
        messages += alerting.run(minutes=4, step=2)
    kinds = [each.kind for each in messages]
    assert kinds[:3] == ["alert.opened", "alert.closed", "alert.opened"]
    assert messages[2].lines[-1] == (
        "CRM (Loja A) mudou 3 vezes na última hora: as próximas mudanças vêm juntas, num resumo."
    )
    assert set(kinds[3:]) == {"alert.digest"}
    (last,) = alerting.run(minutes=90, step=5)
    assert last.kind == "alert.digest"


def test_quiet_hours_keep_what_may_wait(app: Flask) -> None:
    alerting = Alerting(app)
    company = alerting.company("Loja A")
    webhook = alerting.webhook(company)
    user = alerting.user("ana@exemplo.com.br", admin=True)
    alerting.execute(
        "INSERT INTO alert_preferences (user_id, is_on, morning_line, quiet_from, quiet_until)"
        " VALUES (:user, :yes, :no, 660, 900)",
        user=user,
        yes=True,
        no=False,
    )
    alerting.fail(webhook)
    alerting.connection(company, "token_refused", "refused")
    assert alerting.run(minutes=60, step=5) == []
    alerting.installation[Subject(Condition.NOT_STORING)] = State(NOON, "database_refuses")
    (urgent,) = alerting.run(minutes=10, step=5)
    assert urgent.subject == "Não está gravando: Servidor"
    alerting.mend(webhook)
    messages = alerting.run(minutes=180, step=5)
    subjects = sorted(each.subject for each in messages)
    assert subjects == ["Já passou: Webhook falhando: CRM (Loja A)", "Token recusado: Loja A"]
