"""What a filter costs at intake: microseconds a condition, and those of reading the payload."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from bench.rows import Row, at_most
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.conditions import LABELS, Compiled, Condition, Operator, read_payload

FLOOR_US = 10.0
GOAL_US = 3.0
ROUNDS = 9
REPEATS = 2000
NAME = "call-history-was-created"
# Beside the payload of the catalogue: a value of each kind, each as dear to compare as it gets.
ASKED = {"number": 12.5, "text": "5511987654321", "when": "2024-05-01T12:00:00.000Z"}
VALUES = {
    Operator.EQUAL: ("12.50", "5511987654321.0", "2024-05-01T12:00:00.000Z"),
    Operator.DIFFERENT: ("13", "5511987654322", "2024-05-01T12:00:00.001Z"),
    Operator.GREATER: ("1e-3", "5511987654320", "2024-05-01T08:59:59-03:00"),
    Operator.LESS: ("1e3", "5511987654322", "2024-05-01T09:00:01-03:00"),
    Operator.CONTAINS: ("2.5", "4321", "12:00"),
    Operator.LACKS: ("3", "4322", "13:00"),
    Operator.EXISTS: ("", "", ""),
}


def conditions() -> list[Row]:
    """The dearest operator, and what an event costs before its first condition."""
    costs = {operator: of_operator(operator) for operator in Operator}
    dearest = max(costs, key=lambda operator: costs[operator])
    name = f"a filter: µs a condition at intake, the dearest ({LABELS[dearest]})"
    reading = Row(
        f"  and µs to read it anew, if it has conditions and hidden credentials ({NAME})",
        f"{of_reading():.2f}",
    )
    return [at_most(name, costs[dearest], FLOOR_US, GOAL_US), reading]


def of_operator(operator: Operator) -> float:
    """Microseconds a condition, each of which holds, so that the next one is looked at too."""
    paths = [f"call.bench.asked.{name}" for name in ASKED]
    compiled = Compiled(
        [Condition(*each) for each in zip(paths, [operator] * 3, VALUES[operator], strict=True)]
    )
    payload = {**CATALOG[NAME].sample, "call": {"bench": {"asked": ASKED}}}
    failing = compiled.failing(payload)
    if failing is not None:
        raise AssertionError(f"the bench wants conditions that hold: {failing.words()}")
    return _microseconds(lambda: compiled.failing(payload)) / len(paths)


def of_reading() -> float:
    """Microseconds to parse the catalogue's largest kind of event."""
    text = json.dumps(CATALOG[NAME].sample)
    return _microseconds(lambda: read_payload(text))


def _microseconds(work: Callable[[], object]) -> float:
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(REPEATS):
            work()
        rounds.append((time.perf_counter() - began) / REPEATS * 1e6)
    # The least: what else runs on the machine only adds.
    return min(rounds)


if __name__ == "__main__":
    for each in Operator:
        print(f"{LABELS[each]}: {of_operator(each):.2f} µs")
    for row in conditions():
        print(f"{row.name}: {row.shown} {row.floor} {row.reached}")
