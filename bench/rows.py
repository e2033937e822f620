"""The rows of the table: a figure, its floor and its goal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table; `reached` is "goal", "floor", "missed", or "" without a goal."""

    name: str
    shown: str
    floor: str = ""
    goal: str = ""
    reached: str = ""


def at_least(name: str, value: float, floor: float, goal: float) -> Row:
    """Return the row of a figure that should be large."""
    reached = "goal" if value >= goal else "floor" if value >= floor else "missed"
    return Row(name, f"{value:.2f}", f"≥ {floor:g}", f"≥ {goal:g}", reached)


def at_most(name: str, value: float, floor: float, goal: float) -> Row:
    """Return the row of a figure that should be small."""
    reached = "goal" if value <= goal else "floor" if value <= floor else "missed"
    return Row(name, f"{value:.2f}", f"≤ {floor:g}", f"≤ {goal:g}", reached)


def conclude(rows: list[Row]) -> int:
    """Print the rows as a Markdown table. Return 0, or 1 if a floor was missed."""
    lines = ["| figure | measured | floor | goal | reached |", "|---|---|---|---|---|"]
    lines += [f"| {r.name} | {r.shown} | {r.floor} | {r.goal} | {r.reached} |" for r in rows]
    print("\n".join(lines))
    return 1 if any(row.reached == "missed" for row in rows) else 0
