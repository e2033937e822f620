"""A gap that is over is followed by a recovery, if its company wants that."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.recovery.world import MINUTE_MS, World
from tests.support.application import rows
from webhookproxy.database.clock import ms_now
from webhookproxy.listener.status import Status
from webhookproxy.models.recovery.recoveries import Recovery, RecoveryState, recoveries_of
from webhookproxy.reasons import ConnectionReason, ConnectionState, PlatformTrouble
from webhookproxy.troubles.recovered import recovery_words
from webhookproxy.web.connection.gaps import gaps_of_a_day


def has_gap(world: World, began_ms: int, ended_ms: int) -> None:
    """Have the status of the connection write a gap."""
    kind = {"company_id": world.company, "reason": ConnectionReason.DROPPED}
    reconnecting, connected = ConnectionState.RECONNECTING, ConnectionState.CONNECTED
    world.half.status.put(Status(state=reconnecting, since_ms=began_ms, gap="open", **kind))  # type: ignore[arg-type]
    world.half.status.put(Status(state=connected, since_ms=ended_ms, gap="close", **kind))  # type: ignore[arg-type]
    assert world.half.status.drain(5)


def asked(world: World) -> list[Any]:
    return rows(world.app, "SELECT * FROM recoveries ORDER BY id")


def test_the_calls_of_a_gap_are_asked_for_two_minutes_after_it(world: World) -> None:
    now = ms_now()
    has_gap(world, now - 60_000, now - 1_000)
    (found,) = asked(world)
    assert (found.since_ms, found.until_ms) == (now - 60_000, now - 1_000)
    assert (found.next_ms, found.state) == (now - 1_000 + 2 * MINUTE_MS, "running")
    # What opens no gap asks for nothing.
    connected = ConnectionState.CONNECTED
    world.half.status.put(
        Status(world.company, connected, ConnectionReason.ACCEPTED, now, gap="close")
    )
    assert world.half.status.drain(5)
    assert len(asked(world)) == 1


def test_gaps_that_follow_each_other_are_asked_for_together(world: World) -> None:
    now = ms_now()
    has_gap(world, now - 90_000, now - 80_000)
    has_gap(world, now - 50_000, now - 10_000)
    (found,) = asked(world)
    assert (found.since_ms, found.until_ms) == (now - 90_000, now - 10_000)
    world.record("lost")
    assert world.run(found.id).recovered == 1
    with Session(world.half.relay.reading) as session:
        shown = gaps_of_a_day(session, world.company).rows
    words = "1 ligação recuperada; eventos de agente e de fila não voltam."
    assert [each.calls for each in shown] == [words, words]
    # Once 3C Plus was asked, a later gap has its own.
    has_gap(world, now - 5_000, now)
    assert len(asked(world)) == 2


ACCOUNTS: dict[str, tuple[list[tuple[str, str, int]], int | None]] = {
    "only the gap asked": ([("", "finished", 37)], 37),
    "the last day was counted since": ([("", "finished", 37), ("ana", "counted", 0)], 37),
    "the last day was recovered since": ([("", "finished", 37), ("ana", "finished", 2)], 37),
    "it was refused, and asked for again": ([("", "stopped", 0), ("ana", "finished", 9)], 9),
    "it was refused": ([("", "stopped", 0)], 0),
    "only counted": ([("ana", "counted", 0)], None),
}


def test_a_gap_tells_of_its_own_request(world: World) -> None:
    insert = (
        "INSERT INTO recoveries (company_id, asked_by, asked_ms, since_ms, until_ms, state,"
        " next_ms, recovered) VALUES (:company, :who, 1, 10, 20, :state, 1, :recovered)"
    )
    for name, (requests, told) in ACCOUNTS.items():
        world.execute("DELETE FROM recoveries")
        for who, state, recovered in requests:
            given = {"company": world.company, "who": who, "state": state}
            world.execute(insert, **given, recovered=recovered)
        with Session(world.half.relay.reading) as session:
            (found,) = recoveries_of(session, world.company, [(12, 18)])
        assert (None if found is None else found.recovered) == told, name


def test_a_company_that_does_not_want_it_is_not_asked_for(world: World) -> None:
    world.execute("UPDATE companies SET recover_calls = FALSE")
    has_gap(world, ms_now() - 60_000, ms_now())
    assert asked(world) == []


WORDS = {
    "Contando": {"state": RecoveryState.COUNTING},
    "3 ligações faltam aqui, de 1.204": {
        "state": RecoveryState.COUNTED,
        "missing": 3,
        "listed": 1_204,
    },
    "2, 5 e 15 minutos depois": {"state": RecoveryState.RUNNING, "look": 0},
    "0 ligações recuperadas até agora": {"state": RecoveryState.RUNNING, "look": 1},
    "1 ligação recuperada até agora; ainda estamos buscando as outras.": {
        "state": RecoveryState.RUNNING,
        "look": 2,
        "recovered": 1,
        "asked_by": "ana@exemplo.com.br",
    },
    "A 3C Plus está com uma falha.": {
        "state": RecoveryState.RUNNING,
        "look": 0,
        "trouble": PlatformTrouble.FAILING,
    },
    "é preciso o de um gestor": {
        "state": RecoveryState.STOPPED,
        "trouble": PlatformTrouble.FORBIDDEN,
    },
    "Nenhuma ligação faltou;": {"state": RecoveryState.FINISHED},
    "37 ligações recuperadas; eventos de agente e de fila não voltam.": {
        "state": RecoveryState.FINISHED,
        "recovered": 37,
    },
}


@pytest.mark.parametrize(("words", "fields"), WORDS.items(), ids=WORDS)
def test_a_recovery_says_how_far_it_is(words: str, fields: dict[str, Any]) -> None:
    given = {"missing": 0, "listed": 0, "recovered": 0, **fields}
    assert words in recovery_words(Recovery(**given))
    assert recovery_words(None) == ""
