"""A row of *montado* as it stands in the form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flask import abort
from werkzeug.datastructures import MultiDict

from webhookproxy.events.formats.definition import IfMissing, Row, RowKind, RowStep, StepKind
from webhookproxy.events.payload_paths import Step as PathStep

# The value of a table for every text that it does not have.
OTHERS = "*"
# Selects for steps that a row has, if it does not have more already.
STEPS_SHOWN = 2
_STEP, _EQUALS = "step", "="


@dataclass(slots=True)
class RowDraft:
    """A row as it was typed: `content` has paths, a constant or a text; `table` has its lines."""

    name: str = ""
    kind: RowKind = RowKind.VALUE
    content: str = ""
    steps: list[str] = field(default_factory=list)
    table: str = ""
    if_missing: IfMissing = IfMissing.LEAVE_OUT

    @property
    def is_blank(self) -> bool:
        """Return whether nothing was typed: such a row asks for nothing."""
        return not (self.name.strip() or self.content.strip() or self.table.strip())

    @property
    def shown_steps(self) -> list[str]:
        """Return the steps and the selects that are free."""
        return [*self.steps, *[""] * max(1, STEPS_SHOWN - len(self.steps))]

    @classmethod
    def of(cls, row: Row) -> RowDraft:
        """Return a stored row as the form shows it."""
        lines: list[str] = []
        for step in row.steps:
            lines += [f"{given} {_EQUALS} {made}" for given, made in step.table.items()]
            if step.default is not None:
                lines.append(f"{OTHERS} {_EQUALS} {step.default}")
        content = "\n".join(row.paths) if row.kind is RowKind.VALUE else row.text
        steps = [step.kind.value for step in row.steps if step.kind is not StepKind.TABLE]
        return cls(row.name, row.kind, content, steps, "\n".join(lines), row.if_missing)

    @classmethod
    def read(cls, form: MultiDict[str, str], number: int) -> RowDraft:
        """Return row `number` of a form. Answers 400 to what no form of ours sends."""
        try:
            return cls(
                form.get(f"name-{number}", ""),
                RowKind(form.get(f"kind-{number}", "")),
                form.get(f"content-{number}", "").replace("\r\n", "\n"),
                [
                    StepKind(each).value
                    for each in form.getlist(f"{_STEP}-{number}")
                    if each and each != StepKind.TABLE
                ],
                form.get(f"table-{number}", "").replace("\r\n", "\n"),
                IfMissing(form.get(f"missing-{number}", "")),
            )
        except ValueError:
            abort(400)

    def row(self, errors: list[str]) -> Row:
        """Return the row, which is not checked yet; lines of a table without "=" become errors."""
        steps = tuple(RowStep(StepKind(each)) for each in self.steps)
        if self.table.strip():
            steps += (self._table_step(errors),)
        is_value = self.kind is RowKind.VALUE
        paths = tuple(self.content.split("\n")) if is_value else ()
        return Row(
            self.name, self.kind, paths, "" if is_value else self.content, steps, self.if_missing
        )

    def _table_step(self, errors: list[str]) -> RowStep:
        table: dict[str, str] = {}
        default = None
        for line in self.table.split("\n"):
            if not line.strip():
                continue
            given, equals, made = line.partition(_EQUALS)
            if not equals:
                errors.append(
                    f"Na tabela de {self.name[:60] or '(vazio)'} falta o sinal de igual em uma "
                    "linha: escreva como 240055 = won."
                )
            elif given.strip() == OTHERS:
                default = made.strip()
            else:
                table[given.strip()] = made.strip()
        return RowStep(StepKind.TABLE, table, default)


def name_for(steps: Sequence[PathStep]) -> str:
    """Return a name for the field of a value that was clicked: its last key."""
    keys = [each for each in steps if isinstance(each, str)]
    plain = "".join(each if each.isalnum() else "_" for each in (keys or ["campo"])[-1])
    return plain.strip("_") or "campo"
