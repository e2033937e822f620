"""Following companies: one that cannot be followed whole costs no other anything."""

from __future__ import annotations

from flask import Flask

from tests.engine.test_lifecycle import emit, running, wait_until_connected
from tests.support.application import make_company, make_webhook, rows, store_of, wait_until
from tests.support.receiver import Receiver
from tests.support.simulator_process import SimulatorProcess


def test_a_secret_that_no_key_opens_costs_only_its_webhook(
    app: Flask, simulator: SimulatorProcess
) -> None:
    token = "unreadable-token-0001"
    with Receiver() as receiver:
        company = make_company(app, simulator.url, token, connected=True)
        broken = make_webhook(app, company, receiver.url("/broken"), secret="a secret of a webhook")
        make_webhook(app, company, receiver.url("/whole"), secret="a secret of a webhook")
        store_of(app).run(
            lambda connection: (
                connection.exec_driver_sql(
                    f"UPDATE webhooks SET secret = 'no key opens this' WHERE id = {broken}"
                )
                and None
            )
        )
        with running(app) as engine:
            wait_until_connected(engine)
            emit(simulator, token, count=2)
            receiver.wait_for(2)
            wait_until(lambda: len(rows(app, "SELECT 1 FROM deliveries")) == 4)
        assert {each.path for each in receiver.requests} == {"/whole"}
        waiting = rows(app, f"SELECT state FROM deliveries WHERE webhook_id = {broken}")
    assert [row.state for row in waiting] == ["queued", "queued"]
