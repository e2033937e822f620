"""Administrators are told once that nothing is stored, from memory, and that it is over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from tests.alerts.world import NOON, Alerting, refuse
from webhookproxy.database.fence import ALL_SHARDS, shares_of
from webhookproxy.engine import last_word as last_words
from webhookproxy.engine.last_word import LastWord
from webhookproxy.engine.liveness import Storing
from webhookproxy.reasons import StoringReason

ADMIN = "ana@exemplo.com.br"


class Ended(LastWord):
    """One that a test asks step by step."""

    found = Storing(StoringReason.STORING)
    owns = True
    oldest = True


@pytest.fixture
def alerting(app: Flask) -> Alerting:
    made = Alerting(app)
    user = made.user(ADMIN, admin=True)
    made.address(user, "second", position=2)
    made.user("beto@exemplo.com.br")
    return made


def last_word(alerting: Alerting, *, well: bool = True) -> Ended:
    made = Ended(
        alerting.store,
        alerting.reading,
        alerting.channel,
        None,
        lambda: made.found,
        lambda: made.owns,
        lambda: made.oldest,
        alerting.clock,
    )
    if well:
        made.step()
    return made


def look(alerting: Alerting, job: Ended, *, minutes: float) -> list[str]:
    """Look every half minute; return whom was told."""
    before = len(alerting.channel.sent)
    for _ in range(round(minutes * 2)):
        alerting.now += timedelta(seconds=30)
        job.step()
        assert job.join(20)
    return [target for target, _ in alerting.channel.sent[before:]]


def test_the_last_owner_tells_without_the_database_and_the_alerts_tell_the_end(
    alerting: Alerting,
) -> None:
    job = last_word(alerting)
    alerting.channel.answers[ADMIN] = refuse("failing")
    job.found = Storing(StoringReason.DATABASE_GONE)
    assert look(alerting, job, minutes=1) == []
    assert look(alerting, job, minutes=30) == ["second"]
    message = alerting.channel.sent[0][1]
    assert message.subject == "Não está gravando: Servidor"
    assert message.lines[0].startswith(
        "Servidor: os eventos não estão sendo gravados desde 12:00 (há 1 min)."
    )
    since = "2026-11-23T15:00:30.000Z"
    facts = {"condition": "not_storing", "since": since, "reason": "database_gone"}
    assert message.data["alerts"] == [facts]
    job.found = Storing(StoringReason.STORING)
    look(alerting, job, minutes=0.5)
    (over,) = alerting.run(minutes=30)
    assert (over.kind, over.subject) == ("alert.closed", "Resolvido: Não está gravando: Servidor")
    stored = alerting.stored("SELECT message_id FROM alert_messages ORDER BY id")
    assert [row.message_id for row in stored] == [message.id, over.id]


def test_an_address_that_no_key_opens_takes_no_other_away(alerting: Alerting) -> None:
    alerting.execute("UPDATE alert_addresses SET target = 'lost' WHERE position = 1")
    job = last_word(alerting)
    job.found = Storing(StoringReason.DATABASE_GONE)
    assert look(alerting, job, minutes=10) == ["second"]


def test_addresses_that_cannot_be_read_any_more_stay_in_memory(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = last_word(alerting)
    monkeypatch.setattr(last_words, "REMEMBER_SECONDS", 0.0)

    def fail(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "alert_addresses.target" in statement:
            raise OperationalError(statement, None, Exception("gone"))

    event.listen(alerting.reading, "before_cursor_execute", fail)
    try:
        with pytest.raises(OperationalError):
            job.step()
    finally:
        event.remove(alerting.reading, "before_cursor_execute", fail)
    job.found = Storing(StoringReason.DATABASE_GONE)
    assert look(alerting, job, minutes=10) == [ADMIN]


def test_a_process_that_only_serves_pages_leaves_it_to_the_owner(alerting: Alerting) -> None:
    job = last_word(alerting)
    job.owns = False
    job.step()
    job.found = Storing(StoringReason.DATABASE_REFUSES, NOON)
    assert look(alerting, job, minutes=10) == []
    job.found = Storing(StoringReason.NO_OWNER, alerting.now, ALL_SHARDS)
    assert look(alerting, job, minutes=10) == [ADMIN]


# Shards without an owner, how many of their companies are wished, and whether this process owns the
# first share, or is the oldest: whether it tells.
ONLY_ONE = [
    (ALL_SHARDS, None, False, True, True),
    (ALL_SHARDS, None, False, False, False),
    (shares_of(4)[3].shards, 12, True, False, True),
    (shares_of(4)[3].shards, 12, False, True, False),
    (shares_of(4)[0].shards, 12, False, True, True),
    (shares_of(4)[3].shards, 0, True, True, False),
]


def test_of_several_processes_one_tells_that_companies_have_no_owner(alerting: Alerting) -> None:
    for missing, companies, owns, oldest, tells in ONLY_ONE:
        # The addresses are read while no process owns them, too.
        job = last_word(alerting, well=False)
        job.owns, job.oldest = owns, oldest
        job.found = Storing(StoringReason.NO_OWNER, alerting.now, missing, companies)
        assert look(alerting, job, minutes=10) == [ADMIN] * tells, (missing, companies)
        if tells and companies is not None:
            message = alerting.channel.sent[-1][1]
            assert "Servidor: 12 empresas sem conexão: nenhum processo cuida" in message.lines[0]
            assert "'companies': 12" in str(message.data)
