"""The *resumo da ligação*, from calls and histories in all their shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.events.formats.support import make_source, php_reads
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.formats.call_fields import ORDER, READ, WORDS
from webhookproxy.events.formats.definition import (
    Encoding,
    Fault,
    Format,
    FormatKind,
    Unrenderable,
)
from webhookproxy.events.formats.rendering import render

GOLDEN = Path(__file__).parent / "golden"
PAGE = Path(__file__).parents[3] / "docs/uso/formatos.md"
IN_SUMMARY = Format(FormatKind.CALL)


def summary(event: str = "call-was-created", payload: object = None) -> dict[str, Any]:
    found = json.loads(render(IN_SUMMARY, make_source(event, payload))[0])
    assert isinstance(found, dict)
    return found


CALLS = [name for name, event in CATALOG.items() if event.sample.keys() & {"call", "callHistory"}]


@pytest.mark.parametrize("name", CALLS)
def test_every_sample_of_a_call_has_a_summary(name: str) -> None:
    found = summary(name)
    assert tuple(found) == ORDER
    assert found["ligacao_id"] == "TEL0000001"
    assert found["evento"] == name
    flat = {type(each) for key, each in found.items() if key != "mailing"}
    assert flat <= {str, int, bool, type(None)}
    assert "SINTETIC" not in str(found)


@pytest.mark.parametrize("name", [name for name in CATALOG if name not in CALLS])
def test_no_other_sample_has_a_summary(name: str) -> None:
    with pytest.raises(Unrenderable) as refused:
        summary(name)
    assert refused.value.code is Fault.NOT_A_CALL


@pytest.mark.parametrize(
    "name", ["call-was-connected", "call-history-was-created", "manual-call-was-updated"]
)
def test_a_summary_is_golden(name: str) -> None:
    assert summary(name) == json.loads((GOLDEN / f"resumo.{name}.json").read_text("utf-8"))


HISTORY = {
    "number": "+55 41 9000-0001",
    "qualification": "Venda",
    "qualification_id": -2,
    "behavior": "3",
    "agent": "-",
    "agent_id": 0,
    "speaking_time": "00:01:05",
    "acw_time": "01:00:00",
    "status_id": "99",
    "recorded": "1",
    "mode": "receptive",
    "call_date": "2026-11-23 09:00:00",
    "mailing_data": {"identifier": "[oculto]", "data": {"v": 1.10, "n": None, "x": [1], "t": ""}},
}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            {"callHistory": HISTORY},
            {
                "telefone": "+5541990000001",
                "telefone_sem_nono": "+554190000001",
                "qualificacao_nome": "Venda",
                "qualificacao_id": "-2",
                "qualificacao_comportamento": "repetir",
                "agente_nome": None,
                "agente_id": None,
                "duracao_s": 65,
                "conversa_s": 65,
                "tpa_s": 3600,
                "resultado": "99",
                "resultado_codigo": "99",
                "gravada": True,
                "direcao": "entrada",
                "discada_em": "2026-11-23T09:00:00-03:00",
                "identificador": None,
                "mailing": {"v": 1.1, "n": None, "t": None},
            },
        ),
        # The platform's own description puts the history under call.
        ({"call": HISTORY}, {"duracao_s": 65, "qualificacao_nome": "Venda"}),
        (
            {"call": {"phone": "1132345678", "status": "5", "dialed_time": "1790000000"}},
            {
                "telefone": "+551132345678",
                "telefone_nacional": "(11) 3234-5678",
                "telefone_com_nono": None,
                "telefone_sem_nono": None,
                "resultado": "não atendida",
                "discada_em": "2026-09-21T11:13:20-03:00",
            },
        ),
        ({"call": {"phone": "+1 415 555 2671"}}, {"telefone": "+14155552671"}),
        ({"call": {"phone": "0800 729 0722"}}, {"telefone": "+558007290722"}),
        ({"call": {"phone": "190"}}, {"telefone": None, "telefone_original": "190"}),
        ({"call": {"phone": "9" * 100}}, {"telefone": None}),
        ({"call": {"phone": {"a": 1}}, "agent": []}, {"telefone_original": None}),
        ({"call": {"dialed_time": 10**40, "hangup_time": "x" * 50}}, {"discada_em": None}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_shape_is_read(payload: dict[str, Any], expected: dict[str, Any]) -> None:
    found = summary(payload=payload)
    assert {name: found[name] for name in expected} == expected


def test_the_numbers_of_a_list_travel_as_they_came() -> None:
    payload = '{"call": {"id": 1}, "mailing": {"data": {"v": 1.10, "n": ' + "9" * 40 + "}}}"
    assert (
        b'"mailing":{"v":1.10,"n":' + b"9" * 40 in render(IN_SUMMARY, make_source("a", payload))[0]
    )
    form, _ = render(Format(FormatKind.CALL, Encoding.FORM), make_source("a", payload))
    assert php_reads(form)["mailing"] == {"v": "1.10", "n": "9" * 40}


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({"agent": {"id": 7}}, Fault.NOT_A_CALL),
        ({"call": None, "callHistory": []}, Fault.NOT_A_CALL),
        ({"call": {}}, Fault.NOT_A_CALL),
        ([{"call": {"id": 1}}], Fault.NOT_A_CALL),
        ("7", Fault.NOT_A_CALL),
        ("{no json", Fault.NOT_JSON),
        ('{"call":' * 100_000, Fault.TOO_LARGE),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_event_without_a_call_has_a_sentence(payload: object, fault: Fault) -> None:
    with pytest.raises(Unrenderable) as refused:
        summary("agent-is-idle", payload)
    assert refused.value.code is fault


def test_every_field_has_its_place_and_its_words_once() -> None:
    assert len(set(ORDER)) == len(ORDER) == len(WORDS)
    assert {field.name for field in READ} < set(ORDER)


def test_the_page_describes_every_field_and_no_other() -> None:
    text = (
        PAGE.read_text(encoding="utf-8").partition("## Resumo da ligação")[2].partition("\n## ")[0]
    )
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert [(name.strip("`"), words.strip()) for name, words in rows] == list(WORDS.items())
