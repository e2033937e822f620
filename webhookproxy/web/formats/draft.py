"""A format while a user edits it: nothing but the form has it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from flask import abort
from werkzeug.datastructures import MultiDict

from webhookproxy.events.formats.definition import (
    Encoding,
    Format,
    FormatKind,
    Kept,
    Less,
    Row,
)
from webhookproxy.events.formats.less import QUALIFICATION_LISTS
from webhookproxy.events.formats.stored import stored_format
from webhookproxy.events.payload_paths import BadPath, parse_path
from webhookproxy.recipes.reading import recipes
from webhookproxy.rules import Refused
from webhookproxy.rules.formats import ROWS_MAX, check_format
from webhookproxy.web.formats.rows import RowDraft, name_for


@dataclass(slots=True)
class Draft:
    """The fields of the form.

    `base` is the seal of what was stored when editing began, `reviewed` the seal of what was
    previewed. `sample` is the event whose payload is clicked on.
    """

    kind: FormatKind
    encoding: Encoding
    rows: list[RowDraft]
    kept: Kept
    paths: str
    masked: str
    base: str
    reviewed: str = ""
    sample: str = ""
    errors: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, stored: Format) -> Draft:
        """Return the stored format as the form shows it."""
        less = stored.less
        return cls(
            stored.kind,
            stored.encoding,
            [RowDraft.of(each) for each in stored.rows],
            less.kept,
            "\n".join(less.paths),
            "\n".join(less.masked),
            seal(stored),
        )

    @classmethod
    def read(cls, form: MultiDict[str, str]) -> Draft:
        """Return what a form sent. Answers 400 to what no form of ours sends."""
        numbers = form.getlist("row")
        if len(numbers) > 2 * ROWS_MAX or not all(each.isdecimal() for each in numbers):
            abort(400)
        try:
            kind, encoding = FormatKind(form.get("kind", "")), Encoding(form.get("encoding", ""))
            kept = Kept(form.get("kept", Kept.ALL))
        except ValueError:
            abort(400)
        rows = [RowDraft.read(form, int(each)) for each in numbers]
        paths, masked = (form.get(name, "").replace("\r\n", "\n") for name in ("paths", "masked"))
        base, reviewed, sample = (form.get(name, "") for name in ("base", "reviewed", "sample"))
        return cls(kind, encoding, rows, kept, paths, masked, base, reviewed, sample)

    @property
    def asked(self) -> set[str]:
        """Return the paths that the form names."""
        typed = [self.paths, self.masked, *(row.content for row in self.rows)]
        return {line.strip() for each in typed for line in each.split("\n")}

    def change(self, form: MultiDict[str, str]) -> None:
        """Do what the pressed button says."""
        if "take" in form:
            self._take(form["take"])
        elif "remove" in form:
            number = form["remove"]
            self.rows = [row for at, row in enumerate(self.rows) if str(at) != number]
        elif "begin" in form:
            self._begin(RowDraft())
        elif "recipe" in form:
            self._follow(form["recipe"])
        elif "lists" in form:
            self._leave_out(QUALIFICATION_LISTS)

    def _begin(self, row: RowDraft) -> None:
        if len(self.rows) >= ROWS_MAX:
            self.errors.append(f"Um corpo pode ter até {ROWS_MAX} campos: remova um antes.")
        else:
            self.rows.append(row)

    def _take(self, button: str) -> None:
        """Use the value of a payload that was clicked: for a row, or as one that is left out."""
        try:
            path = json.loads(button)[0]
            steps = parse_path(path)
        except (ValueError, TypeError, KeyError, IndexError, BadPath):
            abort(400)
        if self.kind.holds_payload:
            self._leave_out((path,))
            return
        self.kind = FormatKind.MAPPED
        free = next(
            (row for row in self.rows if row.name.strip() and not row.content.strip()), None
        )
        if free is not None:
            free.content = path
        else:
            self._begin(RowDraft(name_for(steps), content=path))

    def _follow(self, key: str) -> None:
        """Begin with the format of a recipe, in place of what the form has."""
        recipe = recipes().get(key)
        if recipe is None:
            abort(400)
        made = Draft.of(recipe.sample().format)
        self.kind, self.encoding, self.rows = made.kind, made.encoding, made.rows

    def _leave_out(self, paths: tuple[str, ...]) -> None:
        """Leave out more fields; if only some are sent, send these too."""
        if self.kept is Kept.ALL:
            self.kept, self.paths = Kept.WITHOUT, ""
        lines = [line.strip() for line in self.paths.split("\n") if line.strip()]
        self.paths = "\n".join(dict.fromkeys([*lines, *paths]))

    def checked(self) -> Format | None:
        """Return the format; None if something is wrong with it, which `errors` says."""
        self.rows = [row for row in self.rows if not row.is_blank]
        rows: tuple[Row, ...] = tuple(row.row(self.errors) for row in self.rows)
        if self.errors:
            return None
        less = Less(self.kept, tuple(self.paths.split("\n")), tuple(self.masked.split("\n")))
        try:
            return check_format(Format(self.kind, self.encoding, rows, less))
        except Refused as refused:
            self.errors += [problem.portuguese for problem in refused.problems]
            return None


def seal(given: Format) -> str:
    """Return a hash that is equal only for equal formats."""
    text = json.dumps(stored_format(given), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
