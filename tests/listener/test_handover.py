"""A hole that opens while no process writes is recorded afterwards."""

from __future__ import annotations

from flask import Flask

from tests.listener.listening import listening
from tests.support.application import wait_until
from tests.support.simulator_process import SimulatorProcess
from tests.web.support.sockets import execute


def test_a_socket_that_is_lost_after_the_owner_was_told_of_it_leaves_a_gap(
    app: Flask, simulator: SimulatorProcess, token: str
) -> None:
    with listening(app, simulator) as owner:
        company = owner.connected(token)
        with listening(app, simulator, owns=False) as next_one:
            relay = next_one.relay
            relay.open_ahead()
            wait_until(lambda: relay.registry.connected(), 20, "the next one has a socket")
            relay.registry.stand()
            owner.end()
            # Its own gap, which a successor in peace does not leave.
            execute(app, "DELETE FROM gaps")
            first = relay.registry.connected()[company]
            simulator.control("drop", token=token)
            wait_until(
                lambda: relay.registry.connected().get(company, first) != first, 20, "another"
            )
            next_one.begin(handed=[company])
            next_one.wait_for_state(company, "connected")
            wait_until(lambda: next_one.gaps(company) == [("dropped", True)], 20, "its gap")


def test_a_token_that_no_key_opens_costs_no_other_company_its_socket(
    app: Flask, simulator: SimulatorProcess, token: str
) -> None:
    with listening(app, simulator) as owner:
        broken, company = owner.connected(token), owner.connected(f"{token}-of-another")
        unreadable = "UPDATE companies SET token = 'no key opens this' WHERE id = :id"
        execute(app, unreadable, id=broken)
        with listening(app, simulator, owns=False) as next_one:
            next_one.relay.open_ahead()
            wait_until(lambda: next_one.registry.connected(), 20, "the other one has a socket")
            assert set(next_one.registry.connected()) == {company}
