"""The cost of a filter at intake: microseconds per condition, and per payload that is parsed."""

from __future__ import annotations

import json

from bench.costs.clock import microseconds
from bench.rows import Row, at_most
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.conditions import LABELS, Compiled, Condition, Operator, read_payload

FLOOR_US = 10.0
GOAL_US = 3.0
REPEATS = 2000
NAME = "call-history-was-created"
# Added to the catalogue's payload: for each kind, the value that takes longest to compare.
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
    """Measure the slowest operator, and the cost of an event before its first condition."""
    costs = {operator: of_operator(operator) for operator in Operator}
    slowest = max(costs, key=lambda operator: costs[operator])
    name = f"a filter: µs per condition at intake, the slowest ({LABELS[slowest]})"
    reading = Row(
        f"  and µs to parse it again, if it has conditions and hidden credentials ({NAME})",
        f"{of_reading():.2f}",
    )
    return [at_most(name, costs[slowest], FLOOR_US, GOAL_US), reading]


def of_operator(operator: Operator) -> float:
    """Return the microseconds per condition. Each condition holds, so all of them are compared."""
    paths = [f"call.bench.asked.{name}" for name in ASKED]
    compiled = Compiled(
        [Condition(*each) for each in zip(paths, [operator] * 3, VALUES[operator], strict=True)]
    )
    payload = {**CATALOG[NAME].sample, "call": {"bench": {"asked": ASKED}}}
    failing = compiled.failing(payload)
    if failing is not None:
        raise AssertionError(f"the bench wants conditions that hold: {failing.words()}")
    return microseconds(lambda: compiled.failing(payload), REPEATS) / len(paths)


def of_reading() -> float:
    """Return the microseconds to parse the catalogue's largest event."""
    text = json.dumps(CATALOG[NAME].sample)
    return microseconds(lambda: read_payload(text), REPEATS)


if __name__ == "__main__":
    for each in Operator:
        print(f"{LABELS[each]}: {of_operator(each):.2f} µs")
    for row in conditions():
        print(f"{row.name}: {row.shown} {row.floor} {row.reached}")
