"""The catalogue and the ordering keys."""

from __future__ import annotations

import re
from typing import Any

import pytest

from webhookproxy.events.catalog import (
    CATALOG,
    CREDENTIAL_KEYS,
    MAX_KEY_LENGTH,
    is_event_name,
    order_key,
)


def test_the_catalogue_has_every_event_of_the_file() -> None:
    assert len(CATALOG) == 118
    idle = CATALOG["agent-is-idle"]
    assert idle.documented
    assert idle.category == "agente"
    assert idle.order_paths == ("agent.id",)
    assert idle.sample["agent"]["id"] == 7007
    assert idle.typical_bytes > 0


def test_the_descriptions_are_for_people() -> None:
    words = re.compile(r"\b(swagger|number|string|boolean|null|payload)\b", re.IGNORECASE)
    assert [each.name for each in CATALOG.values() if words.search(each.description)] == []


def test_every_credential_of_the_samples_is_synthetic_and_listed() -> None:
    for path, value in _strings([e.sample for e in CATALOG.values()]):
        if "SINTETIC" in value:
            assert path in CREDENTIAL_KEYS


def _strings(node: Any, key: str = "") -> list[tuple[str, str]]:
    if isinstance(node, dict):
        return [found for k, v in node.items() for found in _strings(v, k)]
    if isinstance(node, list):
        return [found for item in node for found in _strings(item, key)]
    return [(key, node)] if isinstance(node, str) else []


@pytest.mark.parametrize("event", CATALOG.values(), ids=lambda e: e.name)
def test_every_sample_with_an_identity_gets_a_key(event: Any) -> None:
    key = order_key(event.name, event.sample)
    # The one sample has only a message, the other is about the company as a whole.
    without = {"call-dial-failed", "reached-max-online-agents"}
    if event.order_paths and event.name not in without:
        assert key
    assert len(key) <= MAX_KEY_LENGTH


CALL = "call:TEL0000001"


@pytest.mark.parametrize(
    ("name", "payload", "key"),
    [
        ("call-was-created", {"call": {"telephony_id": "TEL0000001"}}, CALL),
        ("call-was-created", {"call": {"id": "call:4242:9001:TEL0000001"}}, CALL),
        ("new-name", {"callHistory": {"telephony_id": "TEL0000001"}}, CALL),
        ("agent-in-acw", {"agent": {"id": 7}, "call": {"telephony_id": "TEL0000001"}}, CALL),
        ("agent-is-idle", {"agent": {"id": 7}}, "agent:7"),
        ("agent-is-idle", {"agent": {"id": "7"}}, "agent:7"),
        ("new-name", {"agent": [], "agent_id": 7}, "agent:7"),
        ("new-name", {"agent_id": 7.0}, "agent:7"),
        ("new-name", {"user": {"id": 7}}, "agent:7"),
        ("spy-started", {"spied": {"id": 7}}, "agent:7"),
        ("start-chat-whatsapp", {"chat": {"id": 88}}, "chat:88"),
        ("message-ack-whatsapp", {"message": {"chat_id": "88", "id": "M1"}}, "chat:88"),
        ("message-ack-whatsapp", {"message": {"id": "M1"}}, "message:M1"),
        ("transfer-chat-whatsapp", {"data": {"chat": {"id": 88}}}, "chat:88"),
        ("list-empty", {"list": {"id": 31001}}, "list:31001"),
        ("mailing-list-was-finished", {"mailingList": {"id": 31001}}, "list:31001"),
        ("reached-max-online-agents", {"company": {"id": 4242}, "agent": {"id": 7}}, ""),
    ],
)
def test_paths_to_one_thing_give_one_key(name: str, payload: object, key: str) -> None:
    assert order_key(name, payload) == key


@pytest.mark.parametrize("value", [True, False, None, "", {}, {"id": 1}, [], [7]])
def test_what_cannot_name_anything_is_passed_over(value: object) -> None:
    payload = {"call": {"telephony_id": value}, "agent": {"id": value}, "agent_id": 7}
    assert order_key("call-was-created", payload) == "agent:7"
    assert order_key("agent-is-idle", {"agent": {"id": value}}) == ""


@pytest.mark.parametrize("payload", [None, "text", 7, [], [{"agent": {"id": 7}}], {}])
def test_a_payload_without_identity_belongs_to_the_company(payload: object) -> None:
    assert order_key("agent-is-idle", payload) == ""


def test_an_extension_is_not_a_call() -> None:
    payload = {"agent": {"id": 7, "telephony_id": "AGT0000007", "call": {"telephony_id": "X"}}}
    assert order_key("agent-is-idle", payload) == "agent:7"


@pytest.mark.parametrize(
    "value",
    ["x" * 101, 10**5000, "\ud800", "a\x00b"],
    ids=["long", "5,001 digits", "surrogate", "control"],
)
def test_a_key_that_cannot_be_stored_is_shortened_by_a_hash(value: object) -> None:
    key = order_key("agent-is-idle", {"agent": {"id": value}})
    assert key.startswith("agent:#")
    assert len(key) <= MAX_KEY_LENGTH
    key.encode("utf-8")
    assert key != order_key("agent-is-idle", {"agent": {"id": f"{'x' * 102}"}})


def test_a_key_of_exactly_the_longest_length_stays_as_it_is() -> None:
    value = "x" * (MAX_KEY_LENGTH - len("agent:"))
    assert order_key("agent-is-idle", {"agent": {"id": value}}) == f"agent:{value}"


@pytest.mark.parametrize("name", [*CATALOG, "x", "ação:nova", "new message", "a*", "n" * 200])
def test_a_name_that_can_be_typed(name: str) -> None:
    assert is_event_name(name)


@pytest.mark.parametrize(
    "name", ["", "*", " before", "after ", "tab\t", "line\n", "nul\0", "n" * 201, "\ud800"]
)
def test_a_name_that_cannot_be_typed(name: str) -> None:
    assert not is_event_name(name)
