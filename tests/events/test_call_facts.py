"""The facts of a call in every shape of the catalogue, and its codes in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from webhookproxy.events.call_facts import NO_FACTS, CallFacts, Fact, facts_in, facts_of
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.code_words import AGENT_STATUS, CALL_STATUS, CODES, meaning

PHONE = "5541900000001"
# Their samples have only an id of the call, or of its qualification.
ONLY_IDS = ("call-was-qualified", "call-history-was-updated", "integration")


@pytest.mark.parametrize("event", CATALOG.values(), ids=lambda e: e.name)
def test_every_sample_of_the_catalogue_gives_its_facts(event: Any) -> None:
    text = json.dumps(event.sample)
    names = set(event.sample) if isinstance(event.sample, dict) else set()
    facts = facts_in(text)
    assert facts == facts_of(event.sample)
    assert (facts.telephone == PHONE) == (PHONE in text)
    assert ("Agente 7" in text) == (facts.agent == "Agente 7")
    if names & {"agent", "user", "spied"}:
        assert facts.agent_id == "7007"
    if names & {"call", "callHistory"} and event.name not in ONLY_IDS:
        assert facts.outcome in CALL_STATUS.values()
        assert facts.campaign_id == "9001"
        assert facts.mode in ("discador", "manual", "receptivo", "URA")
    elif "agentStatus" in names:
        assert facts.outcome in AGENT_STATUS.values()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "call-was-created",
            CallFacts(PHONE, campaign_id="9001", outcome="discando", mode="discador"),
        ),
        (
            "call-was-connected",
            CallFacts(
                *(PHONE, "Agente 7", "7007", "Campanha 1", "9001", "", "conectada"), mode="discador"
            ),
        ),
        (
            "call-was-finished",
            CallFacts(
                *(PHONE, "Agente 7", "7007", "", "9001", "", "finalizada"),
                hangup="desligamento normal",
                mode="discador",
                duration=108,
            ),
        ),
        (
            "call-history-was-created",
            CallFacts(
                *(PHONE, "", "7007", "Campanha 1", "9001", "", "finalizada", "Qualificação 1"),
                *("chamadas de saída bloqueadas", "URA", 17),
            ),
        ),
        (
            "finish-chat-whatsapp",
            CallFacts(PHONE, "Agente 7", "7007", qualification="Qualificação 1", duration=300),
        ),
        ("reached-max-online-agents", NO_FACTS),
    ],
)
def test_the_facts_of_the_usual_events(name: str, expected: CallFacts) -> None:
    assert facts_of(CATALOG[name].sample) == expected


@pytest.mark.parametrize(
    ("payload", "fact", "expected"),
    [
        ({"callHistory": {"agent": "Ana", "campaign": "Retenção"}}, Fact.AGENT, "Ana"),
        ({"callHistory": {"agent": "-"}}, Fact.AGENT, ""),
        ({"agent": []}, Fact.AGENT, ""),
        ({"callHistory": {"agent": {"id": 0, "name": None}}}, Fact.AGENT_ID, ""),
        ({"callHistory": {"queue_name": "Vendas"}}, Fact.QUEUE, "Vendas"),
        ({"callHistory": {"speaking_time": "00:01:20"}}, Fact.DURATION, 80),
        ({"callHistory": {"speaking_time": 0, "calling_time": 8}}, Fact.DURATION, 8),
        ({"callHistory": {"speaking_time": "x"}}, Fact.DURATION, None),
        ({"call": {"hangup_time": 1790000008, "dialed_time": "1790000000"}}, Fact.DURATION, 8),
        ({"call": {"hangup_time": 1790000000, "dialed_time": 1790000008}}, Fact.DURATION, None),
        ({"call": {"status": "99"}}, Fact.OUTCOME, "99"),
        ({"call": {"status": True, "phone": 5541900000001}}, Fact.TELEPHONE, PHONE),
        ({"call": {"phone": "9" * 5000}}, Fact.TELEPHONE, ""),
        ({"call": {"phone": "[oculto]"}}, Fact.TELEPHONE, ""),
        ({"call": {"phone": 10**400}}, Fact.TELEPHONE, ""),
    ],
)
def test_odd_values_give_what_can_be_read(payload: Any, fact: Fact, expected: object) -> None:
    assert getattr(facts_of(payload), fact) == expected


@pytest.mark.parametrize("text", ["", "null", "7", "[]", "{", '"text"', "[[[", '{"call": 7}'])
def test_a_payload_without_a_call_has_no_facts(text: str) -> None:
    assert facts_in(text) == NO_FACTS


def test_later_events_say_what_earlier_ones_did_not_know() -> None:
    created = CallFacts(telephone=PHONE, campaign_id="9001", outcome="discando")
    ended = CallFacts(agent="Ana", outcome="não atendida", duration=8)
    assert created.updated(ended) == CallFacts(
        PHONE, agent="Ana", campaign_id="9001", outcome="não atendida", duration=8
    )


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("call.status", 5, "não atendida"),
        ("callHistory.status", "5", "não atendida"),
        ("agentStatus", 3, "TPA (pós-atendimento)"),
        ("callHistory.hangup_cause", 52, "chamadas de saída bloqueadas"),
        ("call.call_mode", "dialer", "discador"),
        ("callHistory.qualification.behavior", 3, "repetir"),
        ("call.status", 99, ""),
        ("call.status", True, ""),
        ("call.status", 10**40, ""),
        ("call.status", None, ""),
        ("call.route_id", 5, ""),
    ],
)
def test_a_code_has_words_only_at_its_own_path(path: str, value: object, words: str) -> None:
    assert meaning(path, value) == words


def test_every_code_of_the_samples_has_words() -> None:
    for event in CATALOG.values():
        for path in CODES:
            node = event.sample
            for key in path.split("."):
                node = node.get(key) if isinstance(node, dict) else None
            if node is not None:
                assert meaning(path, node), (event.name, path, node)
