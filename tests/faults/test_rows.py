"""Every row of the fault matrix has a test."""

from __future__ import annotations

import re
from pathlib import Path

ROWS = 28


def test_every_row_of_the_matrix_has_a_test() -> None:
    found: set[int] = set()
    for path in Path(__file__).parent.rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        # A file about one row says so in its first line.
        found.update(int(each) for each in re.findall(r'^"""F(\d\d): ', text))
        for name in re.findall(r"^def (test_f\w+)", text, re.MULTILINE):
            numbers = [int(each) for each in re.findall(r"_f(\d\d)(?=b?_)", name)]
            spans = range(numbers[0], numbers[-1] + 1) if "_to_f" in name else numbers
            found.update(spans)
    assert sorted(found) == list(range(1, ROWS + 1))
