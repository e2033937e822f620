"""*Montado*: the receiver's fields, each made of values of the payload, as its rows say.

Beside the payload a path can begin with `resumo`, the summary of the call, or with `evento`, which
has `nome`, `id`, `recebido_em`, `empresa` and `webhook`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

import orjson

from webhookproxy.events import contract
from webhookproxy.events.contract import Source
from webhookproxy.events.formats.body_names import BadName, Body, parse_name
from webhookproxy.events.formats.call_summary import summarise
from webhookproxy.events.formats.definition import (
    PLACE,
    Encoding,
    Fault,
    Format,
    IfMissing,
    Row,
    RowKind,
    Unrenderable,
)
from webhookproxy.events.formats.steps import TEXT_MAX, apply_step, text_of
from webhookproxy.events.formats.values import (
    BODY_MAX,
    is_empty,
    read_values,
    too_large,
    write_values,
)
from webhookproxy.events.payload_paths import MISSING, BadPath, Step, find, parse_path

SUMMARY, EVENT = "resumo", "evento"


def mapped(wanted: Format, source: Source) -> Any:
    """Return the receiver's fields. Raises Unrenderable."""
    values, body, size = _Values(source), Body(), 0
    for row in wanted.rows:
        value = _value(row, values)
        if is_empty(value):
            if row.if_missing is IfMissing.LEAVE_OUT:
                continue
            if row.if_missing is IfMissing.DO_NOT_SEND:
                raise Unrenderable(
                    Fault.NO_VALUE,
                    f"O campo {row.name[:60]} ficou sem valor, e o formato não envia sem ele.",
                )
            value = ""
        value, more = _written(value, wanted.encoding)
        size += more
        if size > BODY_MAX:
            raise too_large()
        _put(body, row, value)
    return body.values()


class _Values:
    """Where a path leads: the payload, the summary of its call, the event itself."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._payload = read_values(source.payload)

    def at(self, path: str) -> Any:
        """Return the value at a path, or MISSING."""
        try:
            steps = _steps(path)
        except BadPath:
            raise _bad(f"O formato lê um campo que não é um caminho: {path[:60]}.") from None
        if steps[0] == SUMMARY:
            return find(self._summary, steps[1:])
        if steps[0] == EVENT:
            return find(self._event, steps[1:])
        return find(self._payload, steps)

    @cached_property
    def _summary(self) -> Any:
        try:
            return summarise(self._source, self._payload)
        except Unrenderable:
            return {}

    @cached_property
    def _event(self) -> Mapping[str, str]:
        source = self._source
        return {
            "nome": source.event,
            "id": source.event_id,
            "recebido_em": contract.timestamp(source.received_at_ms),
            "empresa": f"company_{source.company_id}",
            "webhook": f"webhook_{source.webhook_id}",
        }


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[Step, ...]:
    return parse_path(path)


def _value(row: Row, values: _Values) -> Any:
    """Return a row's value after its steps; MISSING if there is none."""
    match row.kind:
        case RowKind.CONSTANT:
            value: Any = row.text
        case RowKind.TEXT:
            value = _composed(row.text, values)
        case RowKind.VALUE:
            found = (values.at(path) for path in row.paths)
            value = next((each for each in found if not is_empty(each)), MISSING)
    for step in row.steps:
        if is_empty(value):
            # A table says what an empty value means, if it has a row for it.
            value = step.table.get("", step.default) if step.table else MISSING
        else:
            value = apply_step(step, value)
    return value


def _composed(text: str, values: _Values) -> Any:
    """Return a text with its values in their places; MISSING if all of them are."""
    pieces: list[str] = []
    size = at = known = 0
    places = list(PLACE.finditer(text))
    for place in places:
        value = values.at(place[1].strip())
        written = "" if is_empty(value) else text_of(value)
        known += written != ""
        pieces += text[at : place.start()], written
        at = place.end()
        size += len(written)
        if size > TEXT_MAX:
            raise too_large()
    return MISSING if places and not known else "".join([*pieces, text[at:]])


def _written(value: Any, encoding: Encoding) -> tuple[Any, int]:
    """Return a value as the body gets it, and its size. For JSON a group is written only once."""
    if not isinstance(value, dict | list):
        return value, len(value) if isinstance(value, str) else 0
    written = write_values(value)
    return orjson.Fragment(written) if encoding is Encoding.JSON else value, len(written)


def _put(body: Body, row: Row, value: Any) -> None:
    try:
        body.put(parse_name(row.name), value)
    except BadName:
        raise _bad(
            f"O formato tem um campo que não cabe ao lado dos outros: {row.name[:60]}."
        ) from (None)


def _bad(sentence: str) -> Unrenderable:
    return Unrenderable(Fault.BAD_FORMAT, sentence)
