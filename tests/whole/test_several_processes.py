"""Processes that share the companies are killed, stopped and cut off from PostgreSQL."""

from __future__ import annotations

import pytest

from bench.torture.processes.faults import Faults
from bench.torture.processes.several import run


def _play(faults: Faults) -> None:
    for fault in (faults.kill, faults.move, faults.cut, faults.stop):
        assert faults.play(fault), faults.wrong


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.timeout(600)
def test_nothing_is_lost_or_out_of_order_whatever_happens_to_one_of_two_processes() -> None:
    result = run(2, 4, 22, _play, companies=8)
    # How long a company had no socket depends on the machine: `bin/torture` judges that.
    assert result.account.good, result.lines()
    assert result.account.stored > 0
