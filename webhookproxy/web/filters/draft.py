"""The conditions of an event while a user edits them: nothing but the form has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from flask import abort
from werkzeug.datastructures import MultiDict

from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.rules import Refused
from webhookproxy.rules.filters import CONDITIONS_MAX, check_filters

Conditions = tuple[Condition, ...]


@dataclass(slots=True)
class Row:
    """One condition as it was typed, and what is wrong with it."""

    path: str = ""
    operator: Operator = Operator.EQUAL
    value: str = ""
    errors: list[str] = field(default_factory=list)

    @property
    def is_blank(self) -> bool:
        """Return whether nothing was typed: such a row asks for nothing."""
        return not (self.path.strip() or self.value.strip())

    @property
    def condition(self) -> Condition:
        """Return the row as a condition, which is not checked yet."""
        return Condition(self.path, self.operator, self.value)


@dataclass(slots=True)
class Draft:
    """The rows of the form.

    `base` is the seal of what was stored when editing began, `reviewed` the seal of what was tried.
    `sample` is the event whose payload is clicked on. `errors` are about all rows together.
    """

    rows: list[Row]
    base: str
    reviewed: str = ""
    sample: str = ""
    errors: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, stored: Sequence[Condition]) -> Draft:
        """Return the stored conditions as rows."""
        rows = [Row(each.path, each.operator, each.value) for each in stored]
        return cls(rows, seal(stored))

    @classmethod
    def read(cls, form: MultiDict[str, str]) -> Draft:
        """Return what a form sent. Answers 400 to what no form of ours sends."""
        lists = [form.getlist(name) for name in ("path", "operator", "value")]
        if len({len(each) for each in lists}) != 1 or len(lists[0]) > 2 * CONDITIONS_MAX:
            abort(400)
        rows = [
            Row(path, _operator(operator), value)
            for path, operator, value in zip(*lists, strict=True)
        ]
        base, reviewed, sample = (form.get(name, "") for name in ("base", "reviewed", "sample"))
        return cls(rows, base, reviewed, sample)

    def change(self, form: MultiDict[str, str]) -> None:
        """Do what the pressed button says: take a value as a row, remove a row, or begin one."""
        if "take" in form:
            self._begin(_taken(form["take"]))
        elif "remove" in form:
            number = form["remove"]
            self.rows = [row for at, row in enumerate(self.rows) if str(at) != number]
        elif "begin" in form:
            self._begin(Row())

    def leave_out(self, take: str) -> None:
        """Begin with a row that leaves out events with the value of a button."""
        row = _taken(take)
        is_whole = row.operator is Operator.EQUAL
        row.operator = Operator.DIFFERENT if is_whole else Operator.LACKS
        self._begin(row)

    def _begin(self, row: Row) -> None:
        """Add a row, and drop those in which nothing was typed."""
        self.rows = [each for each in self.rows if not each.is_blank]
        if len(self.rows) >= CONDITIONS_MAX:
            self.errors.append(
                f"Um evento pode ter até {CONDITIONS_MAX} condições: remova uma antes."
            )
        elif row not in self.rows:
            self.rows.append(row)

    def checked(self, name: str) -> Conditions | None:
        """Return the conditions; None if something is wrong, which then stands beside its row."""
        self.rows = [row for row in self.rows if not row.is_blank]
        for row in self.rows:
            row.errors = _refused(name, [row.condition])
        if any(row.errors for row in self.rows):
            return None
        conditions = [row.condition for row in self.rows]
        self.errors += _refused(name, conditions)
        return None if self.errors else (check_filters({name: conditions}) or {}).get(name, ())

    @property
    def faults(self) -> list[tuple[int, str]]:
        """Return what is wrong with the rows, each with the row's number, from 1 on."""
        return [(number, each) for number, row in enumerate(self.rows, 1) for each in row.errors]


def seal(conditions: Sequence[Condition]) -> str:
    """Return a hash that is equal only for equal conditions."""
    text = json.dumps([[each.path, each.operator, each.value] for each in conditions])
    return hashlib.sha256(text.encode()).hexdigest()


def button(condition: Condition) -> str:
    """Return the value of the button that takes a condition from a payload."""
    return json.dumps([condition.path, condition.operator, condition.value])


def _taken(text: str) -> Row:
    try:
        path, operator, value = json.loads(text)
    except ValueError:
        abort(400)
    if not isinstance(path, str) or not isinstance(value, str):
        abort(400)
    return Row(path, _operator(operator), value)


def _operator(text: str) -> Operator:
    try:
        return Operator(text)
    except ValueError:
        abort(400)


def _refused(name: str, conditions: Sequence[Condition]) -> list[str]:
    try:
        check_filters({name: conditions})
    except Refused as refused:
        return [problem.portuguese for problem in refused.problems]
    return []
