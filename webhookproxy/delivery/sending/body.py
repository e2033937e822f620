"""The body of a delivery: in the format of its first attempt, and before it in the newest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from webhookproxy.events import contract
from webhookproxy.events.contract import Source
from webhookproxy.events.formats.definition import (
    Fault,
    Format,
    FormatKind,
    Unrenderable,
)
from webhookproxy.events.formats.rendering import render
from webhookproxy.events.formats.stored import read_format
from webhookproxy.events.newer_version import NewerVersion
from webhookproxy.models.deliveries.tables import Due, Facts
from webhookproxy.models.events import Event
from webhookproxy.models.webhooks import Webhook
from webhookproxy.platform.recording_links import (
    MASKED,
    recording_token,
    recording_url,
    with_recording,
)

# Returns what is stored of a format that the webhook had before; raises LookupError.
PastFormats = Callable[[int], Mapping[str, Any] | None]
# Returns the key from which a company's links to recordings are derived; raises LookupError.
RecordingKey = Callable[[int], str]

# Formats of one webhook that are kept in memory.
_KEPT = 16


class Body(NamedTuple):
    """What is signed and sent; `ids` are headers for what it does not say itself.

    `number` is that of its format, `link_token` the token of the link to a recording in it, if any.
    """

    content: bytes
    content_type: str = contract.JSON_TYPE
    ids: Mapping[str, str] = contract.NO_IDS
    number: int = 0
    link_token: str = ""


class Bodies:
    """Makes the bodies for one webhook, as its row was when this was made."""

    def __init__(
        self, webhook: Webhook, past: PastFormats, recording_key: RecordingKey | None = None
    ) -> None:
        self.newest = webhook.format_number or 0
        self._past = past
        self._read_recording_key = recording_key
        self._recording_key = ""
        self._stored: dict[int, Mapping[str, Any] | None] = {self.newest: webhook.format}
        self._formats: dict[int, Format] = {}

    def of(self, due: Due) -> Body:
        """Return the body, the same bytes at every attempt. Raises Unrenderable."""
        if not self.newest and due.format_number is None:
            ids = contract.RECOVERED if due.facts.recovered else contract.NO_IDS
            token = self._link_token(due)
            return Body(standard_body(due, token), ids=ids, link_token=token)
        return self.in_format(due, due.format_of(self.newest))

    def in_format(self, due: Due, number: int) -> Body:
        """Return the body in the format with this number. Raises Unrenderable."""
        wanted, token = self._format(number), self._link_token(due)
        source = source_of(due.facts, due.webhook_id, token)
        content, content_type = render(wanted, source)
        ids = dict(contract.RECOVERED if source.recovered else contract.NO_IDS)
        if wanted.kind is not FormatKind.STANDARD:
            ids |= contract.ids_beside(source.event_id, source.company_id)
        return Body(content, content_type, ids, number, token)

    def _link_token(self, due: Due) -> str:
        """Return the token of the link to a recording; "" without a link, or if people look on."""
        if due.facts.recording_base is None or self._read_recording_key is None:
            return ""
        if not self._recording_key:
            # It never changes.
            self._recording_key = self._read_recording_key(due.facts.company_id)
        return recording_token(self._recording_key, due.facts.public_id)

    def _format(self, number: int) -> Format:
        if (found := self._formats.get(number)) is not None:
            return found
        try:
            stored = self._stored[number] if number in self._stored else self._past(number)
            found = read_format(stored)
        except (LookupError, NewerVersion):
            # In another format the same id would have other bytes.
            raise Unrenderable(
                Fault.NO_FORMAT, "O formato em que este evento foi enviado não está mais guardado."
            ) from None
        if len(self._formats) >= _KEPT:
            self._formats.clear()
        self._formats[number] = found
        return found


def newest_only(number: int) -> None:
    """Raise LookupError: what was never sent needs no format of before."""
    raise LookupError(number)


def standard_body(due: Due, link_token: str = MASKED) -> bytes:
    """Return the body in the format that every webhook begins with."""
    return contract.body(source_of(due.facts, due.webhook_id, link_token))


def source_of(event: Facts | Event, webhook_id: int, link_token: str = MASKED) -> Source:
    """Return what the body of an event for a webhook is made of.

    Without the token of the link to a recording "…" stands for it: so it is for everyone but the
    receiver.
    """
    payload, url = event.payload, ""
    if event.recording_base is not None:
        url = recording_url(event.recording_base, link_token or MASKED)
        payload = with_recording(payload, url)
    return Source(
        event=event.name,
        payload=payload,
        socket_id=event.socket_id,
        token_mask=event.token_mask,
        received_at_ms=event.received_ms,
        webhook_id=webhook_id,
        company_id=event.company_id,
        event_id=event.public_id,
        recovered=event.recovered,
        recording_url=url,
    )
