"""A message to one person, and why it could not be sent: what the outbox and channels share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """What one person is told; plain text, in Portuguese, without anything that a receiver said.

    `id` is the same at each try: the Message-ID of a mail, the webhook-id of a POST. `subject` is
    one line without control characters. `link` is where the trouble can be mended; None without the
    setting PUBLIC_URL. `data` has the facts for our own POST.
    """

    id: str
    kind: str
    subject: str
    lines: tuple[str, ...]
    link: str | None
    data: Mapping[str, object]


class NotSent(Exception):
    """A message was not taken: our own code for why, and whether another try is useless.

    `after_s` is how many seconds the service asked to be left alone, within bounds.
    """

    def __init__(self, reason: str, *, is_final: bool, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final
        self.after_s = after_s
