"""What came of a try is written down, also late, and also of an address that no key opens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from tests.alerts.world import Alerting, refuse
from webhookproxy.database.store import StoreUnavailable

ANA = "ana@exemplo.com.br"


class Dead:
    """A database that takes nothing."""

    def session(self, _job: object) -> None:
        raise StoreUnavailable("full")


@pytest.fixture
def alerting(app: Flask) -> Alerting:
    """A message that is due to a user with two addresses."""
    made = Alerting(app)
    company = made.company("Loja A")
    made.address(made.user(ANA, company), "second", position=2)
    made.connection(company, "token_refused", "refused")
    for _ in range(2):
        made.watcher.step()
        made.now += timedelta(minutes=3)
    made.watcher.step()
    return made


def test_a_failure_that_cannot_be_written_down_is_not_repeated_at_every_step(
    alerting: Alerting,
) -> None:
    tries: list[str] = []
    fail = refuse("failing", is_final=False)

    def answer() -> None:
        tries.append(ANA)
        fail()

    alerting.channel.answers[ANA] = answer
    alerting.outbox._store = Dead()  # type: ignore[assignment]
    for _ in range(3):
        alerting.outbox.step()
        assert alerting.outbox.join(20)
    alerting.outbox._store = alerting.store
    alerting.run()
    (row,) = alerting.stored("SELECT attempts, error FROM alert_messages")
    assert (tries, row.attempts, row.error) == ([ANA], 1, "failing")
    alerting.channel.answers.clear()
    alerting.run(minutes=1)
    assert [target for target, _ in alerting.channel.sent] == [ANA]


def test_an_address_that_no_key_opens_is_said_so_and_the_next_one_is_tried(
    alerting: Alerting,
) -> None:
    alerting.execute("UPDATE alert_addresses SET target = 'lost' WHERE position = 1")
    alerting.run()
    assert [target for target, _ in alerting.channel.sent] == ["second"]
    errors = alerting.stored("SELECT last_error FROM alert_addresses ORDER BY position")
    assert [each[0] for each in errors] == ["bad_target", None]
