"""The *resumo da ligação*: one flat object for a call, whatever event it came in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from webhookproxy.events.call_facts import duration_of
from webhookproxy.events.conditions import read_payload
from webhookproxy.events.contract import Source
from webhookproxy.events.formats.call_fields import ORDER, READ, RECORDING_URL, VERSION
from webhookproxy.events.formats.definition import Fault, Unrenderable
from webhookproxy.events.formats.moments import ZONE, iso
from webhookproxy.events.formats.values import is_empty
from webhookproxy.events.payload_paths import MISSING, find, parse_path
from webhookproxy.events.telephones import read_telephone

_READ = tuple((field, tuple((path, parse_path(path)) for path in field.paths)) for field in READ)
# `callHistory` stands under `call` in the platform's own description.
_OF_A_HISTORY = ("_id", "call_date")
_COLUMNS = tuple(map(parse_path, ("callHistory.mailing_data.data", "mailing.data")))
_OUTBOUND, _INBOUND = ("discador", "manual"), "receptivo"


def summarise(source: Source, values: Any) -> dict[str, Any]:
    """Return the fields of a call; what is not known is None.

    `values` is what read_values read of the source. Raises Unrenderable if the event is no call's.
    """
    payload = _call_of(read_payload(source.payload))
    found: dict[str, Any] = {
        "versao": VERSION,
        "evento": source.event,
        "evento_id": source.event_id,
        "recebido_em": iso(datetime.fromtimestamp(source.received_at_ms // 1000, ZONE)),
        "empresa_id": f"company_{source.company_id}",
        "duracao_s": duration_of(payload),
        "mailing": _columns(_call_of(values)),
    }
    for field, paths in _READ:
        read = (field.read(path, find(payload, steps)) for path, steps in paths)
        found[field.name] = next((each for each in read if each is not None), None)
    found |= _telephone(found["telefone_original"])
    found["direcao"] = _direction(source.event, found["modo"])
    fields = {name: found[name] for name in ORDER}
    return {**fields, RECORDING_URL: source.recording_url} if source.recording_url else fields


def _call_of(payload: Any) -> dict[str, Any]:
    """Return the payload with a call's history in its place."""
    call, history = (
        payload.get(name) if isinstance(payload, dict) else None for name in ("call", "callHistory")
    )
    if isinstance(history, dict) and history:
        return dict(payload)
    if not (isinstance(call, dict) and call):
        raise Unrenderable(
            Fault.NOT_A_CALL,
            "Este evento não é de uma ligação (não traz call nem callHistory): não há resumo.",
        )
    if any(name in call for name in _OF_A_HISTORY):
        return {**payload, "callHistory": call}
    return dict(payload)


def _columns(values: dict[str, Any]) -> dict[str, Any] | None:
    """Return the columns of the list that hold one value each."""
    for steps in _COLUMNS:
        columns = find(values, steps)
        if columns is not MISSING and isinstance(columns, dict) and columns:
            return {
                name: None if is_empty(each) else each
                for name, each in columns.items()
                if not isinstance(each, dict | list)
            }
    return None


def _telephone(text: str | None) -> dict[str, str | None]:
    found = read_telephone(text) if text else None
    return {
        "telefone": found.e164 if found else None,
        "telefone_nacional": found.national if found else None,
        "telefone_com_nono": found.with_ninth if found else None,
        "telefone_sem_nono": found.without_ninth if found else None,
    }


def _direction(event: str, mode: str | None) -> str | None:
    if mode == _INBOUND or event.startswith("receptive-"):
        return "entrada"
    return "saida" if mode in _OUTBOUND else None
