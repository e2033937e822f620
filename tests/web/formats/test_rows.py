"""A row of *montado* as the form shows it, and as it comes back."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

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
from webhookproxy.events.payload_paths import parse_path
from webhookproxy.web.formats.draft import Draft
from webhookproxy.web.formats.rows import name_for

ROWS = (
    Row("a", paths=("x", "y.z"), steps=(RowStep(StepKind.E164), RowStep(StepKind.MASK))),
    Row("b", RowKind.CONSTANT, text="NEW", if_missing=IfMissing.EMPTY),
    Row(
        "c[0]",
        RowKind.TEXT,
        text="{x}\nb",
        steps=(RowStep(StepKind.UPPER), RowStep(StepKind.TABLE, {"1": "won = x", "": "n"}, "o")),
        if_missing=IfMissing.DO_NOT_SEND,
    ),
)


def sent(draft: Draft) -> MultiDict[str, str]:
    """What a browser sends of the form that shows a draft."""
    fields: list[tuple[str, str]] = [
        ("kind", draft.kind),
        ("encoding", draft.encoding),
        ("kept", draft.kept),
    ]
    fields += [("paths", draft.paths), ("masked", draft.masked), ("base", draft.base)]
    for number, row in enumerate(draft.rows):
        fields += [("row", str(number)), (f"name-{number}", row.name), (f"kind-{number}", row.kind)]
        fields += [(f"step-{number}", each) for each in row.shown_steps]
        fields += [(f"content-{number}", row.content.replace("\n", "\r\n"))]
        fields += [(f"table-{number}", row.table.replace("\n", "\r\n"))]
        fields += [(f"missing-{number}", row.if_missing)]
    return MultiDict((name, str(value)) for name, value in fields)


@pytest.mark.parametrize(
    "stored",
    [
        Format(FormatKind.MAPPED, Encoding.FORM, ROWS),
        Format(FormatKind.NATIVE, less=Less(Kept.WITHOUT, ("a.b", "c"), ("d",))),
        Format(),
    ],
    ids=lambda each: each.kind,
)
def test_what_is_shown_comes_back_as_it_was(stored: Format) -> None:
    draft = Draft.read(sent(Draft.of(stored)))
    assert draft.errors == []
    assert draft.checked() == stored


def test_a_line_of_a_table_without_an_equals_sign_is_said() -> None:
    form = sent(Draft.of(Format(FormatKind.MAPPED, rows=ROWS)))
    form["table-1"] = "240055 won"
    draft = Draft.read(form)
    assert draft.checked() is None
    assert draft.errors == [
        "Na tabela de b falta o sinal de igual em uma linha: escreva como 240055 = won."
    ]


def test_a_clicked_value_goes_into_a_row_that_waits_for_one_or_begins_another() -> None:
    draft = Draft.of(Format(FormatKind.MAPPED, rows=ROWS))
    form = sent(draft)
    form["content-1"] = ""
    for clicked, names in (
        ("call.phone", ["a", "b", "c[0]"]),
        ("tags[1]", [*"ab", "c[0]", "tags"]),
    ):
        draft = Draft.read(form)
        draft.change(MultiDict({"take": f'["{clicked}", "igual", "7"]'}))
        assert [row.name for row in draft.rows] == names
        form = sent(draft)
    assert draft.rows[1].content == "call.phone"
    assert draft.rows[3].content == "tags[1]"


def test_a_clicked_value_is_left_out_where_the_payload_is_sent() -> None:
    draft = Draft.of(Format(FormatKind.NATIVE))
    draft.change(MultiDict({"take": '["call.phone", "igual", "7"]'}))
    draft.change(MultiDict({"lists": ""}))
    assert draft.kept is Kept.WITHOUT
    assert draft.paths.split("\n") == [
        "call.phone",
        "campaign.dialer.qualification_list",
        "qualification.qualifications",
        "qualificationList",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "xml"},
        {"encoding": "xml"},
        {"kept": "x"},
        {"row": "x"},
        {"kind-0": "x"},
        {"missing-0": ""},
        {"step-0": "x"},
    ],
)
def test_what_no_form_of_ours_sends_is_refused(change: dict[str, str]) -> None:
    form = sent(Draft.of(Format(FormatKind.MAPPED, rows=ROWS)))
    form.setlist(*next((name, [value]) for name, value in change.items()))
    with pytest.raises(BadRequest):
        Draft.read(form)
    for take in ("x", "[]", "{}", "[1]", '["a..b"]'):
        with pytest.raises(BadRequest):
            Draft.of(Format()).change(MultiDict({"take": take}))


@pytest.mark.parametrize(
    ("path", "name"),
    [("call.phone", "phone"), ('mailing.data["Data Nasc"]', "Data_Nasc"), ("tags[0]", "tags")],
)
def test_a_field_is_named_after_the_value(path: str, name: str) -> None:
    assert name_for(parse_path(path)) == name
