"""The calls of the last hours are asked for every half an hour, if the company wants that."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.recovery.world import MINUTE_MS, World
from tests.support.application import rows
from webhookproxy.models.recovery.recoveries import Recovery, last_sweep, recoveries_of
from webhookproxy.recovery import sweeping
from webhookproxy.troubles.recovered import sweep_words


def sweeps(world: World) -> list[Any]:
    return rows(world.app, "SELECT * FROM recoveries WHERE sweep ORDER BY id")


def step(world: World) -> None:
    """Step once after the ledger is filled."""
    while not world.recovering.filling.is_done:
        world.recovering.step()
    world.recovering.step()


def last(world: World) -> Recovery | None:
    with Session(world.half.relay.reading) as session:
        return last_sweep(session, world.company)


def test_a_sweep_finds_what_was_lost_without_a_gap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "LOOK_SECONDS", 0.0)
    world.record("lost")
    for connects, sweeps_calls in ((True, False), (False, True)):
        world.execute(
            "UPDATE companies SET should_connect = :connects, sweep_calls = :sweeps",
            connects=connects,
            sweeps=sweeps_calls,
        )
        step(world)
        assert sweeps(world) == []
    assert sweep_words(last(world)).startswith("a primeira começa")
    world.execute("UPDATE companies SET should_connect = TRUE, recover_calls = FALSE")
    world.recovering.step()
    (begun,) = sweeps(world)
    assert begun.until_ms - begun.since_ms == 180 * MINUTE_MS
    assert world.run(begun.id).recovered == 1
    assert world.histories() == ["lost"]
    assert sweep_words(last(world)) == "1 ligação recuperada, de 1 ligação na 3C Plus."
    # Nothing begins before half an hour is over; what a sweep found stays.
    for minutes, kept in ((29, [1]), (1, [1, 0]), (30, [1, 0])):
        world.ahead += minutes * 60
        world.recovering.step()
        if len(kept) > 1:
            world.run(sweeps(world)[-1].id)
        assert [each.recovered for each in sweeps(world)] == kept
    assert sweep_words(last(world)) == "nenhuma ligação faltava aqui, de 1 ligação na 3C Plus."
    # The calls of a gap are what its own request brought.
    with Session(world.half.relay.reading) as session:
        gap = (begun.since_ms + 1, begun.until_ms - 1)
        assert recoveries_of(session, world.company, [gap]) == [None]


def test_a_sweep_that_3c_plus_refuses_ends_and_the_next_one_asks_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "LOOK_SECONDS", 0.0)
    world.execute("UPDATE companies SET should_connect = TRUE, sweep_calls = TRUE")
    world.odd(status=403)
    step(world)
    world.run(sweeps(world)[0].id, "stopped")
    assert sweep_words(last(world)) == (
        "0 ligações recuperadas. O token não pode listar ligações (403): é preciso o de um gestor."
        " A próxima varredura pergunta de novo."
    )
    world.odd()
    world.ahead += 31 * 60
    world.recovering.step()
    world.run(sweeps(world)[-1].id)
    assert [each.state for each in sweeps(world)] == ["finished"]
