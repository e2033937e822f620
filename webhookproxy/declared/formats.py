"""The filters and the format of a webhook as declared data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webhookproxy.declared.groups import ListOf, MapOf, OrNull, Record, ShortOr
from webhookproxy.declared.shapes import Text
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.events.formats.definition import (
    Encoding,
    Format,
    FormatKind,
    IfMissing,
    Kept,
    Less,
    Row,
    RowKind,
    RowStep,
    StepKind,
)
from webhookproxy.rules.filters import Checked

_CONDITION = Record(
    {
        "path": Text("Path in the payload, like call.status."),
        "operator": Text("How the value is compared.", tuple(Operator)),
        "value": Text("What it is compared with; existe needs none."),
    },
    required=("path", "operator"),
)
FILTERS = OrNull(
    MapOf(
        ListOf(_CONDITION),
        "By the name of an event: it is sent only if all conditions hold.",
    )
)

_STEP = ShortOr(
    Text(words=tuple(StepKind)),
    Record(
        {
            "kind": Text(words=tuple(StepKind)),
            "table": MapOf(Text(), "What each text becomes."),
            "default": OrNull(Text("What a text that is not in the table becomes.")),
        },
        required=("kind",),
    ),
)
_ROW = Record(
    {
        "name": Text("Name in the receiver's body, like lead.title or fields[TITLE]."),
        "kind": Text("Where the value comes from (valor).", tuple(RowKind)),
        "paths": ListOf(Text(), "The first of these values that is not empty."),
        "text": Text("A constant, or a text with paths in braces."),
        "steps": ListOf(_STEP, "What is made of the value."),
        "if_missing": Text("What is sent without a value (deixar_fora).", tuple(IfMissing)),
    },
    required=("name",),
)
_LESS = Record(
    {
        "kept": Text("Which fields of the payload are sent (tudo).", tuple(Kept)),
        "paths": ListOf(Text(), "The fields that are sent, or left out."),
        "masked": ListOf(Text(), "The fields that show nothing."),
    }
)
FORMAT = OrNull(
    ShortOr(
        Text(words=tuple(FormatKind)),
        Record(
            {
                "kind": Text("The shape of the body (padrao).", tuple(FormatKind)),
                "encoding": Text("How the body is written (json).", tuple(Encoding)),
                "rows": ListOf(_ROW, "The fields of a body that is montado."),
                "less": _LESS,
            },
            about="The body that the receiver gets.",
        ),
    )
)


def given_filters(read: Mapping[str, Sequence[Mapping[str, str]]] | None) -> Checked | None:
    """Return filters that FILTERS has read."""
    if read is None:
        return None
    return {
        event: tuple(
            Condition(each["path"], Operator(each["operator"]), each.get("value", ""))
            for each in conditions
        )
        for event, conditions in read.items()
    }


def given_format(read: str | Mapping[str, Any] | None) -> Format:
    """Return a format that FORMAT has read; what it does not say is as in the default."""
    if read is None or isinstance(read, str):
        return Format(FormatKind(read or FormatKind.STANDARD))
    less = read.get("less", {})
    return Format(
        FormatKind(read.get("kind", FormatKind.STANDARD)),
        Encoding(read.get("encoding", Encoding.JSON)),
        tuple(map(_given_row, read.get("rows", ()))),
        Less(
            Kept(less.get("kept", Kept.ALL)),
            tuple(less.get("paths", ())),
            tuple(less.get("masked", ())),
        ),
    )


def _given_row(read: Mapping[str, Any]) -> Row:
    return Row(
        read["name"],
        RowKind(read.get("kind", RowKind.VALUE)),
        tuple(read.get("paths", ())),
        read.get("text", ""),
        tuple(map(_given_step, read.get("steps", ()))),
        IfMissing(read.get("if_missing", IfMissing.LEAVE_OUT)),
    )


def _given_step(read: str | Mapping[str, Any]) -> RowStep:
    if isinstance(read, str):
        return RowStep(StepKind(read))
    return RowStep(StepKind(read["kind"]), read.get("table", {}), read.get("default"))


def declared_filters(stored: Checked | None) -> dict[str, list[dict[str, str]]] | None:
    """Return filters as FILTERS reads them."""
    if stored is None:
        return None
    return {
        event: [
            {"path": each.path, "operator": each.operator.value}
            | ({"value": each.value} if each.operator is not Operator.EXISTS else {})
            for each in conditions
        ]
        for event, conditions in stored.items()
    }


def declared_format(stored: Format) -> str | dict[str, Any]:
    """Return a format as FORMAT reads it, without what is as in the default."""
    if stored == Format(stored.kind):
        return stored.kind.value
    declared: dict[str, Any] = {"kind": stored.kind.value}
    if stored.encoding is not Encoding.JSON:
        declared["encoding"] = stored.encoding.value
    if stored.rows:
        declared["rows"] = [_declared_row(each) for each in stored.rows]
    less = stored.less
    if less != Less():
        texts = {"paths": list(less.paths), "masked": list(less.masked)}
        declared["less"] = {"kept": less.kept.value} | {k: v for k, v in texts.items() if v}
    return declared


def _declared_row(row: Row) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": row.name}
    if row.kind is not RowKind.VALUE:
        declared["kind"] = row.kind.value
    if row.paths:
        declared["paths"] = list(row.paths)
    if row.text:
        declared["text"] = row.text
    if row.steps:
        declared["steps"] = [_declared_step(each) for each in row.steps]
    if row.if_missing is not IfMissing.LEAVE_OUT:
        declared["if_missing"] = row.if_missing.value
    return declared


def _declared_step(step: RowStep) -> str | dict[str, Any]:
    if step == RowStep(step.kind):
        return step.kind.value
    declared: dict[str, Any] = {"kind": step.kind.value, "table": dict(step.table)}
    return declared if step.default is None else declared | {"default": step.default}
