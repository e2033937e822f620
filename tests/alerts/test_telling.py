"""People are told once when a state lasts, and once when it is over."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.alerts.world import NOON, Alerting, refuse
from webhookproxy.alerts.conditions import Condition
from webhookproxy.alerts.message import Message
from webhookproxy.alerts.preferences import set_preferences, set_watch
from webhookproxy.alerts.told import told_of_company, unsent
from webhookproxy.extensions import db
from webhookproxy.models.types import to_ms


@pytest.fixture
def alerting(app: Flask) -> Alerting:
    return Alerting(app)


def told(messages: list[Message]) -> list[tuple[str, str]]:
    return [(each.kind, each.subject) for each in messages]


def test_a_token_that_is_refused_is_told_once_and_again_when_it_is_accepted(
    alerting: Alerting,
) -> None:
    company = alerting.company("Loja A")
    alerting.user("ana@exemplo.com.br", company)
    alerting.user("beto@exemplo.com.br")
    alerting.connection(company, "token_refused", "refused")
    assert alerting.run(minutes=1.5) == []
    (message,) = alerting.run(minutes=60)
    assert (message.kind, message.subject) == ("alert.opened", "Token recusado: Loja A")
    assert message.lines[0] == ("Loja A: a 3C Plus recusa o token desde 12:00 (há 3 min).")
    assert message.link == f"https://relay.example/empresas/company_{company}"
    alerting.connection(company, "connected", "accepted")
    (message,) = alerting.run(minutes=60)
    assert told([message]) == [("alert.closed", "Resolvido: Token recusado: Loja A")]
    assert message.lines[0] == (
        "Loja A: o token foi aceito às 13:01. Foi recusado por 1 h 1 min (desde 12:00), e a 3C "
        "Plus não reenvia os eventos desse intervalo."
    )
    assert {target for target, _ in alerting.channel.sent} == {"ana@exemplo.com.br"}


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (
            "state = 'finished', recovered = 37",
            "37 ligações recuperadas; eventos de agente e de fila não voltam.",
        ),
        (
            "state = 'stopped', trouble = 'forbidden'",
            "O token não pode listar ligações (403): é preciso o de um gestor.",
        ),
        # 3C Plus does not answer: people are told after 20 minutes.
        ("", "0 ligações recuperadas até agora; perguntamos de novo à 3C Plus em alguns minutos."),
    ],
)
def test_the_end_of_a_gap_says_what_came_back_after_the_last_look(
    alerting: Alerting, ended: str, said: str
) -> None:
    company = alerting.company("Loja A")
    alerting.user("ana@exemplo.com.br", company)
    alerting.connection(company, "reconnecting", "dropped")
    (message,) = alerting.run(minutes=10)
    assert message.kind == "alert.opened"
    alerting.connection(company, "connected", "accepted")
    until_ms = to_ms(alerting.now)
    alerting.execute(
        "INSERT INTO recoveries (company_id, asked_ms, since_ms, until_ms, state, next_ms, look)"
        " VALUES (:company, :at, :since, :at, 'running', :at, 1)",
        company=company,
        since=until_ms - 600_000,
        at=until_ms,
    )
    assert alerting.run(minutes=15) == []
    if ended:
        alerting.execute(f"UPDATE recoveries SET {ended}")
    (message,) = alerting.run(minutes=8)
    assert told([message]) == [("alert.closed", "Resolvido: Conexão perdida: Loja A")]
    assert "sem conexão. " in message.lines[0]
    assert message.lines[0].endswith(said)
    assert '"recovered": 37' in json.dumps(message.data) or "37" not in said


@pytest.mark.parametrize("all_of_them", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_gap_of_which_the_server_sent_everything_again_does_not_say_that_it_is_lost(
    alerting: Alerting, *, all_of_them: bool
) -> None:
    company = alerting.company("Loja A")
    alerting.user("ana@exemplo.com.br", company)
    alerting.connection(company, "reconnecting", "dropped")
    alerting.run(minutes=10)
    alerting.connection(company, "connected", "accepted")
    alerting.execute("UPDATE gaps SET recovered = :recovered", recovered=all_of_them)
    until_ms = to_ms(alerting.now)
    # One of the day before, and a second one of this alert.
    for began, ended, recovered in ((86_500_000, 86_400_000, False), (100, 50, True)):
        alerting.execute(
            "INSERT INTO gaps (company_id, started_at, ended_at, reason, recovered)"
            " VALUES (:company, :began, :ended, 'dropped', :recovered)",
            company=company,
            began=until_ms - began,
            ended=until_ms - ended,
            recovered=recovered,
        )
    (message,) = alerting.run(minutes=30)
    said = "Recuperada pelo servidor: a 3C Plus reenviou os eventos."
    assert message.lines[0].endswith(said) == all_of_them
    assert ("não reenvia" in message.lines[0]) != all_of_them
    assert ("recovered_by_server" in json.dumps(message.data)) == all_of_them


def test_the_end_of_a_webhooks_trouble_comes_with_the_account(alerting: Alerting) -> None:
    webhook = alerting.webhook(alerting.company("Loja A"))
    alerting.user("ana@exemplo.com.br", admin=True)
    alerting.fail(webhook)
    (message,) = alerting.run(minutes=10)
    assert message.subject == "Webhook falhando: CRM (Loja A)"
    assert message.lines[0] == (
        "CRM (Loja A): sua URL responde com erro: status 500, desde 12:00 (há 6 min)."
    )
    assert message.link == f"https://relay.example/webhooks/webhook_{webhook}"
    alerting.mend(webhook, settled=False)
    assert alerting.run(minutes=5) == []
    alerting.settle(webhook)
    (message,) = alerting.run(minutes=5)
    assert message.lines[0] == (
        "CRM (Loja A): voltou a receber às 12:10. Falhou por 10 min (desde 12:00). "
        "183 eventos esperaram (12 ligações): 183 entregues, 0 perdidos."
    )
    assert alerting.run(minutes=60) == []


def test_what_one_address_does_not_take_goes_to_the_next(alerting: Alerting) -> None:
    company = alerting.company("Loja A")
    user = alerting.user("ana@exemplo.com.br", company)
    alerting.address(user, "second", position=2)
    alerting.channel.answers["ana@exemplo.com.br"] = refuse("bounced")
    alerting.connection(company, "token_refused", "refused")
    alerting.run(minutes=5)
    assert [target for target, _ in alerting.channel.sent] == ["second"]
    alerting.channel.answers["second"] = refuse("failing", is_final=False)
    alerting.connection(company, "connected", "accepted")
    assert alerting.run(minutes=30) == []
    with alerting.app.app_context(), time_machine.travel(NOON):
        session = db.session()
        closed, opened = told_of_company(session, company, 10)
        assert (opened.part, opened.user, opened.error) == ("opened", "ana@exemplo.com.br", None)
        assert (closed.part, closed.sent_at, closed.error) == ("closed", None, "failing")
        assert [each.error for each in unsent(session, user, 10)] == ["failing"]
        assert unsent(session, user + 1, 10) == []
    del alerting.channel.answers["second"]
    (message,) = alerting.run(minutes=60)
    assert message.kind == "alert.closed"
    with alerting.app.app_context(), time_machine.travel(NOON):
        assert unsent(db.session(), None, 10) == []


def test_nobody_is_told_of_a_company_that_he_may_not_see_any_more(alerting: Alerting) -> None:
    company = alerting.company("Loja A")
    alerting.user("ana@exemplo.com.br", company)
    alerting.channel.answers["ana@exemplo.com.br"] = refuse("failing", is_final=False)
    alerting.connection(company, "token_refused", "refused")
    assert alerting.run(minutes=5) == []
    alerting.execute("DELETE FROM grants")
    alerting.channel.answers.clear()
    assert alerting.run(minutes=60) == []
    assert alerting.stored("SELECT * FROM alert_messages") == []


def keep_quiet_from_noon(alerting: Alerting, user: int) -> None:
    """Have the two hours after the beginning be quiet for a user."""
    quiet = 12 * 60, 14 * 60
    alerting.store.session(
        lambda session: set_preferences(session, user, is_on=True, quiet=quiet, morning_line=False)
    )
    alerting.execute("UPDATE alert_preferences SET changed_at = NULL")


def test_what_came_twice_to_one_company_is_not_told_of_two(alerting: Alerting) -> None:
    company = alerting.company("Loja A")
    keep_quiet_from_noon(alerting, alerting.user("ana@exemplo.com.br", company))
    for _ in range(2):
        alerting.connection(company, "reconnecting", "owner_gone")
        # No watcher looked meanwhile.
        alerting.now += timedelta(minutes=15)
        alerting.connection(company, "connected", "accepted")
        assert alerting.run(minutes=15) == []
    subjects = [each.subject for each in alerting.run(minutes=90)]
    assert subjects == ["Lacuna: tempo sem receber eventos: Loja A (2 vezes)"]


def test_a_lost_connection_is_told_once_after_quiet_hours(alerting: Alerting) -> None:
    company, other = alerting.company("Loja A"), alerting.company("Loja B")
    user = alerting.user("ana@exemplo.com.br", company, other)
    keep_quiet_from_noon(alerting, user)
    # Of the other company the user wants to know the gaps only.
    alerting.store.session(
        lambda session: set_watch(
            session, user, Condition.CONNECTION_LOST, other, is_on=False, minutes=None
        )
    )
    alerting.execute("UPDATE alert_preferences SET changed_at = NULL")
    for each in (company, other):
        alerting.connection(each, "reconnecting", "dropped")
    assert alerting.run(minutes=15) == []
    for each in (company, other):
        alerting.connection(each, "connected", "accepted")
    subjects = sorted(each.subject for each in alerting.run(minutes=180, step=5))
    assert subjects == [
        "Já passou: Conexão perdida: Loja A",
        "Lacuna: tempo sem receber eventos: Loja B",
    ]
