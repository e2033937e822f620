"""The lines for events and webhooks, with a limit for each second."""

from __future__ import annotations

import atexit
import logging
import time

from webhookproxy.logs.output import Output
from webhookproxy.logs.redaction import one_line, redact

CLOSE_SECONDS = 2.0
# A greenlet that read the clock just before the second ended may still be counting.
_GRACE = 0.05

_RECEIVED, _SENT, _SUCCEEDED, _FAILED, _SIMULATED = range(5)


class _Summary:
    """The lines of one second that were counted instead of printed."""

    def __init__(self, second: int, limit: int) -> None:
        self.due = second + 1 + _GRACE
        self.counts = [0, 0, 0, 0, 0]
        self._limit = limit

    def __str__(self) -> str:
        received, sent, succeeded, failed, simulated = self.counts
        more = f", {simulated} simulados" if simulated else ""
        return (
            f"Em um segundo, além das {self._limit} linhas acima: {received} eventos recebidos, "
            f"{sent} webhooks enviados, {succeeded} com sucesso, {failed} sem sucesso{more}."
        )


class Console:
    """Prints one line for each event and webhook, and a summary of those above the limit."""

    def __init__(self, descriptor: int, level: int, lines_per_second: int) -> None:
        """`level` DEBUG prints every line, whatever `lines_per_second` says."""
        self.output = Output(descriptor)
        self._level = level
        self._limit = float("inf") if level <= logging.DEBUG else lines_per_second
        self._second = 0
        self._shown = 0
        self._summary: _Summary | None = None

    # Every `url` below is one that guard.masked_url gave.

    def connected(self, company_id: int) -> None:
        if self._level <= logging.INFO:
            self.line(f"✅ Conectado ao socket da 3C Plus para empresa company_{company_id}!")

    def event_received(self, event: str, company_id: int) -> None:
        if self._level <= logging.INFO and self._admit(_RECEIVED):
            self.line(f"📥 Evento recebido: {event} para empresa company_{company_id}")

    def webhook_sent(self, event: str, url: str) -> None:
        if self._level <= logging.INFO and self._admit(_SENT):
            self.line(f"📤 Webhook enviado: {event} → {url}")

    def webhook_succeeded(self, url: str) -> None:
        if self._level <= logging.INFO and self._admit(_SUCCEEDED):
            self.line(f"✅ Webhook enviado com sucesso para {url}")

    def webhook_failed(
        self, event: str, url: str, reason: str, delay: float | None, *, refused: bool = False
    ) -> None:
        """Print the `reason`, and the seconds until the next attempt, if any.

        `refused`: the receiver answered that it does not want the event.
        """
        if self._level <= logging.WARNING and self._admit(_FAILED):
            word = "recusado" if refused else "não entregue"
            after = "sem outra tentativa" if delay is None else f"nova tentativa em {_span(delay)}"
            self.line(f"❌ Webhook {word}: {event} → {url}: {reason}; {after}.")

    def webhook_simulated(self, event: str, url: str) -> None:
        if self._level <= logging.INFO and self._admit(_SIMULATED):
            self.line(f"🧪 Webhook simulado: {event} → {url}: nada foi enviado.")

    def first_access(self, address: str) -> None:
        """Print the address that creates the first administrator, with its code.

        The code is in the query, which `line` would hide.
        """
        self.output.put(f"🔑 Primeiro acesso, válido por uma hora: {address}")

    def line(self, text: str) -> None:
        """Print one line without waiting, redacted."""
        self.output.put(redact(one_line(text)))

    def close(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Write the waiting lines and stop printing (see Output.close)."""
        atexit.unregister(self.close)
        return self.output.close(timeout)

    def _admit(self, kind: int) -> bool:
        """Return whether to print this line; if not, its second's summary counts it."""
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._shown = 0
            self._summary = None
        if self._shown < self._limit:
            self._shown += 1
            return True
        if self._summary is None:
            self._summary = _Summary(second, self._shown)
            self.output.put(self._summary)
        self._summary.counts[kind] += 1
        return False


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"
