"""*Montado*: rows, steps, what is missing, and less of a payload."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.events.formats.support import make_source, php_reads
from webhookproxy.events import payload as intake
from webhookproxy.events.catalog import CATALOG, CREDENTIAL_KEYS
from webhookproxy.events.formats.definition import (
    Encoding,
    Fault,
    Format,
    FormatKind,
    IfMissing,
    Kept,
    Less,
    Row,
    RowKind,
    RowStep,
    StepKind,
    Unrenderable,
)
from webhookproxy.events.formats.less import QUALIFICATION_LISTS
from webhookproxy.events.formats.rendering import render
from webhookproxy.events.formats.stored import read_format, stored_format
from webhookproxy.events.formats.values import BODY_MAX
from webhookproxy.rules import Refused
from webhookproxy.rules.formats import check_format

PAYLOAD = (
    '{"call": {"phone": "5541900000001", "status": "5", "n": 1.10, "big": ' + "7" * 40 + ", "
    '"time": 1790000000, "clock": "00:01:05", "empty": "", "null": null, '
    '"group": {"a": [1, 2.50]}}, "name": "José", "q": 240055, "secret": "[oculto]", '
    '"day": "23/11/2026 09:00", "ok": false}'
)


def body_of(*rows: Row, encoding: Encoding = Encoding.JSON, payload: str = PAYLOAD) -> bytes:
    wanted = check_format(Format(FormatKind.MAPPED, encoding, rows))
    assert read_format(json.loads(json.dumps(stored_format(wanted)))) == wanted
    return render(wanted, make_source(payload=payload))[0]


def value_of(path: str, *steps: StepKind | RowStep, payload: str = PAYLOAD) -> Any:
    made = tuple(each if isinstance(each, RowStep) else RowStep(each) for each in steps)
    found = json.loads(body_of(Row("a", paths=(path,), steps=made), payload=payload))
    return found.get("a", "(left out)")


def test_a_lead_is_made_of_values_texts_and_constants() -> None:
    rows = (
        Row("fields[TITLE]", RowKind.TEXT, text="Ligação de {name} ({call.phone}), {call.nothing}"),
        Row("fields.STATUS_ID", RowKind.CONSTANT, text="NEW"),
        Row("fields[PHONE][0][VALUE]", paths=("call.phone",), steps=(RowStep(StepKind.E164),)),
        Row("fields[PHONE][0][VALUE_TYPE]", RowKind.CONSTANT, text="WORK"),
        Row("fields.UF_N", paths=("call.n",)),
        Row("fields.GROUP", paths=("call.group",)),
        Row("fields.OUTCOME", paths=("resumo.resultado",)),
        Row("fields.ORIGIN_ID", paths=("evento.id",)),
    )
    assert (
        body_of(*rows)
        == (
            '{"fields":{"TITLE":"Ligação de José (5541900000001), ","STATUS_ID":"NEW",'
            '"PHONE":[{"VALUE":"+5541900000001","VALUE_TYPE":"WORK"}],"UF_N":1.10,"GROUP":{"a":[1,2.50]},'
            '"OUTCOME":"não atendida","ORIGIN_ID":"evt_018cc251f4007000800000000000002a"}}'
        ).encode()
    )
    read = php_reads(body_of(*rows, encoding=Encoding.FORM))["fields"]
    assert read["PHONE"] == {"0": {"VALUE": "+5541900000001", "VALUE_TYPE": "WORK"}}
    assert read["GROUP"] == {"a": {"0": "1", "1": "2.50"}}


TABLE = RowStep(StepKind.TABLE, {"240055": "won", "": "none"}, "other")


@pytest.mark.parametrize(
    ("path", "steps", "expected"),
    [
        ("call.status", (StepKind.NUMBER,), 5),
        ("call.clock", (StepKind.SECONDS,), 65),
        ("call.time", (StepKind.SECONDS,), "(left out)"),
        ("call.time", (StepKind.DATE_ISO,), "2026-09-21T11:13:20-03:00"),
        ("call.time", (StepKind.DATE_BRAZILIAN,), "21/09/2026 11:13"),
        ("day", (StepKind.DATE_UNIX,), 1795435200),
        ("name", (StepKind.UPPER,), "JOSÉ"),
        ("name", (StepKind.UPPER, StepKind.LOWER), "josé"),
        ("call.phone", (StepKind.NATIONAL,), "(41) 90000-0001"),
        ("call.phone", (StepKind.NATIONAL, StepKind.DIGITS), "41900000001"),
        ("call.phone", (StepKind.MASK,), "•••0001"),
        ("name", (StepKind.MASK,), "•••"),
        ("call.group", (StepKind.MASK,), "•••"),
        ("call.n", (StepKind.TEXT,), "1.10"),
        ("call.group", (StepKind.TEXT,), '{"a":[1,2.50]}'),
        ("name", (StepKind.NUMBER,), "(left out)"),
        ("name", (StepKind.E164,), "(left out)"),
        ("call.group", (StepKind.NUMBER,), "(left out)"),
        ("q", (TABLE,), "won"),
        ("call.status", (TABLE,), "other"),
        ("call.null", (TABLE,), "none"),
        ("call.status", (RowStep(StepKind.TABLE, {"1": "x"}),), "(left out)"),
        ("ok", (), False),
        ("call.null", (), "(left out)"),
        ("secret", (), "(left out)"),
        ("secret", (StepKind.TEXT,), "(left out)"),
        ("call.nothing.at[3]", (), "(left out)"),
        ("evento.empresa", (), "company_789"),
    ],
)
def test_a_step_makes(path: str, steps: tuple[Any, ...], expected: object) -> None:
    assert value_of(path, *steps) == expected


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("1.234,56", "1234.56"),
        ("0,5", "0.5"),
        ("007", "7"),
        ("1.10", "1.10"),
        ("-3e5", "-3e5"),
        ("1.2.3", ""),
        ("NaN", ""),
        ("٣", ""),
        ("9" * 61, ""),
    ],
)
def test_a_typed_number_is_read(typed: str, number: str) -> None:
    row = Row("a", paths=("x",), steps=(RowStep(StepKind.NUMBER),))
    body = body_of(row, payload=json.dumps({"x": typed}))
    assert body.decode() == (f'{{"a":{number}}}' if number else "{}")


def test_numbers_travel_as_they_came() -> None:
    assert body_of(Row("a", paths=("call.big",))) == b'{"a":' + b"7" * 40 + b"}"


def test_the_first_value_that_is_not_empty_counts() -> None:
    paths = ("call.empty", "secret", "call.nothing", "name", "q")
    assert body_of(Row("a", paths=paths)) == '{"a":"José"}'.encode()


def test_what_is_missing_is_left_out_empty_or_a_reason_not_to_send() -> None:
    kept = Row("list[0]", paths=("q",)), Row("list[2]", RowKind.CONSTANT, text="b")
    gone = Row("list[1]", paths=("call.null",))
    assert body_of(*kept, gone) == b'{"list":[240055,"b"]}'
    empty = Row("x", paths=("call.null",), if_missing=IfMissing.EMPTY)
    assert body_of(empty) == b'{"x":""}'
    assert body_of(empty, encoding=Encoding.FORM) == b"x="
    stop = Row("x", RowKind.TEXT, text="{a} {b}", if_missing=IfMissing.DO_NOT_SEND)
    with pytest.raises(Unrenderable) as refused:
        body_of(*kept, stop)
    assert refused.value.code is Fault.NO_VALUE
    assert refused.value.detail == "O campo x ficou sem valor, e o formato não envia sem ele."


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((), "pelo menos um campo"),
        (tuple(Row(f"a{n}", paths=("x",)) for n in range(101)), "São 101 campos"),
        ((Row("a", paths=("x",)), Row(" a ", paths=("y",))), "não cabe ao lado"),
        ((Row("f.a", paths=("x",)), Row("f[a]", paths=("y",))), "não cabe ao lado"),
        ((Row("a", paths=("x",)), Row("a.b", paths=("y",))), "não cabe ao lado"),
        ((Row("a.b", paths=("x",)), Row("a", paths=("y",))), "não cabe ao lado"),
        ((Row("a[0]", paths=("x",)), Row("a.b", paths=("y",))), "não cabe ao lado"),
        ((Row("", paths=("x",)),), "não é um nome de campo"),
        ((Row("[a]", paths=("x",)),), "não é um nome de campo"),
        ((Row("a[]", paths=("x",)),), "não é um nome de campo"),
        ((Row("a" + "[b" * 5000, paths=("x",)),), "não é um nome de campo"),
        ((Row("a" + "[b]" * 11, paths=("x",)),), "não é um nome de campo"),
        ((Row("a[100]", paths=("x",)),), "não é um nome de campo"),
        ((Row("\ud800", paths=("x",)),), "não é um nome de campo"),
        ((Row("a"),), "tem 0 valores"),
        ((Row("a", paths=("x..y",)),), "não é um campo do evento"),
        ((Row("a", RowKind.TEXT, text="{x..y}"),), "não é um campo do evento"),
        ((Row("a", RowKind.CONSTANT, text="x" * 1_000_000),), "passa de 2000"),
        ((Row("a", RowKind.CONSTANT, text="\ud800"),), "caracteres de controle"),
        ((Row("a", paths=("x",), steps=(RowStep(StepKind.TEXT),) * 6),), "6 passos"),
        ((Row("a", paths=("x",), steps=(RowStep(StepKind.TABLE),)),), "0 linhas"),
        (
            (
                Row(
                    "a",
                    paths=("x",),
                    steps=(RowStep(StepKind.TABLE, {str(n): "" for n in range(10_000)}),),
                ),
            ),
            "10000 linhas",
        ),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else "",
)
def test_what_cannot_be_a_body_is_refused(rows: tuple[Row, ...], words: str) -> None:
    with pytest.raises(Refused) as refused:
        check_format(Format(FormatKind.MAPPED, rows=rows))
    assert words in refused.value.problems[0].portuguese
    assert len(refused.value.problems[0].english) < 300


def test_a_mapped_body_has_a_bound() -> None:
    payload = json.dumps({"x": "y" * 250_000})
    rows = tuple(Row(f"a{n}", paths=("x",)) for n in range(5))
    for some, fault in ((rows, Fault.TOO_LARGE), (rows[:4], None)):
        try:
            assert len(body_of(*some, payload=payload)) < BODY_MAX
        except Unrenderable as refused:
            assert refused.code is fault  # noqa: PT017
    with pytest.raises(Unrenderable):
        body_of(Row("a", RowKind.TEXT, text="{x}"), payload=payload)


LESS = json.dumps(
    {
        "a": {"b": "5541900000001", "c": 1},
        "d": [1, {"e": "tel 5541900000001!"}],
        "f": "é",
        "n": 0.10,
    }
).replace("0.1", "0.10")


@pytest.mark.parametrize(
    ("less", "body"),
    [
        (Less(Kept.ONLY, ("a.c", "f", "nothing")), '{"f":"é","a":{"c":1}}'),
        (Less(Kept.ONLY, ("a.c", "a")), '{"a":{"b":"5541900000001","c":1}}'),
        (Less(Kept.WITHOUT, ("a", "d", "nothing.x")), '{"f":"é","n":0.10}'),
        (Less(Kept.WITHOUT, ("a", "d[1]")), '{"d":[1,null],"f":"é","n":0.10}'),
        (
            Less(masked=("a.b",)),
            '{"a":{"b":"•••","c":1},"d":[1,{"e":"tel •••!"}],"f":"é","n":0.10}',
        ),
        (Less(Kept.ONLY, ("a", "f"), ("a", "f")), '{"a":"•••","f":"•••"}'),
    ],
)
def test_less_of_a_payload_is_sent(less: Less, body: str) -> None:
    wanted = check_format(Format(FormatKind.PAYLOAD, less=less))
    assert read_format(json.loads(json.dumps(stored_format(wanted)))) == wanted
    assert render(wanted, make_source(payload=LESS))[0].decode() == body
    for kind, key in ((FormatKind.STANDARD, "payload"), (FormatKind.SOCKET2WEBHOOK, "data")):
        found = json.loads(render(Format(kind, less=less), make_source(payload=LESS))[0])
        assert found[key] == json.loads(body)


def test_without_the_lists_of_qualifications_a_call_is_smaller() -> None:
    whole = Format(FormatKind.NATIVE)
    less = check_format(Format(FormatKind.NATIVE, less=Less(Kept.WITHOUT, QUALIFICATION_LISTS)))
    for name in ("call-was-connected", "call-history-was-created"):
        source = make_source(name)
        body = render(less, source)[0]
        assert len(body) < len(render(whole, source)[0])
        assert b"Retornar" not in body
        assert b"qualificationList" not in body


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from("abcé.") | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)
SECRET = "SENHA_SECRETA"
PATHS = st.sampled_from(
    [
        *("a", "b", "a.b", "a[0]", "c.a.b", "call.phone", "callHistory", "agent.api_token"),
        *("resumo.telefone", "resumo", "evento.id", "evento", "resumo.mailing", "x..", ""),
    ]
)
STEPS = st.lists(
    st.builds(
        RowStep,
        st.sampled_from(StepKind),
        st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
        st.none() | st.text(max_size=3),
    ),
    max_size=3,
).map(tuple)
ROWS = st.builds(
    Row,
    st.sampled_from(["a", "b", "a.b", "c[0]", "c[1].x", "c.d", "", "[", "é"]),
    st.sampled_from(RowKind),
    st.lists(PATHS, max_size=3).map(tuple),
    st.text(max_size=20) | PATHS.map(lambda path: f"x {{{path}}} y"),
    STEPS,
    st.sampled_from(IfMissing),
)
MAPPINGS = st.builds(
    Format,
    st.sampled_from(FormatKind),
    st.sampled_from(Encoding),
    st.lists(ROWS, max_size=4).map(tuple),
    st.builds(
        Less,
        st.sampled_from(Kept),
        st.lists(PATHS, max_size=3).map(tuple),
        st.lists(PATHS, max_size=2).map(tuple),
    ),
)
QUICK = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


@QUICK
@given(JSON, MAPPINGS, st.sampled_from(sorted(CREDENTIAL_KEYS)))
def test_any_payload_in_any_format_ends_and_never_sends_a_hidden_credential(
    value: Any, wanted: Format, key: str
) -> None:
    payload = {
        "a": value,
        "agent": {key: SECRET, "api_token": {"deep": SECRET}},
        "call": {"phone": value, key: SECRET},
    }
    packet = json.dumps(["call-was-created", payload])
    event = intake.read(packet, hide_credentials=True)
    try:
        body, _ = render(wanted, make_source(payload=event.payload))
    except Unrenderable:
        return
    assert SECRET.encode() not in body
    assert len(body) <= BODY_MAX + 1_000
    if wanted.encoding is Encoding.JSON:
        json.loads(body)
    else:
        body.decode("ascii")


@QUICK
@given(
    JSON, st.text(st.sampled_from("xyz0123é"), min_size=12, max_size=30), st.sampled_from(Encoding)
)
def test_a_masked_value_stands_nowhere_in_the_bytes(
    value: Any, text: str, encoding: Encoding
) -> None:
    # No text of ours around the payload holds it.
    text = f"<>{text}"
    payload = {"m": text, "a": [value, f"<{text}>"], text: {"k": text}}
    less = Less(masked=("m",))
    for kind in FormatKind:
        wanted = Format(kind, encoding, less=less)
        if kind is FormatKind.MAPPED:
            step = RowStep(StepKind.MASK)
            wanted = Format(kind, encoding, (Row("x", paths=("m",), steps=(step,)),))
        try:
            body, _ = render(wanted, make_source("evento", json.dumps(payload)))
        except Unrenderable:
            continue
        assert text.encode() not in body
        assert json.dumps(text).encode() not in body


def test_every_sample_is_mapped_and_lessened_in_bounds() -> None:
    rows = (Row("a", paths=("call",)), Row("b", paths=("agent.name", "callHistory.agent.name")))
    for name in CATALOG:
        source = make_source(name)
        for encoding in Encoding:
            render(Format(FormatKind.MAPPED, encoding, rows), source)
            render(Format(FormatKind.NATIVE, encoding, less=Less(Kept.ONLY, ("call",))), source)
