"""The addresses of a user: added, confirmed by a link, tried by a test, removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.application import rows, store_of
from webhookproxy.alerts import addresses
from webhookproxy.models import AlertAddress, AlertMessage
from webhookproxy.models.accounts.people import create_user
from webhookproxy.rules import Refused
from webhookproxy.rules.alerts import ADDRESSES_MAX

SLACK = "https://hooks.slack.com/services/T0/B0/canary"
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.fixture
def people(app: Flask) -> tuple[int, int]:
    app.config.update(PUBLIC_URL="https://relay.example", SMTP_URL=object())
    make = ("ana@exemplo.com.br", "beto@exemplo.com.br")
    job = lambda s: tuple(create_user(s, each, "hash", admin=False).id for each in make)  # noqa: E731
    return do(app, job)  # type: ignore[no-any-return]


def do(app: Flask, job: Callable[[Session], Any]) -> Any:
    return store_of(app).session(job)


def add(app: Flask, user_id: int, kind: str = "slack", typed: str = SLACK) -> int:
    policy = app.extensions["policy"]
    job = lambda s: addresses.add_address(s, user_id, kind, typed, app.config, policy).id  # noqa: E731
    return int(do(app, job))


def on(app: Flask, address_id: int, job: Callable[[Session, AlertAddress], Any]) -> Any:
    """Do something with an address."""
    return do(app, lambda s: job(s, s.get_one(AlertAddress, address_id)))


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        call()
    assert all(each.english.endswith(".") for each in caught.value.problems)
    return caught.value.problems[0].portuguese


def newest_link(app: Flask) -> str:
    newest = select(AlertMessage.link).order_by(AlertMessage.id.desc()).limit(1)
    link: str = do(app, lambda s: s.scalar(newest))
    return link


def token_of(link: str) -> str:
    base, _, token = link.partition(addresses.CONFIRM_PATH)
    assert base == "https://relay.example"
    assert len(token) == 22
    return token


def confirmed(app: Flask, token: str) -> bool:
    return do(app, lambda s: addresses.confirm(s, token)) is not None


def test_a_link_confirms_an_address_once(app: Flask, people: tuple[int, int]) -> None:
    number = add(app, people[0])
    token = token_of(newest_link(app))
    # Looking at the page, as a mail scanner does, changes nothing.
    looked = lambda s: addresses.awaiting_confirmation(s, token) is not None  # noqa: E731
    assert do(app, looked) is True
    assert do(app, looked) is True
    assert on(app, number, lambda _, a: a.confirmed_at) is None
    assert not confirmed(app, "x" * 22)
    assert confirmed(app, token)
    assert on(app, number, lambda _, a: a.confirmed_at) is not None
    assert not confirmed(app, token)
    assert do(app, looked) is False
    resend = lambda s, a: addresses.send_confirmation(s, a, app.config)  # noqa: E731
    assert "confirmado" in refused(lambda: on(app, number, resend))


def test_nothing_of_an_address_is_stored_in_the_clear(app: Flask, people: tuple[int, int]) -> None:
    add(app, people[0])
    add(app, people[0], "webhook", "https://n8n.example/hook/canary")
    token = token_of(newest_link(app))
    stored = (
        f"{rows(app, 'SELECT * FROM alert_addresses')}{rows(app, 'SELECT * FROM alert_messages')}"
    )
    assert "canary" not in stored
    assert token not in stored
    assert "n8n.example" in stored
    ours = do(app, lambda s: [a.secret for a in addresses.addresses_of(s, people[0])])
    assert ours[0] is None
    assert len(ours[1]) == 43
    assert ours[1] not in stored


def test_an_unconfirmed_address_gets_three_messages_a_day(
    app: Flask, people: tuple[int, int]
) -> None:
    def resend() -> None:
        on(app, number, lambda s, a: addresses.send_confirmation(s, a, app.config))

    with time_machine.travel(NOW, tick=False) as clock:
        number = add(app, people[0])
        first = token_of(newest_link(app))
        resend()
        resend()
        assert "3 mensagens hoje" in refused(resend)
        assert "Confirme o endereço antes" in refused(
            lambda: on(app, number, lambda s, a: addresses.send_test(s, a, app.config))
        )
        assert not confirmed(app, first)
        clock.shift(timedelta(days=1))
        resend()
        token = token_of(newest_link(app))
        clock.shift(timedelta(days=3, seconds=1))
        assert not confirmed(app, token)


def test_adding_an_address_again_and_again_does_not_reach_its_owner_without_end(
    app: Flask, people: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "ASKED_MAX", 4)
    for _ in range(4):
        on(app, add(app, people[0]), addresses.remove_address)
    assert "espere até amanhã" in refused(lambda: add(app, people[0]))
    left = rows(app, "SELECT address_id, body, link FROM alert_messages WHERE given_up_at > 0")
    assert [tuple(each) for each in left] == [(None, None, None)] * 4
    # Nothing is left of the attempt that was refused, and others may go on.
    assert rows(app, "SELECT id FROM alert_addresses") == []
    add(app, people[1])


def test_what_cannot_be_added_is_refused_with_a_sentence(
    app: Flask, people: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, beto = people
    add(app, ana)
    add(app, beto)
    assert "já está na sua lista" in refused(lambda: add(app, ana))
    for number in range(ADDRESSES_MAX - 1):
        add(app, ana, "ntfy", f"topic-{number}")
    assert "20 endereços" in refused(lambda: add(app, ana, "ntfy", "one-more"))
    assert "hooks.slack.com" in refused(lambda: add(app, beto, "slack", "https://slack.example/x"))
    app.config.update(SMTP_URL=None)
    assert "SMTP_URL" in refused(lambda: add(app, beto, "email", "beto@exemplo.com.br"))
    monkeypatch.setitem(app.config, "PUBLIC_URL", "")
    monkeypatch.setitem(app.config, "BIND", "0.0.0.0")  # noqa: S104
    assert "PUBLIC_URL" in refused(lambda: add(app, beto, "ntfy", "topic"))
    assert len(rows(app, "SELECT id FROM alert_addresses")) == ADDRESSES_MAX + 1


def test_addresses_are_tried_in_the_users_order(app: Flask, people: tuple[int, int]) -> None:
    numbers = [add(app, people[0], "ntfy", f"topic-{each}") for each in range(3)]
    on(app, numbers[2], addresses.move_first)

    def found() -> list[int]:
        job = lambda s: [each.id for each in addresses.addresses_of(s, people[0])]  # noqa: E731
        return do(app, job)  # type: ignore[no-any-return]

    assert found() == [numbers[2], numbers[0], numbers[1]]
    on(app, numbers[0], addresses.remove_address)
    numbers.append(add(app, people[0], "ntfy", "topic-9"))
    assert found() == [numbers[2], numbers[1], numbers[3]]
    find = lambda s: addresses.find_address(s, people[1], numbers[1])  # noqa: E731
    assert "não existe mais" in refused(lambda: do(app, find))


def test_a_test_goes_to_a_confirmed_address(app: Flask, people: tuple[int, int]) -> None:
    number = add(app, people[0])
    assert confirmed(app, token_of(newest_link(app)))
    told = on(app, number, lambda s, a: addresses.send_test(s, a, app.config).kind)
    assert told == "test"
    assert newest_link(app) == "https://relay.example"


def test_an_address_that_no_key_opens_is_listed_and_can_be_removed(
    app: Flask, people: tuple[int, int]
) -> None:
    ana, _ = people
    lost = add(app, ana)
    sealed = "UPDATE alert_addresses SET target = 'lost', secret = 'lost'"
    store_of(app).run(lambda connection: connection.exec_driver_sql(sealed) and None)
    listed = do(app, lambda s: [each.label for each in addresses.addresses_of(s, ana)])
    assert listed == ["hooks.slack.com"]
    do(app, lambda s: addresses.remove_address(s, addresses.find_address(s, ana, lost)))
    assert rows(app, "SELECT id FROM alert_addresses") == []
