"""`python -m bench.costs.histories`: the cost of the ledger of histories to the intake.

Groups of events are read and written by the real statements into a SQLite file, with the ledger and
without it, and each transaction is taken back. The runs alternate in a new order each time, and the
medians of their CPU time count. The band beside is the same difference between two halves of the
runs without: what the machine itself adds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine

from bench.costs.paired import difference
from bench.costs.refusals import prepared
from bench.rows import Row, conclude
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.recovery.histories import HISTORY
from webhookproxy.listener import journal
from webhookproxy.listener.intake import GROUP_EVENTS
from webhookproxy.listener.routes import Routes, Taken, read
from webhookproxy.listener.rows import numbered
from webhookproxy.models.installation.numbers import following

OTHER = "call-was-connected"


def main() -> int:
    """Measure, and print what it costs."""
    parser = argparse.ArgumentParser(prog="python -m bench.costs.histories")
    parser.add_argument("--groups", type=int, default=40, help="of each run (default 40)")
    parser.add_argument("--rounds", type=int, default=9, help="of each (default 9)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app = prepared(Path(folder), 1)
        engine = app.extensions["store"].engine
        found = [
            row
            for name, share in (("one of ten a history", 10), ("all histories", 1))
            for row in cost(engine, packets(share), name, arguments.groups, arguments.rounds)
        ]
        app.extensions["store"].close()
    return conclude(found)


def packets(share: int) -> list[str]:
    """Return the packets of a group, of which each `share`-th is a history."""
    other = json.dumps([OTHER, CATALOG[OTHER].sample])
    sample: Any = CATALOG[HISTORY].sample["callHistory"]

    def history(number: int) -> str:
        return json.dumps([HISTORY, {"callHistory": {**sample, "_id": f"id-{number}"}}])

    return [other if number % share else history(number) for number in range(GROUP_EVENTS)]


def cost(engine: Engine, group: list[str], name: str, groups: int, rounds: int) -> list[Row]:
    """Return the microseconds that an event costs more with the ledger, and the A/A band."""

    def run(noted: bool) -> float:
        return _run(engine, group, groups, noted=noted) / groups / len(group) * 1e6

    found = difference(run, rounds)
    return [
        Row(f"{name}: µs an event without the ledger", f"{found.plain:.1f}"),
        Row("  µs more with it", f"{found.more:.2f}"),
        Row("  the same between equal halves (A/A)", f"±{found.band:.2f}"),
    ]


def _run(engine: Engine, group: list[str], groups: int, *, noted: bool) -> float:
    """Read and write groups, and take them back; return the seconds of CPU."""
    routes = Routes()
    began = time.process_time()
    with engine.connect() as connection, connection.begin() as transaction:
        for place in range(groups):
            arrivals = [read(_taken(text, place), routes) for text in group]
            first = 10 + place * len(group)
            if noted:
                journal._judged(connection, arrivals, first)
            else:
                with patch.object(journal, "note_histories", lambda *_: {}):
                    journal._judged(connection, arrivals, first)
            journal._insert(
                connection, arrivals, numbered(arrivals, following(first), following(first))
            )
        transaction.rollback()
    return time.process_time() - began


def _taken(packet: str, place: int) -> Taken:
    # Each group has ids of its own.
    text = packet.replace('"id-', f'"id-{place}-')
    return Taken(1, "", hide_credentials=True, socket_id="s", text=text, received_ms=1_800_000_000)


if __name__ == "__main__":
    sys.exit(main())
